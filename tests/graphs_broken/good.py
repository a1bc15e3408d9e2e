"""A graph that serves although its neighbour cannot be imported."""

from typing import Any

from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    text: str


def shout(state: State) -> dict[str, Any]:
    return {"text": state.get("text", "").upper()}


builder = StateGraph(State)
builder.add_node(shout)
builder.add_edge(START, "shout")
builder.add_edge("shout", END)
graph = builder.compile(name="good")
