"""The runs and operations that a session owns."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from .owner import Owner, Sink
from .session import Handler

CANCEL_GRACE = 4.0
"""Seconds after a cancel within which the run's task should end; then its completion is sent anyway."""


class Owners:
    """Knows each of them from when the server gave it until it is over. Methods may be called from any thread.

    `sink` is told which of them has something for the socket.
    """

    def __init__(
        self,
        lock: threading.Lock,
        loop: asyncio.AbstractEventLoop,
        handler: Handler,
        sink: Sink,
    ) -> None:
        self._lock = lock
        self._loop = loop
        self._handler = handler
        self._sink = sink
        self._known: dict[tuple[str, int], Owner] = {}

    def all(self) -> list[Owner]:
        with self._lock:
            return list(self._known.values())

    def find(self, owner_id: str, epoch: int) -> Owner | None:
        return self._known.get((owner_id, epoch))

    def adopt(self, owner_id: str, epoch: int, thread_id: str) -> Owner:
        """Registers a run or operation that the server gave."""
        owner = Owner(owner_id, epoch, thread_id, self._sink)
        with self._lock:
            self._known[owner.key] = owner
        return owner

    def release(self, owner: Owner) -> None:
        """Forgets an operation that is over."""
        with self._lock:
            self._known.pop(owner.key, None)
        owner.cancel("the operation is over")
        self._handler.settled()

    def settle(self, owner: Owner) -> None:
        """Forgets it if it is over."""
        if owner.over:
            with self._lock:
                self._known.pop(owner.key, None)
            self._handler.settled()

    def cancel(self, owner: Owner) -> None:
        """User code of the run may do nothing more; its completion goes out within CANCEL_GRACE."""
        owner.cancel("the run was cancelled")
        self._loop.call_later(CANCEL_GRACE, owner.complete, "cancelled")
        self._handler.cancelled(owner)

    def lose(self, owner: Owner, reason: str) -> None:
        owner.supersede(reason)
        self.settle(owner)
        self._handler.cancelled(owner)

    def lose_superseded(self, told: dict[tuple[str, int], dict[str, Any]]) -> None:
        """On a new connection, of which the server has told what is still whose: drops what is another's."""
        for owner in self.all():
            if told.get(owner.key, {"state": "superseded"})["state"] == "superseded":
                self.lose(owner, "the server gave it to another worker")

    def rewind(self, told: dict[tuple[str, int], dict[str, Any]]) -> list[Owner]:
        """Everything above what the server has applied is to be sent again. Called with the lock held."""
        for key, owner in self._known.items():
            owner.rewind(told[key].get("applied_n", 0))
        return list(self._known.values())
