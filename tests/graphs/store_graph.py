"""Writes and reads the store, from a sync node and from an async one. Input: `user` and `text`."""

from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.store.base import BaseStore
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    user: str
    text: str
    sync_found: list[str]
    async_found: list[str]
    namespaces: list[list[str]]


def sync_node(state: State, *, store: BaseStore) -> dict[str, Any]:
    namespace = ("memories", state["user"])
    store.put(namespace, "sync", {"text": state["text"], "kind": "sync"})
    item = store.get(namespace, "sync")
    assert item is not None
    found = store.search(namespace, filter={"kind": "sync"})
    return {"sync_found": [item.value["text"], *(each.key for each in found)]}


async def async_node(state: State, *, store: BaseStore) -> dict[str, Any]:
    namespace = ("memories", state["user"])
    await store.aput(namespace, "async", {"text": state["text"], "kind": "async"})
    await store.aput(namespace, "gone", {"text": "gone"})
    await store.adelete(namespace, "gone")
    found = await store.asearch(namespace)
    namespaces = await store.alist_namespaces(prefix=("memories", state["user"]))
    return {
        "async_found": sorted(each.key for each in found),
        "namespaces": sorted(list(each) for each in namespaces),
    }


builder = StateGraph(State)
builder.add_sequence([sync_node, async_node])
builder.add_edge(START, "sync_node")
builder.add_edge("async_node", END)
graph = builder.compile(name="store_graph")
