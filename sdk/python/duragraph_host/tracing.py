"""The trace that a run belongs to, for whatever the graph's own instrumentation records."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any


@contextlib.contextmanager
def in_trace(trace: Mapping[str, Any] | None) -> Iterator[None]:
    """Makes the W3C trace context of a lease the current one of OpenTelemetry, where its API is installed in
    the project's environment. Without either nothing happens: user code that records no spans needs none."""
    if not trace or not trace.get("traceparent"):
        yield
        return
    try:
        from opentelemetry.context import attach, detach
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
    except ImportError:
        yield
        return
    carrier = {name: str(value) for name, value in trace.items()}
    token = attach(TraceContextTextMapPropagator().extract(carrier))
    try:
        yield
    finally:
        detach(token)
