"""LangGraph's RemoteGraph: a served graph used as if it were a local one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.pregel.remote import RemoteGraph
from langgraph.types import Command
from typing_extensions import TypedDict

from processes import Server

pytestmark = pytest.mark.oldest


@pytest.fixture
def config() -> RunnableConfig:
    return {"configurable": {"thread_id": str(uuid.uuid4())}}


@pytest.fixture
def remote(server: Server) -> Iterator[Any]:
    yield lambda graph: RemoteGraph(graph, url=server.url)


def test_invoke_and_state(remote: Any, config: RunnableConfig) -> None:
    graph = remote("three_nodes")
    assert graph.invoke({"steps": []}, config) == {"steps": ["a", "b", "c"]}
    state = graph.get_state(config)
    assert (state.values, state.next) == ({"steps": ["a", "b", "c"]}, ())
    assert [s.next for s in graph.get_state_history(config)] == [(), ("c",), ("b",), ("a",), ("__start__",)]
    old = list(graph.get_state_history(config))[2]
    assert graph.get_state(old.config).values == old.values == {"steps": ["a"]}


def test_stream(remote: Any, config: RunnableConfig) -> None:
    graph = remote("three_nodes")
    assert list(graph.stream({"steps": []}, config, stream_mode="updates")) == [{n: {"steps": [n]}} for n in "abc"]
    both = list(graph.stream({"steps": []}, config, stream_mode=["values", "updates"]))
    assert [part[0] for part in both] == ["values", "updates"] * 3 + ["values"]
    assert both[-1][1] == {"steps": ["a", "b", "c"] * 2}


def test_messages(remote: Any, config: RunnableConfig) -> None:
    parts = list(remote("agent").stream({"messages": [("user", "hi")]}, config, stream_mode="messages"))
    spoken = [message["content"] for message, _ in parts if message["type"] == "AIMessageChunk"]
    assert "".join(spoken) == "beginend"


def test_interrupt_resume_and_update(remote: Any, config: RunnableConfig) -> None:
    graph = remote("human")
    graph.invoke({"topic": "x"}, config)
    state = graph.get_state(config)
    assert state.next == ("review",)
    (task,) = state.tasks
    assert task.interrupts[0].value["question"] == "Is this plan good?"
    updated = graph.update_state(config, {"plan": "my plan"}, as_node="plan")
    assert graph.get_state(updated).values["plan"] == "my plan"
    graph.invoke(None, config)
    done = graph.invoke(Command(resume="yes"), config)
    assert (done["result"], graph.get_state(config).next) == ("my plan: yes", ())


def test_subgraphs(remote: Any, config: RunnableConfig) -> None:
    graph = remote("subgraph")
    graph.invoke({"ask": True}, config)
    (task,) = graph.get_state(config, subgraphs=True).tasks
    assert task.state.next == ("child_ask",)
    rest = list(graph.stream(Command(resume="yes"), config, stream_mode="updates", subgraphs=True))
    assert [(len(ns), list(data)[0]) for ns, data in rest] == [(1, "child_ask"), (0, "child"), (0, "after")]


def test_errors_reach_the_caller(remote: Any, config: RunnableConfig) -> None:
    with pytest.raises(Exception, match="Boo!"):
        remote("raises").invoke({}, config)


def test_drawing(remote: Any) -> None:
    drawn = remote("three_nodes").get_graph()
    assert set(drawn.nodes) == {"__start__", "a", "b", "c", "__end__"}
    assert {(edge.source, edge.target) for edge in drawn.edges} == {
        ("__start__", "a"),
        ("a", "b"),
        ("b", "c"),
        ("c", "__end__"),
    }


def test_as_a_node_of_a_local_graph(remote: Any, config: RunnableConfig) -> None:
    class State(TypedDict, total=False):
        steps: list[str]

    builder = StateGraph(State)
    builder.add_node("remote", remote("three_nodes"))
    builder.add_edge(START, "remote")
    builder.add_edge("remote", END)
    graph = builder.compile(checkpointer=InMemorySaver())
    assert graph.invoke({"steps": []}, config) == {"steps": ["a", "b", "c"]}


async def test_async(remote: Any, config: RunnableConfig) -> None:
    graph = remote("human")
    parts = [part async for part in graph.astream({"topic": "x"}, config, stream_mode="updates")]
    assert [list(part)[0] for part in parts] == ["plan", "__interrupt__"]
    done = await graph.ainvoke(Command(resume="ok"), config)
    assert done["answer"] == "ok"
    await graph.aupdate_state(config, {"result": "mine"})
    assert (await graph.aget_state(config)).values["result"] == "mine"
