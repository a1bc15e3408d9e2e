"""Projections, with the patches of the writes, are what the library's history says later."""

from __future__ import annotations

import json
import operator
import threading
import time
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, Send, interrupt
from pydantic import BaseModel
from typing_extensions import TypedDict

from duragraph_host import jsonable, projection
from duragraph_host.binding import bind
from duragraph_host.projection import Projector
from duragraph_host.shapes import snapshot_to_json
from fakes import AnyGraph, RecordingSaver


class State(TypedDict, total=False):
    items: Annotated[list[Any], operator.add]
    other: str


def build(nodes: dict[str, Any], edges: list[tuple[str, str]], schema: Any = State, **options: Any) -> AnyGraph:
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(schema)
    for name, node in nodes.items():
        builder.add_node(name, node)
    for source, target in edges:
        builder.add_edge(source, target)
    return builder.compile(**options)


def adds(value: Any) -> Any:
    return lambda state: {"items": [value]}


def plain() -> AnyGraph:
    return build({n: adds(n) for n in "abc"}, [(START, "a"), ("a", "b"), ("b", "c"), ("c", END)])


def messages() -> AnyGraph:
    return build(
        {"agent": lambda s: {"messages": [AIMessage("hi", id="m")]}}, [(START, "agent")], MessagesState
    )


def sends() -> AnyGraph:
    builder = StateGraph(State)
    builder.add_node("plan", adds("plan"))
    builder.add_node("work", lambda s: {"items": [s["n"]]})
    builder.add_edge(START, "plan")
    builder.add_conditional_edges("plan", lambda s: [Send("work", {"n": i}) for i in range(3)], ["work"])
    return builder.compile()


def asks(state: Any) -> dict[str, Any]:
    return {"items": [interrupt({"question": len(state["items"])})]}


def parallel_interrupts() -> AnyGraph:
    return build({"x": asks, "y": asks, "z": adds("z")}, [(START, "x"), (START, "y"), (START, "z")])


def two_questions() -> AnyGraph:
    def node(state: Any) -> dict[str, Any]:
        return {"items": [interrupt("first"), interrupt("second")]}

    return build({"ask": node, "after": adds(1)}, [(START, "ask"), ("ask", "after")])


def subgraph() -> AnyGraph:
    inner = build({"one": adds("i1"), "ask": asks}, [(START, "one"), ("one", "ask")])
    middle = build({"inner": inner}, [(START, "inner")])
    return build({"before": adds("b"), "middle": middle}, [(START, "before"), ("before", "middle")])


def failing() -> AnyGraph:
    def fail(state: Any) -> None:
        raise ValueError("boo")

    return build({"good": adds(1), "bad": fail}, [(START, "good"), ("good", "bad")])


class Typed(BaseModel):
    items: Annotated[list[int], operator.add] = []
    name: str | None = None


def typed() -> AnyGraph:
    return build({"a": lambda s: {"items": [len(s.items)], "name": "n"}}, [(START, "a")], Typed)


def root_state() -> AnyGraph:
    return build({"a": lambda s: s + [2]}, [(START, "a")], Annotated[list, operator.add])


def commands() -> AnyGraph:
    builder = StateGraph(State)
    builder.add_node("a", lambda s: Command(update={"items": [1]}, goto="b"), destinations=("b",))
    builder.add_node("b", adds(2))
    builder.add_edge(START, "a")
    return builder.compile()


def functional() -> AnyGraph:
    @task
    def double(x: int) -> int:
        return 2 * x

    @entrypoint()
    def flow(x: int) -> Any:
        doubled = [double(x).result(), double(x + 1).result()]
        return {"doubled": doubled, "answer": interrupt("sure?")}

    return flow


def empty_node() -> AnyGraph:
    return build({"a": lambda s: None, "b": lambda s: {}}, [(START, "a"), ("a", "b")])


CASES: dict[str, tuple[Callable[[], AnyGraph], list[Any]]] = {
    "plain": (plain, [{"items": [0]}, {"items": [1]}]),
    "messages": (messages, [{"messages": ["hello"]}]),
    "sends": (sends, [{"items": []}]),
    "parallel interrupts": (parallel_interrupts, [{"items": [0]}, "resume all"]),
    "two questions": (two_questions, [{"items": []}, Command(resume="1"), Command(resume="2")]),
    "subgraph": (subgraph, [{"items": [0]}, Command(resume="yes")]),
    "failing": (failing, [{"items": []}]),
    "pydantic": (typed, [{"items": [1]}]),
    "root": (root_state, [[1]]),
    "command": (commands, [{"items": []}]),
    "functional": (functional, [3, Command(resume=True)]),
    "empty": (empty_node, [{"items": []}]),
}


def plays(
    graph: AnyGraph, inputs: list[Any], durability: Any = "sync"
) -> tuple[AnyGraph, RecordingSaver, RunnableConfig]:
    saver = RecordingSaver()
    bound = bind(graph, "g", saver, None)
    config: RunnableConfig = {"configurable": {"thread_id": "t"}, "metadata": {"run_id": "r"}}
    for value in inputs:
        if value == "resume all":
            waiting = bound.get_state(config).tasks
            value = Command(resume={i.id: "answer" for w in waiting for i in w.interrupts})
        try:
            bound.invoke(value, config, durability=durability)
        except ValueError as error:
            assert str(error) == "boo"
    return bound, saver, config


