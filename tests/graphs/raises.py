"""A node that raises CustomError, unless the file that the input `unless` names exists (a retry can succeed)."""

import os
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from journal import record


class CustomError(Exception):
    """The error of this graph."""


class State(TypedDict, total=False):
    unless: str
    prepared: bool
    result: str


def prepare(state: State, config: RunnableConfig) -> dict[str, Any]:
    record(config, "prepare")
    return {"prepared": True}


def fail(state: State, config: RunnableConfig) -> dict[str, Any]:
    record(config, "fail")
    if not os.path.exists(state.get("unless") or ""):
        raise CustomError("Boo!")
    return {"result": "fine"}


builder = StateGraph(State)
builder.add_sequence([prepare, fail])
builder.add_edge(START, "prepare")
builder.add_edge("fail", END)
graph = builder.compile(name="raises")
