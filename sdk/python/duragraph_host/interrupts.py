"""Which of the library's stream modes tell that a graph has stopped for an interrupt."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, cast

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from langsmith import tracing_context

_KEY = "__interrupt__"


def updates_may_be_added(asked: Sequence[str]) -> bool:
    """Whether ``updates``, which tell of every interrupt, can be streamed beside the asked modes without
    changing them.

    Older versions of the library leave the interrupt out of ``values`` when both are streamed.
    """
    return "values" not in asked or "updates" in asked or _values_keep_interrupts()


def shows_interrupt(mode: str, data: Any) -> bool:
    """Whether a chunk of the root graph says that it has stopped."""
    return mode in ("updates", "values") and isinstance(data, dict) and _KEY in data


@functools.lru_cache(maxsize=1)
def _values_keep_interrupts() -> bool:
    """Asks the library itself, once, with a graph of one node that interrupts."""
    builder: Any = StateGraph(cast(Any, dict))
    builder.add_node("ask", lambda state: interrupt("?"))
    builder.add_edge(START, "ask")
    graph = builder.compile(checkpointer=InMemorySaver())
    with tracing_context(enabled=False):
        chunks = list(
            graph.stream({}, {"configurable": {"thread_id": "1"}}, stream_mode=["values", "updates"])
        )
    return any(mode == "values" and shows_interrupt(mode, data) for mode, data in chunks)