def check(graph: AnyGraph, saver: RecordingSaver) -> int:
    """Compares every checkpoint of every namespace with its history; returns how many there were."""
    compared = 0
    for ns in {ns for ns, _ in saver.projections}:
        config: RunnableConfig = {"configurable": {"thread_id": "t", "checkpoint_ns": ns}}
        for snapshot in graph.get_state_history(config):
            expected = jsonable.to_plain(snapshot_to_json(snapshot))
            shown = saver.shown(ns, snapshot.config["configurable"]["checkpoint_id"])
            assert shown == {key: expected[key] for key in ("values", "next", "created_at", "tasks")}
            compared += 1
    return compared


@pytest.mark.parametrize("name", CASES)
def test_equals_history(name: str) -> None:
    make, inputs = CASES[name]
    graph, saver, _ = plays(make(), inputs)
    assert check(graph, saver) == len(saver.projections)


@pytest.mark.parametrize("name", ["plain", "subgraph", "functional"])
@pytest.mark.parametrize("durability", ["async", "exit"])
def test_equals_history_for_each_durability(name: str, durability: str) -> None:
    make, inputs = CASES[name]
    graph, saver, _ = plays(make(), inputs, durability)
    assert check(graph, saver) == len(saver.projections)


@pytest.mark.parametrize("name", CASES)
def test_needs_no_get_state(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's parts are found and take what they are given: get_state costs three times as much."""
    make, inputs = CASES[name]
    monkeypatch.delattr(Projector, "_project_whole")
    _, saver, _ = plays(make(), inputs)
    assert all(projection is not None for projection in saver.projections.values())


@pytest.mark.parametrize("name", CASES)
def test_equals_history_without_the_parts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make, inputs = CASES[name]
    monkeypatch.setattr(projection, "HAS_PARTS", False)
    graph, saver, _ = plays(make(), inputs)
    assert check(graph, saver) == len(saver.projections)


def test_updates_and_forks() -> None:
    graph, saver, config = plays(plain(), [{"items": [0]}])
    graph.update_state(config, {"items": ["u"]}, as_node="a")
    graph.update_state(config, None, as_node="__end__")
    oldest = list(graph.get_state_history(config))[3]
    graph.update_state(oldest.config, {"items": ["fork"]})
    graph.invoke(None, oldest.config)
    assert check(graph, saver) == len(saver.projections)


def test_an_unknown_subgraph_does_not_raise() -> None:
    inner = build({"one": adds("i"), "ask": asks}, [(START, "one"), ("one", "ask")])
    outer = build({"calls": lambda s: inner.invoke(s)}, [(START, "calls")])
    _, saver, _ = plays(outer, [{"items": [0]}])
    assert all(saver.projections[key] is not None for key in saver.projections if key[0] == "")


def test_a_hostile_reducer_gives_no_projection() -> None:
    class Touchy(BaseModel):
        items: list[int]

    projector = Projector(build({"a": lambda s: {}}, [(START, "a")], Touchy))
    versions = {"branch:to:a": 1, "items": 1}
    checkpoint: Any = {
        "v": 4,
        "id": "1f0",
        "ts": "now",
        "channel_values": {"branch:to:a": None, "items": "not a list"},
        "channel_versions": versions,
        "versions_seen": {},
    }
    assert projector.checkpoint({"configurable": {"thread_id": "t"}}, checkpoint, {}) is None


def test_patches() -> None:
    projector = Projector(plain())
    assert projector.task([("__resume__", 1)]) is None
    assert projector.task([("items", [1])], "", "00000000-0000-0000-0000-000000000000") is None
    assert json.loads(projector.task([("__error__", ValueError("x"))]) or b"") == {"error": "ValueError('x')"}
    twice = projector.task([("items", [1]), ("items", [2]), ("branch:to:b", None)])
    assert json.loads(twice or b"") == {"result": {"items": {"$writes": [[1], [2]]}}}


def test_threads_do_not_mix() -> None:
    graph, saver, _ = plays(plain(), [{"items": [0]}])
    projector = saver.projector
    stored = [(t.config, t.checkpoint, t.metadata) for t in saver.list(None)]
    expected = [projector.checkpoint(*arguments) for arguments in stored]
    wrong: list[int] = []

    def go(index: int) -> None:
        for _ in range(50):
            if projector.checkpoint(*stored[index]) != expected[index]:
                wrong.append(index)

    threads = [threading.Thread(target=go, args=(i,)) for i in range(len(stored))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_cost() -> None:
    _, saver, _ = plays(plain(), [{"items": [0]}])
    stored = [(t.config, t.checkpoint, t.metadata) for t in saver.list(None)]
    best = min(_timed(saver.projector, stored) for _ in range(20))
    assert best < 0.001, f"{best * 1e6:.0f} us per checkpoint"


def _timed(projector: Projector, stored: list[Any]) -> float:
    began = time.perf_counter()
    for arguments in stored:
        projector.checkpoint(*arguments)
    return (time.perf_counter() - began) / len(stored)
