"""A graph with a compiled subgraph; with the input `ask` the subgraph asks a person, with `gate` it waits."""

import asyncio
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import StreamWriter, interrupt
from typing_extensions import TypedDict

from journal import Guard, is_open, record


def add_new(left: list[str], right: list[str]) -> list[str]:
    """Appends; what a subgraph hands back begins with what it was given, which is not taken twice."""
    return right if right[: len(left)] == left else left + right


class State(TypedDict, total=False):
    ask: bool
    gate: str
    steps: Annotated[list[str], add_new]


class ChildState(TypedDict, total=False):
    ask: bool
    gate: str
    answer: Any
    steps: Annotated[list[str], add_new]


async def child_work(state: ChildState, config: RunnableConfig, writer: StreamWriter) -> dict[str, Any]:
    record(config, "child_work")
    writer({"node": "child_work"})
    gate, guard = state.get("gate"), Guard()
    while not is_open(gate):
        guard.check(gate)
        await asyncio.sleep(0.01)
    return {"steps": ["child_work"]}


async def child_ask(state: ChildState, config: RunnableConfig) -> dict[str, Any]:
    record(config, "child_ask")
    answer = interrupt({"question": "go on?"}) if state.get("ask") else "nobody asked"
    return {"answer": answer, "steps": [f"child_ask:{answer}"]}


def before(state: State, config: RunnableConfig) -> dict[str, Any]:
    record(config, "before")
    return {"steps": ["before"]}


def after(state: State, config: RunnableConfig) -> dict[str, Any]:
    record(config, "after")
    return {"steps": ["after"]}


child_builder = StateGraph(ChildState)
child_builder.add_sequence([child_work, child_ask])
child_builder.add_edge(START, "child_work")
child_builder.add_edge("child_ask", END)
child = child_builder.compile(name="child")

builder = StateGraph(State)
builder.add_node(before)
builder.add_node("child", child)
builder.add_node(after)
builder.add_edge(START, "before")
builder.add_edge("before", "child")
builder.add_edge("child", "after")
builder.add_edge("after", END)
graph = builder.compile(name="subgraph")
