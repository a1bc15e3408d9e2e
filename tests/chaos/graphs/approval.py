"""Plans, asks two people at the same time, and ends when both have answered."""

import operator
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict

from execution import execute


class State(TypedDict, total=False):
    steps: Annotated[list[str], operator.add]
    pages: Annotated[list[str], operator.add]
    answers: Annotated[list[str], operator.add]
    result: str


def plan(state: State, config: RunnableConfig) -> dict[str, Any]:
    return execute(config, "plan")


def ask(config: RunnableConfig, node: str) -> dict[str, Any]:
    update = execute(config, node)
    return {**update, "answers": [f"{node}={interrupt(node)}"]}


def ask_a(state: State, config: RunnableConfig) -> dict[str, Any]:
    return ask(config, "ask_a")


def ask_b(state: State, config: RunnableConfig) -> dict[str, Any]:
    return ask(config, "ask_b")


def join(state: State, config: RunnableConfig) -> dict[str, Any]:
    return {**execute(config, "join"), "result": " ".join(sorted(state["answers"]))}


builder = StateGraph(State)
for node in (plan, ask_a, ask_b, join):
    builder.add_node(node)
builder.add_edge(START, "plan")
builder.add_edge("plan", "ask_a")
builder.add_edge("plan", "ask_b")
builder.add_edge(["ask_a", "ask_b"], "join")
builder.add_edge("join", END)
graph = builder.compile(name="approval")
