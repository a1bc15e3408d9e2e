"""A reader of a run's stream that comes back, at any instance, until the stream has ended."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import httpx

from processes import GUARD, Frame, assert_consecutive, parse_sse


class Follower:
    """Asks the URLs in turn, with the number of its last frame: the next one after `each` frames, where that is said,
    and whenever its connection breaks or whoever it asks does not serve."""

    def __init__(self, urls: Sequence[str], thread_id: str, run_id: str, each: int | None = None) -> None:
        self.frames: list[Frame] = []
        self.connections = 0
        self._path = f"/threads/{thread_id}/runs/{run_id}/stream"
        self._urls, self._each = urls, each
        self._error: Exception | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def wait(self, ready: Callable[[list[Frame]], Any]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: ready(self.frames), GUARD), self.frames

    def read_all(self) -> list[Frame]:
        """Waits for the end; every frame has come, once and in order."""
        self._thread.join(2 * GUARD)
        assert not self._thread.is_alive(), f"the stream has not ended: {self.frames}"
        assert self._error is None, self._error
        assert_consecutive(self.frames)
        return self.frames

    def _follow(self) -> None:
        try:
            for url in itertools.cycle(self._urls):
                # No TLS, so no authorities, which take time to read.
                client = httpx.Client(base_url=url, timeout=GUARD, trust_env=False, verify=False)
                with suppress(httpx.TransportError), client as http:
                    if self._read(http):
                        return
        except Exception as error:  # noqa: BLE001 - told by the test's own thread
            self._error = error

    def _read(self, http: httpx.Client) -> bool:
        """Whether the stream has ended."""
        headers = {"Last-Event-ID": self.frames[-1][0] if self.frames else "-1"}
        with http.stream("GET", self._path, headers=headers) as answer:
            if answer.status_code in (502, 503, 504):
                return False
            answer.raise_for_status()
            self.connections += 1
            for count, frame in enumerate(parse_sse(answer.iter_lines()), 1):
                with self._changed:
                    self.frames.append(frame)
                    self._changed.notify_all()
                if count == self._each:
                    return False
            return True
