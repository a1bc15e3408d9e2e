"""What the tests of the client interface share: refusals, and streams read to their end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from processes import Frame, parse_sse

HELLO = {"messages": [{"type": "human", "content": "hi", "id": "m1"}]}
"""An input of the graph "agent"."""


@contextmanager
def refused(status: int) -> Iterator[None]:
    """The block must end in an answer with this status."""
    with pytest.raises(httpx.HTTPStatusError) as error:
        yield
    assert error.value.response.status_code == status, error.value


def stream(http: httpx.Client, thread: str | None, **body: Any) -> tuple[httpx.Headers, list[Frame]]:
    """Streams a run, of the graph "agent" unless told otherwise; the head and all frames. No thread: a stateless one."""
    path = f"/threads/{thread}/runs/stream" if thread else "/runs/stream"
    with http.stream("POST", path, json={"assistant_id": "agent", "input": HELLO} | body) as answer:
        assert answer.status_code == 200, answer.read()
        return answer.headers, list(parse_sse(answer.iter_lines()))


def join(http: httpx.Client, path: str, last: str | None = None, **query: Any) -> list[Frame]:
    """Attaches to a run's stream; the frames to its end."""
    headers = {} if last is None else {"Last-Event-ID": last}
    with http.stream("GET", path, headers=headers, params=query) as answer:
        assert answer.status_code == 200, answer.read()
        return list(parse_sse(answer.iter_lines()))


def names(frames: list[Frame]) -> list[str]:
    return [event for _, event, _ in frames]


def of(frames: list[Frame], event: str) -> list[Any]:
    """The data of the frames with this event."""
    return [data for _, name, data in frames if name == event]


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The answer must be a refusal in the one error body; that body."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] in ("application/json", "application/problem+json")
    body = json.loads(answer.content)
    assert {"type", "title", "status", "detail", "code", "request_id"} <= set(body), body
    assert body["status"] == status and body["detail"]
    return dict(body)
