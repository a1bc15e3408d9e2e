from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.types import Command, Send, interrupt

from duragraph_host.runner import Outcome, build_command, execute
from duragraph_host.shapes import config_to_checkpoint
from fakes import HELLO, AnyGraph, FakeChannel, State, agent, chain, lease_of, project_of
from fakes import execute_run as run


def test_values() -> None:
    outcome, channel = run(agent(), input=HELLO)
    assert outcome == Outcome("success")
    assert set(channel.events()) == {"values"}
    assert [m["type"] for m in channel.frames[-1][1]["messages"]] == ["human", "ai", "tool", "ai"]
    assert len(channel.frames[0][1]["messages"]) == 1


def test_updates() -> None:
    _, channel = run(agent(), input=HELLO, stream_modes=["updates"])
    assert [list(data) for _, data in channel.frames] == [["agent"], ["tool"], ["agent"]]


def test_messages_tuple() -> None:
    _, channel = run(agent(), input=HELLO, stream_modes=["messages-tuple"])
    assert set(channel.events()) == {"messages"}
    texts = [message["content"] for message, _ in channel.of("messages") if message["content"]]
    assert texts == ["begin", " ", "now", "found", "the", " ", "end"]
    kinds = {message["type"] for message, _ in channel.of("messages")}
    assert kinds == {"AIMessageChunk", "tool"}
    assert channel.of("messages")[0][1]["langgraph_node"] == "agent"


def test_messages() -> None:
    _, channel = run(agent(), input=HELLO, stream_modes=["messages"])
    events = channel.events()
    assert set(events) == {"messages/metadata", "messages/partial", "messages/complete"}
    assert events[-1] == "messages/complete"
    partial = [data[0] for data in channel.of("messages/partial")]
    assert [p["content"] for p in partial][:3] == ["begin", "begin ", "begin now"]
    assert all(p["type"] == "ai" for p in partial)
    complete = [m for data in channel.of("messages/complete") for m in data]
    assert [(m["type"], m["content"]) for m in complete] == [
        ("human", "hello"),
        ("ai", "begin now"),
        ("tool", "found"),
        ("ai", "the end"),
    ]
    first = channel.of("messages/metadata")[0]
    assert (
        list(first) == [partial[0]["id"]] and first[partial[0]["id"]]["metadata"]["langgraph_node"] == "agent"
    )


def test_messages_and_values() -> None:
    _, channel = run(agent(), input=HELLO, stream_modes=["messages", "values"])
    assert channel.events()[-1] == "messages/complete"
    assert "values" in channel.events()


def test_events() -> None:
    _, channel = run(agent(), input=HELLO, stream_modes=["events"])
    assert set(channel.events()) == {"events"}
    kinds = {data["event"] for data in channel.of("events")}
    assert {
        "on_chain_start",
        "on_chain_end",
        "on_chat_model_start",
        "on_chat_model_stream",
        "on_chat_model_end",
    } <= kinds
    assert not [d for d in channel.of("events") if d["event"] == "on_chain_stream" and not d["parent_ids"]]


def test_events_with_other_modes() -> None:
    modes = ["events", "values", "updates", "messages-tuple"]
    outcome, channel = run(agent(), input=HELLO, stream_modes=modes)
    assert outcome.status == "success"
    _, plain = run(agent(), input=HELLO, stream_modes=modes[1:])
    assert [e for e in channel.events() if e != "events"] == plain.events()


def test_custom() -> None:
    def node(state: State) -> Any:
        get_stream_writer()({"progress": 1})
        return {"items": [1]}

    _, channel = run(chain(a=node), input={"items": []}, stream_modes=["custom", "updates"])
    assert channel.frames == [("custom", {"progress": 1}), ("updates", {"a": {"items": [1]}})]


def test_tasks_and_checkpoints() -> None:
    _, channel = run(agent(), input=HELLO, stream_modes=["tasks", "checkpoints"])
    assert channel.events() == ["checkpoints"] * 2 + ["tasks", "tasks", "checkpoints"] * 3
    assert channel.of("tasks")[0]["triggers"] == ["branch:to:agent"]
    assert channel.of("tasks")[0]["name"] == "agent"
    assert channel.of("checkpoints")[0]["next"] == ["__start__"]
    assert channel.of("checkpoints")[-1]["next"] == []
    for data in channel.of("checkpoints"):
        assert not [k for k in data["config"]["configurable"] if k.startswith("__")]


