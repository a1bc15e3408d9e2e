"""Input, output and a private channel between two nodes, each with a schema of its own."""

from typing import Any

from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict


class Input(TypedDict):
    question: str


class Output(TypedDict):
    answer: str


class State(Input, Output):
    pass


class Private(TypedDict):
    secret: str


def think(state: Input) -> Private:
    return {"secret": state["question"][::-1]}


def speak(state: Private) -> dict[str, Any]:
    return {"answer": f"<{state['secret']}>"}


builder = StateGraph(State, input_schema=Input, output_schema=Output)
builder.add_sequence([think, speak])
builder.add_edge(START, "think")
builder.add_edge("speak", END)
graph = builder.compile(name="private_state")
