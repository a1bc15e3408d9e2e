"""What the tests share: a connection to a server, and a handler that remembers what it was told."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from duragraph_host.connection import Connection
from duragraph_host.owner import Owner
from duragraph_host.session import Options, Ticket
from server_double import TOKEN, ServerDouble


class Recorder:
    """A handler that keeps what the connection says."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.owners: list[Owner] = []
        self.stopped: list[Owner] = []
        self.failures: list[str] = []
        self.renewals = 0
        self.welcomes = 0

    def hello(self) -> dict[str, Any]:
        return {
            "worker": {"name": "test", "pid": os.getpid(), "language": "python", "versions": {}},
            "revision": "test",
            "slots": 4,
            "draining": False,
            "graphs": [],
        }

    def ready(self, welcome: dict[str, Any]) -> None:
        with self._note():
            self.welcomes += 1

    def lease(self, run: dict[str, Any], owner: Owner) -> None:
        with self._note():
            self.owners.append(owner)

    def cancelled(self, owner: Owner) -> None:
        with self._note():
            self.stopped.append(owner)

    def request(self, ticket: Ticket, method: str, params: dict[str, Any], owner: Owner | None) -> None: ...

    def drain(self) -> None: ...

    def settled(self) -> None:
        with self._note():
            pass

    def renewed(self) -> None:
        with self._note():
            self.renewals += 1

    def fatal(self, message: str) -> None:
        with self._note():
            self.failures.append(message)

    def wait(self, ready: Callable[[], Any], seconds: float = 20) -> None:
        with self.changed:
            assert self.changed.wait_for(ready, seconds), f"not within {seconds} s"

    @contextmanager
    def _note(self) -> Iterator[None]:
        with self.changed:
            yield
            self.changed.notify_all()


@contextmanager
def connected(
    url: str, token: str = TOKEN, *, supervised: bool = False
) -> Iterator[tuple[Connection, Recorder]]:
    """A connection that has been welcomed; stopped in the end."""
    recorder = Recorder()
    options = Options(url, token, str(uuid.uuid4()), uuid.uuid4().hex * 2, supervised)
    connection = Connection(options, recorder)
    connection.start()
    try:
        recorder.wait(lambda: recorder.welcomes or recorder.failures)
        yield connection, recorder
    finally:
        connection.stop()


def leased(server: ServerDouble, recorder: Recorder, **run: Any) -> Owner:
    """The worker's side of a new run."""
    count = len(recorder.owners)
    server.lease(**run)
    recorder.wait(lambda: len(recorder.owners) > count)
    return recorder.owners[-1]
