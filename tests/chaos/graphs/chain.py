"""Three nodes in a row, sync and async, that write `tokens` stream parts each, one every `pause` seconds; with `hold`
the second never ends."""

import asyncio
import operator
import time
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import StreamWriter
from typing_extensions import TypedDict

from execution import execute

TOKEN_SECONDS = 0.004
"""How long a model would take for a token."""
HOLD_SECONDS = 600
"""Ends a hold that no client has cancelled."""


class State(TypedDict, total=False):
    tokens: int
    pause: float
    hold: bool
    steps: Annotated[list[str], operator.add]
    pages: Annotated[list[str], operator.add]


def first(state: State, config: RunnableConfig, writer: StreamWriter) -> dict[str, Any]:
    update = execute(config, "first")
    for token in range(state.get("tokens", 0)):
        time.sleep(state.get("pause", TOKEN_SECONDS))
        writer({"first": token})
    return update


async def second(state: State, config: RunnableConfig, writer: StreamWriter) -> dict[str, Any]:
    update = execute(config, "second")
    for token in range(state.get("tokens", 0)):
        await asyncio.sleep(state.get("pause", TOKEN_SECONDS))
        writer({"second": token})
    if state.get("hold"):
        writer({"second": "held"})
        await asyncio.sleep(HOLD_SECONDS)
    return update


def third(state: State, config: RunnableConfig) -> dict[str, Any]:
    return execute(config, "third")


builder = StateGraph(State)
builder.add_sequence([first, second, third])
builder.add_edge(START, "first")
builder.add_edge("third", END)
graph = builder.compile(name="chain")
