"""Nodes that choose the next one with Command; the input `way` is "left" or "right"."""

import operator
from typing import Annotated, Any, Literal

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command
from typing_extensions import TypedDict

from journal import record


class State(TypedDict, total=False):
    way: str
    steps: Annotated[list[str], operator.add]


def router(state: State, config: RunnableConfig) -> Command[Literal["left", "right"]]:
    record(config, "router")
    return Command(goto="right" if state.get("way") == "right" else "left", update={"steps": ["router"]})


def left(state: State, config: RunnableConfig) -> dict[str, Any]:
    record(config, "left")
    return {"steps": ["left"]}


def right(state: State, config: RunnableConfig) -> Command[Literal["left", "__end__"]]:
    record(config, "right")
    return Command(goto=END, update={"steps": ["right"]})


builder = StateGraph(State)
for node in (router, left, right):
    builder.add_node(node)
builder.add_edge(START, "router")
builder.add_edge("left", END)
graph = builder.compile(name="commands")
