"""Custom stream parts and custom events from sync and async nodes; each node writes `count` parts."""

from typing import Any

from langchain_core.callbacks.manager import adispatch_custom_event
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import StreamWriter
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    count: int
    done: bool


def sync_writer(state: State) -> dict[str, Any]:
    write = get_stream_writer()
    for index in range(state.get("count", 2)):
        write({"from": "sync", "index": index})
    return {}


async def async_writer(state: State, config: RunnableConfig, writer: StreamWriter) -> dict[str, Any]:
    for index in range(state.get("count", 2)):
        writer({"from": "async", "index": index})
    writer("plain text \u2713")
    await adispatch_custom_event("progress", {"percent": 100}, config=config)
    return {"done": True}


builder = StateGraph(State)
builder.add_sequence([sync_writer, async_writer])
builder.add_edge(START, "sync_writer")
builder.add_edge("async_writer", END)
graph = builder.compile(name="custom_stream")
