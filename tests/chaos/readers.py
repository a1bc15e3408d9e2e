"""A reader of a run's stream, over as many connections as it takes."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx

from journal import GUARD, Asked, Journal
from processes import Frame, parse_sse

RETRY_SECONDS = 0.02


class Reader(threading.Thread):
    """Reads from the first frame on until the server ends the stream, and comes back with Last-Event-ID whenever the
    connection breaks. `frames` is everything it was sent, in that order."""

    def __init__(
        self,
        name: str,
        url: str,
        journal: Journal,
        run: Asked,
        seed: float | None,
        answer: httpx.Response | None,
    ) -> None:
        """With a seed it leaves of its own accord too, at frames that follow from it."""
        super().__init__(name=name, daemon=True)
        self.frames: list[Frame] = []
        self.connections = 0
        self.ended = False
        self._url, self._journal, self._asked, self._answer = url, journal, run, answer
        self._rng = None if seed is None else random.Random(seed)
        self._changed = threading.Condition()
        self.start()

    def wait(self, ready: Callable[[list[Frame]], Any]) -> None:
        """Waits until the frames are as wanted, or are all."""
        with self._changed:
            reached = self._changed.wait_for(lambda: self.ended or ready(self.frames), GUARD)
        assert reached, f"{self.name} of {self._asked} after {GUARD:g} s: {self.frames}"

    def wait_end(self) -> None:
        self.wait(lambda _: False)

    def run(self) -> None:
        try:
            with httpx.Client(base_url=self._url, timeout=GUARD, trust_env=False, verify=False) as http:  # no TLS, no roots
                end = time.monotonic() + 3 * GUARD
                while not self._read(http):
                    assert time.monotonic() < end, "the stream does not end"
                    time.sleep(RETRY_SECONDS)
        except Exception as error:  # noqa: BLE001 - told by the storm's thread
            self._journal.fail(self.name, f"{self._asked}: {error!r} after {self.frames[-3:]}")
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def _read(self, http: httpx.Client) -> bool:
        """Reads on one connection; whether the stream has ended."""
        try:
            answer, self._answer = self._answer, None
            if answer is None:
                headers = {"Last-Event-ID": self.frames[-1][0] if self.frames else "-1"}
                request = http.build_request("GET", f"{self._asked.path}/stream", headers=headers)
                answer = http.send(request, stream=True)
            self.connections += 1
            if answer.status_code == 404 and "deleted" in self._asked.states:
                return True
            if answer.status_code in (502, 503, 504):
                self._journal.say(self.name, f"{self._asked}: {answer.status_code} {answer.read()!r}")
                return False
            assert answer.is_success, f"{answer.status_code} {answer.read()!r}"
            return self._take(answer)
        except httpx.TransportError as error:
            self._journal.say(self.name, f"{self._asked}: broken after {len(self.frames)} frames: {error!r}")
            return False

    def _take(self, answer: httpx.Response) -> bool:
        leave_at = len(self.frames) + self._rng.randint(1, 20) if self._rng else None
        try:
            for frame in parse_sse(answer.iter_lines()):
                with self._changed:
                    self.frames.append(frame)
                    self._changed.notify_all()
                self._journal.event()
                if len(self.frames) == leave_at:
                    return False
            return True
        finally:
            answer.close()


class SlowReaders:
    """Readers that take one byte a second of streams that others have begun. They must hold up nobody."""

    def __init__(self, url: str, journal: Journal, count: int = 3) -> None:
        place = urlsplit(url)
        self._address = (place.hostname, place.port)
        self._journal = journal
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._live, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _live(self) -> None:
        while not self._stopped.wait(0.1):
            with suppress(OSError):
                self._read()

    def _read(self) -> None:
        run = next(reversed(self._journal.runs), None)
        if run is None:
            return
        with socket.socket() as connection:
            # The smallest that the kernel gives: what is not read is soon the server's matter.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            connection.settimeout(GUARD)
            connection.connect(self._address)
            head = f"GET {run.path}/stream HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: -1\r\n\r\n"
            connection.sendall(head.encode())
            while connection.recv(1) and not self._stopped.wait(1):
                self._journal.count("bytes that were read slowly")

    def close(self) -> None:
        self._stopped.set()
