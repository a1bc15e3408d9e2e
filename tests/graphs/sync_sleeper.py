"""A sync node that cannot be cancelled: it sleeps until the file `gate` exists, then tries to change things.

The journal gets "sleep" as it begins and "late" as it wakes; then it writes the store item
("late", thread id) and a stream part. "late.stored" or "late.refused" tells how the store answered.
"""

import time
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.store.base import BaseStore
from langgraph.types import StreamWriter
from typing_extensions import TypedDict

from journal import Guard, is_open, record


class State(TypedDict, total=False):
    gate: str
    woke: bool


def sleep(state: State, config: RunnableConfig, writer: StreamWriter, *, store: BaseStore) -> dict[str, Any]:
    record(config, "sleep")
    gate, guard = state.get("gate"), Guard()
    while not is_open(gate):
        guard.check(gate)
        time.sleep(0.01)
    record(config, "late")
    writer({"late": True})
    try:
        store.put(("late",), str(config["configurable"]["thread_id"]), {"written": True})
    except BaseException:
        record(config, "late.refused")
        raise
    record(config, "late.stored")
    return {"woke": True}


builder = StateGraph(State)
builder.add_node(sleep)
builder.add_edge(START, "sleep")
builder.add_edge("sleep", END)
graph = builder.compile(name="sync_sleeper")
