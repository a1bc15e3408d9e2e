"""A node that keeps the interpreter to itself: one regular expression that runs for a long time.

The match is a single call into C that never lets go of the GIL, so no other thread of the process
runs until it ends. Its cost grows with the cube of `length`; the input gives either `length`, or
`seconds`, for which a length is found by timing a short match first (the result is within a factor
of about two on a busy machine; `held` in the output is what it really took).
"""

import re
import time
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from journal import record

HOPELESS = re.compile("a*a*a*b")
PROBE_LENGTH = 400


class State(TypedDict, total=False):
    length: int
    seconds: float
    held: float


def hold(length: int) -> float:
    """Holds the GIL for the time that a match over `length` characters takes; returns the seconds."""
    text = "a" * length
    began = time.monotonic()
    assert HOPELESS.match(text) is None
    return time.monotonic() - began


def length_for(seconds: float) -> int:
    """The length of text over which the match takes about this long on this machine."""
    probe = min(hold(PROBE_LENGTH) for _ in range(3))
    return max(1, round(PROBE_LENGTH * (seconds / probe) ** (1 / 3)))


def block(state: State, config: RunnableConfig) -> dict[str, Any]:
    record(config, "block")
    length = state.get("length") or length_for(state.get("seconds") or 1.0)
    held = hold(length)
    record(config, "block.end")
    return {"length": length, "held": held}


builder = StateGraph(State)
builder.add_node(block)
builder.add_edge(START, "block")
builder.add_edge("block", END)
graph = builder.compile(name="blocker")
