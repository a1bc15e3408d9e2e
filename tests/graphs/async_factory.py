"""A graph made by an async context manager; the journal shows that it is entered and left."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from typing_extensions import TypedDict

from journal import record


class State(TypedDict, total=False):
    open: bool


@contextlib.asynccontextmanager
async def make(config: RunnableConfig) -> AsyncIterator[CompiledStateGraph]:
    resource = {"open": True}

    async def use(state: State, config: RunnableConfig) -> dict[str, Any]:
        record(config, "use")
        return {"open": resource["open"]}

    builder = StateGraph(State)
    builder.add_node(use)
    builder.add_edge(START, "use")
    builder.add_edge("use", END)
    record(config, "factory.enter")
    try:
        yield builder.compile(name="async_factory")
    finally:
        resource["open"] = False
        record(config, "factory.exit")
