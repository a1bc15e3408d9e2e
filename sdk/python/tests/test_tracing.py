from __future__ import annotations

import sys
from typing import Any

import pytest
from langgraph.graph import START, StateGraph
from opentelemetry import trace
from opentelemetry.trace import SpanContext
from typing_extensions import TypedDict

from duragraph_host.tracing import in_trace
from fakes import execute_run

TRACE = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "vendor=abc"}


class Seen(TypedDict, total=False):
    text: str


def here() -> SpanContext:
    return trace.get_current_span().get_span_context()


def looks(is_async: bool) -> Any:
    seen: list[SpanContext] = []

    def look(state: Seen) -> Seen:
        seen.append(here())
        return {"text": "x"}

    async def look_async(state: Seen) -> Seen:
        return look(state)

    builder = StateGraph(Seen)
    builder.add_node("look", look_async if is_async else look)
    builder.add_edge(START, "look")
    return builder.compile(), seen


@pytest.mark.parametrize("is_async", [True, False])
def test_a_graph_runs_in_the_trace_of_its_run(is_async: bool) -> None:
    graph, seen = looks(is_async)
    execute_run(graph, input={}, trace=TRACE)
    assert format(seen[0].trace_id, "032x") == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert format(seen[0].span_id, "016x") == "00f067aa0ba902b7"
    assert seen[0].is_remote and seen[0].trace_flags.sampled and seen[0].trace_state["vendor"] == "abc"
    assert not here().is_valid


@pytest.mark.parametrize("given", [None, {}, {"traceparent": "no trace context"}])
def test_without_one_there_is_none(given: dict[str, str] | None) -> None:
    graph, seen = looks(is_async=True)
    execute_run(graph, input={}, trace=given)
    assert not seen[0].is_valid


def test_it_needs_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry.context", None)
    with in_trace(TRACE):
        pass
