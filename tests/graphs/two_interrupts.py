"""Two parallel nodes that each ask a person; `join` runs when both have their answers."""

import operator
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict

from journal import record


class State(TypedDict, total=False):
    answers: Annotated[list[str], operator.add]
    result: str


def ask_a(state: State, config: RunnableConfig) -> dict[str, Any]:
    record(config, "ask_a")
    return {"answers": [f"a={interrupt({'question': 'a?'})}"]}


def ask_b(state: State, config: RunnableConfig) -> dict[str, Any]:
    record(config, "ask_b")
    return {"answers": [f"b={interrupt({'question': 'b?'})}"]}


def join(state: State, config: RunnableConfig) -> dict[str, Any]:
    record(config, "join")
    return {"result": " ".join(sorted(state["answers"]))}


builder = StateGraph(State)
for node in (ask_a, ask_b, join):
    builder.add_node(node)
builder.add_edge(START, "ask_a")
builder.add_edge(START, "ask_b")
builder.add_edge(["ask_a", "ask_b"], "join")
builder.add_edge("join", END)
graph = builder.compile(name="two_interrupts")
