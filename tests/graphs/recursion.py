"""A loop without an end, stopped only by the recursion limit."""

import operator
from typing import Annotated, Any

from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    count: Annotated[int, operator.add]


def again(state: State) -> dict[str, Any]:
    return {"count": 1}


builder = StateGraph(State)
builder.add_node(again)
builder.add_edge(START, "again")
builder.add_edge("again", "again")
graph = builder.compile(name="recursion")
