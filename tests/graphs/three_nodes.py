"""Three sync nodes, each of which appends its name to `steps`."""

import operator
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from journal import record


class State(TypedDict, total=False):
    steps: Annotated[list[str], operator.add]


def a(state: State, config: RunnableConfig) -> dict[str, Any]:
    record(config, "a")
    return {"steps": ["a"]}


def b(state: State, config: RunnableConfig) -> dict[str, Any]:
    record(config, "b")
    return {"steps": ["b"]}


def c(state: State, config: RunnableConfig) -> dict[str, Any]:
    record(config, "c")
    return {"steps": ["c"]}


builder = StateGraph(State)
builder.add_sequence([a, b, c])
builder.add_edge(START, "a")
builder.add_edge("c", END)
graph = builder.compile(name="three_nodes")
