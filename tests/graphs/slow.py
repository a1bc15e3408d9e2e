"""Three nodes of which the second waits until the file that the input `gate` names exists.

The journal gets a line as each node begins, and "second.end" when the second one leaves its wait;
every node also writes one custom stream part.
"""

import asyncio
import operator
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import StreamWriter
from typing_extensions import TypedDict

from journal import Guard, is_open, record


class State(TypedDict, total=False):
    gate: str
    steps: Annotated[list[str], operator.add]


async def first(state: State, config: RunnableConfig, writer: StreamWriter) -> dict[str, Any]:
    record(config, "first")
    writer({"node": "first"})
    return {"steps": ["first"]}


async def second(state: State, config: RunnableConfig, writer: StreamWriter) -> dict[str, Any]:
    record(config, "second")
    writer({"node": "second"})
    gate, guard = state.get("gate"), Guard()
    while not is_open(gate):
        guard.check(gate)
        await asyncio.sleep(0.01)
    record(config, "second.end")
    return {"steps": ["second"]}


async def third(state: State, config: RunnableConfig, writer: StreamWriter) -> dict[str, Any]:
    record(config, "third")
    writer({"node": "third"})
    return {"steps": ["third"]}


builder = StateGraph(State)
builder.add_sequence([first, second, third])
builder.add_edge(START, "first")
builder.add_edge("third", END)
graph = builder.compile(name="slow")