def test_debug_equals_history() -> None:
    async def go() -> None:
        graph, channel, thread_id = agent(), FakeChannel(), "t1"
        project = project_of(agent=graph)
        lease = lease_of(thread_id=thread_id, input=HELLO, stream_modes=["debug"])
        await execute(project, project.graphs["agent"], lease, channel)
        saved = graph.copy(update={"checkpointer": channel.saver})
        history = [s async for s in saved.aget_state_history({"configurable": {"thread_id": thread_id}})]
        records = [d["payload"] for d in channel.of("debug") if d["type"] == "checkpoint"]
        assert [(r["checkpoint"], r["parent_checkpoint"], r["metadata"]["step"]) for r in records] == [
            (
                config_to_checkpoint(s.config),
                config_to_checkpoint(s.parent_config),
                (s.metadata or {})["step"],
            )
            for s in reversed(history)
        ]
        assert {d["type"] for d in channel.of("debug")} == {"checkpoint", "task", "task_result"}

    asyncio.run(go())


def test_interrupt_and_resume() -> None:
    graph = chain(a=lambda s: {"items": [interrupt("sure?")]}, b=lambda s: {"items": ["b"]})
    outcome, channel = run(graph, thread_id="t", input={"items": []})
    assert outcome.status == "interrupted"
    asked = channel.frames[-1][1]["__interrupt__"]
    assert asked[0]["value"] == "sure?" and set(asked[0]) == {"value", "id"}

    again = FakeChannel(channel.saver)
    outcome, _ = run(
        graph, again, thread_id="t", command={"resume": {asked[0]["id"]: "yes"}, "goto": [], "update": None}
    )
    assert outcome.status == "success"
    assert again.frames[-1] == ("values", {"items": ["yes", "b"]})


def test_a_second_question_of_a_node_makes_no_checkpoint_and_is_seen() -> None:
    graph = chain(a=lambda s: {"items": [interrupt("first"), interrupt("second")]})
    _, channel = run(graph, thread_id="t", input={"items": []})
    for answer, status in (("1", "interrupted"), ("2", "success")):
        channel = FakeChannel(channel.saver)
        outcome, _ = run(graph, channel, thread_id="t", command={"resume": answer})
        assert outcome.status == status
    assert channel.frames[-1] == ("values", {"items": ["1", "2"]})


@pytest.mark.parametrize("modes", [["values"], ["custom"], ["updates"], ["events"], ["debug"]])
@pytest.mark.parametrize("place", ["interrupt_before", "interrupt_after"])
def test_static_breakpoints(modes: list[str], place: str) -> None:
    where: dict[str, Any] = {place: ["b"]}
    graph = chain(a=lambda s: {"items": ["a"]}, b=lambda s: {"items": ["b"]}, c=lambda s: {"items": ["c"]})
    outcome, channel = run(graph, thread_id="t", input={"items": []}, stream_modes=modes, **where)
    assert outcome.status == "interrupted"
    if modes == ["updates"]:
        assert channel.frames[-1] == ("updates", {"__interrupt__": []})
    outcome, channel = run(graph, FakeChannel(channel.saver), thread_id="t")
    assert (outcome.status, channel.frames[-1][1]) == ("success", {"items": ["a", "b", "c"]})


def nested() -> AnyGraph:
    return chain(
        before=lambda s: {"items": ["p"]}, sub=chain(one=lambda s: {"items": ["i"]}, two=lambda s: None)
    )


def test_static_breakpoint_in_a_subgraph() -> None:
    builder = StateGraph(State)
    builder.add_node("one", lambda s: {"items": ["i"]})
    builder.add_edge(START, "one")
    graph = chain(sub=builder.compile(interrupt_before=["one"]))
    outcome, _ = run(graph, input={"items": []}, stream_modes=["custom"])
    assert outcome.status == "interrupted"


def test_subgraphs() -> None:
    _, channel = run(nested(), input={"items": []}, stream_modes=["values", "updates"], subgraphs=True)
    events = channel.events()
    inner = [e for e in events if "|" in e]
    assert inner and all(e.split("|")[1].startswith("sub:") for e in inner)
    assert events[-2:] == ["updates", "values"]
    _, flat = run(nested(), input={"items": []}, stream_modes=["values", "updates"])
    assert not [e for e in flat.events() if "|" in e]


def test_goto_and_update() -> None:
    graph = chain(a=lambda s: {"items": [interrupt("?")]}, b=lambda s: {"items": ["b"]})
    _, channel = run(graph, thread_id="t", input={"items": []})
    command = {
        "update": [["items", ["u"]]],
        "goto": {"node": "b", "input": {"items": []}},
        "lg_name": "Command",
        "graph": None,
    }
    outcome, again = run(graph, FakeChannel(channel.saver), thread_id="t", command=command)
    assert again.frames[-1][1]["items"][:2] == ["u", "b"], again.frames
    assert outcome.status in ("interrupted", "success")


def test_build_command() -> None:
    built = build_command({"goto": ["a", {"node": "b", "input": 1}], "resume": False, "update": {"x": 1}})
    assert built == Command(goto=["a", Send("b", 1)], resume=False, update={"x": 1})
    assert build_command({"goto": "a"}).goto == ["a"]
    assert not build_command({"goto": [], "resume": None}).goto
