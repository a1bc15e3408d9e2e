"""Map and reduce: one `work` task per item through Send, then `summary`."""

import operator
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from typing_extensions import TypedDict

from journal import record


class State(TypedDict, total=False):
    items: list[int]
    results: Annotated[list[int], operator.add]
    total: int


class Item(TypedDict):
    item: int


def fan_out(state: State) -> list[Send]:
    return [Send("work", {"item": item}) for item in state["items"]]


def work(state: Item, config: RunnableConfig) -> dict[str, Any]:
    record(config, f"work:{state['item']}")
    return {"results": [state["item"] ** 2]}


def summary(state: State, config: RunnableConfig) -> dict[str, Any]:
    record(config, "summary")
    return {"total": sum(state["results"])}


builder = StateGraph(State)
builder.add_node(work)
builder.add_node(summary)
builder.add_conditional_edges(START, fan_out, ["work"])
builder.add_edge("work", "summary")
builder.add_edge("summary", END)
graph = builder.compile(name="sends")
