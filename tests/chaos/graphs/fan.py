"""One task for each item at the same time, then a summary of them."""

import operator
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from typing_extensions import TypedDict

from execution import execute


class State(TypedDict, total=False):
    items: list[int]
    steps: Annotated[list[str], operator.add]
    pages: Annotated[list[str], operator.add]
    results: Annotated[list[int], operator.add]
    total: int


class Item(TypedDict):
    item: int


def fan_out(state: State) -> list[Send]:
    return [Send("work", {"item": item}) for item in state["items"]]


def work(state: Item, config: RunnableConfig) -> dict[str, Any]:
    return {**execute(config, f"work-{state['item']}"), "results": [state["item"] ** 2]}


def summary(state: State, config: RunnableConfig) -> dict[str, Any]:
    return {**execute(config, "summary"), "total": sum(state["results"])}


builder = StateGraph(State)
builder.add_node(work)
builder.add_node(summary)
builder.add_conditional_edges(START, fan_out, ["work"])
builder.add_edge("work", "summary")
builder.add_edge("summary", END)
graph = builder.compile(name="fan")
