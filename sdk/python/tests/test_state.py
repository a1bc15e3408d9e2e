from __future__ import annotations

import asyncio
import itertools
import operator
from typing import Annotated, Any

import pytest
from langgraph.graph import START, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.types import interrupt
from typing_extensions import TypedDict

from duragraph_host import jsonable
from duragraph_host.errors import RequestError
from duragraph_host.factory import Factory
from duragraph_host.state import get_state, update_state
from fakes import AnyGraph, RecordingSaver, project_of


class State(TypedDict, total=False):
    items: Annotated[list[Any], operator.add]


def graph_of(*, root: bool = False, **nodes: Any) -> AnyGraph:
    schema: Any = Annotated[list[Any], operator.add] if root else State
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(schema)
    names = [START, *nodes]
    for name, node in nodes.items():
        builder.add_node(name, node)
    for source, target in itertools.pairwise(names):
        builder.add_edge(source, target)
    return builder.compile()


class Thread:
    """A thread on a saver of its own, with the two requests."""

    def __init__(self, graph: Any) -> None:
        self.project = project_of(g=graph)
        self.graph = graph
        self.saver = RecordingSaver()

    def run(self, value: Any) -> None:
        from duragraph_host.binding import bind

        bind(self.graph, "g", self.saver, None).invoke(value, {"configurable": {"thread_id": "t"}})

    def state(self, subgraphs: bool = False, **configurable: Any) -> Any:
        params = {
            "thread_id": "t",
            "graph_id": "g",
            "config": {"configurable": configurable},
            "subgraphs": subgraphs,
        }
        return jsonable.to_plain(asyncio.run(get_state(self.project, params, self.saver, InMemoryStore())))

    def update(self, values: Any, as_node: str | None = None, **configurable: Any) -> Any:
        config = {"configurable": configurable}
        params = {"thread_id": "t", "graph_id": "g", "config": config, "values": values, "as_node": as_node}
        return asyncio.run(update_state(self.project, params, self.saver, InMemoryStore()))["checkpoint"]


KEYS = {"values", "next", "tasks", "metadata", "created_at", "checkpoint", "parent_checkpoint", "interrupts"}
TASK_KEYS = {"id", "name", "path", "error", "interrupts", "checkpoint", "state", "result"}


def plain() -> Thread:
    return Thread(graph_of(a=lambda s: {"items": ["a"]}, b=lambda s: {"items": ["b"]}))


def test_state_of_a_thread() -> None:
    thread = plain()
    empty = thread.state()
    assert (empty["values"], empty["next"], empty["tasks"], empty["checkpoint"]) == ({}, [], [], None)
    thread.run({"items": ["in"]})
    state = thread.state()
    assert set(state) == KEYS
    assert state["values"] == {"items": ["in", "a", "b"]}
    assert set(state["checkpoint"]) == {"thread_id", "checkpoint_ns", "checkpoint_id"}
    earlier = thread.state(checkpoint_id=state["parent_checkpoint"]["checkpoint_id"])
    assert earlier["next"] == ["b"]
    assert set(earlier["tasks"][0]) == TASK_KEYS
    assert (earlier["tasks"][0]["path"], earlier["tasks"][0]["result"]) == (
        ["__pregel_pull", "b"],
        {"items": ["b"]},
    )


def test_nested_states() -> None:
    inner = graph_of(one=lambda s: {"items": ["i"]}, ask=lambda s: {"items": [interrupt("?")]})
    thread = Thread(graph_of(sub=inner))
    thread.run({"items": []})
    task = thread.state()["tasks"][0]
    assert task["state"] is None
    assert task["checkpoint"] == {"thread_id": "t", "checkpoint_ns": f"sub:{task['id']}"}
    assert task["interrupts"][0]["value"] == "?"
    nested = thread.state(subgraphs=True)["tasks"][0]
    assert nested["checkpoint"] is None
    assert nested["state"]["values"] == {"items": ["i"]} and nested["state"]["next"] == ["ask"]
    addressed = thread.state(checkpoint_ns=task["checkpoint"]["checkpoint_ns"])
    assert addressed["values"] == {"items": ["i"]}


def test_updates() -> None:
    thread = plain()
    thread.run({"items": ["in"]})
    made = thread.update({"items": ["u"]}, "a")
    state = thread.state()
    assert made == state["checkpoint"]
    assert (state["values"]["items"], state["next"]) == (["in", "a", "b", "u"], ["b"])
    assert state["metadata"]["source"] == "update"
    assert thread.saver.projections[("", made["checkpoint_id"])]["next"] == ["b"]
    thread.update([{"items": [1]}, {"items": [2]}], "a")
    expected = [1, 2]
    assert thread.state()["values"]["items"][-2:] == expected
    thread.update(None, "__end__")
    assert thread.state()["next"] == []


def test_overwrites() -> None:
    from langgraph import types

    if not hasattr(types, "Overwrite"):
        pytest.skip("this langgraph knows no Overwrite")
    thread = plain()
    thread.run({"items": ["in"]})
    thread.update({"items": {"__overwrite__": ["only"]}}, "a")
    assert thread.state()["values"]["items"] == ["only"]


def test_forks_and_copies() -> None:
    thread = plain()
    thread.run({"items": ["in"]})
    parent = thread.state()["parent_checkpoint"]["checkpoint_id"]
    thread.update({"items": ["fork"]}, "a", checkpoint_id=parent)
    forked = thread.state()
    assert forked["parent_checkpoint"]["checkpoint_id"] == parent
    # Older versions of the library apply what the tasks of the forked checkpoint wrote.
    assert forked["values"]["items"] in (["in", "a", "fork"], ["in", "a", "b", "fork"])
    thread.update(None, "__copy__", checkpoint_id=parent)
    assert thread.state()["values"]["items"] == ["in", "a"]
    assert thread.state()["metadata"]["source"] == "fork"


def test_input_and_root_states() -> None:
    thread = plain()
    thread.update({"items": ["x"]}, "__input__")
    assert thread.state()["next"] == ["__start__"] or thread.state()["next"] == ["a"]
    root = Thread(graph_of(root=True, a=lambda s: [1]))
    root.run([0])
    root.update([2, 3], "a")
    assert root.state()["values"] == [0, 1, 2, 3]


def test_bad_requests() -> None:
    thread = plain()
    with pytest.raises(RequestError, match="no graph 'x' here; there are: g"):
        asyncio.run(get_state(thread.project, {"thread_id": "t", "graph_id": "x"}, thread.saver, None))
    thread.run({"items": ["in"]})
    with pytest.raises(RequestError, match="InvalidUpdateError: .*nowhere"):
        thread.update({"items": [1]}, "nowhere")


def test_access_of_factories() -> None:
    pytest.importorskip("langgraph_sdk.runtime")
    seen: list[str] = []
    graph = graph_of(a=lambda s: {"items": ["a"]})

    def make(runtime: Any) -> AnyGraph:
        seen.append(runtime.access_context)
        return graph

    thread = Thread(Factory(make, "x:make"))
    thread.update({"items": [1]}, "a")
    assert thread.state()["values"] == {"items": [1]}
    assert seen == ["threads.update", "threads.read"]
