"""What waits for the socket, and the writer that sends it."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterable, Iterator

from . import wire
from .owner import Owner
from .transport import Socket

Item = Owner | wire.Payload
"""A message, or an owner that has some."""

BURST = 64
"""Messages of one owner before it is the others' turn."""

SHARED_BYTES = 256 * 1024
"""Messages that wait together share one of the WebSocket's, up to this size."""

GATHERING = 0.003
"""Seconds that what nobody waits for may wait for more: a message, a commit and an acknowledgement are shared."""


class Outbox:
    """Keeps what there is to send, in order, while there is a connection; without one it keeps nothing.

    `put` and `ring` may be called from any thread; the other methods with the lock held that the user shares.
    """

    def __init__(self, lock: threading.Lock, loop: asyncio.AbstractEventLoop) -> None:
        self._lock = lock
        self._loop = loop
        self._items: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._rung = 0  # How loudly, since the writer woke: not at all, 1 quietly, 2 urgently.
        self._timer: asyncio.TimerHandle | None = None
        self._sending = False
        self.is_open = False

    def put(self, item: Item, urgent: bool = True) -> None:
        """Queues an item and wakes the writer."""
        with self._lock:
            if not self.is_open:
                return
            self._items.append(item)
        self.ring(urgent)

    def ring(self, urgent: bool = True) -> None:
        """Wakes the writer, at most once for many messages: at once, or when some have gathered."""
        loudness = 2 if urgent else 1
        if self._rung >= loudness:
            return
        self._rung = loudness
        try:
            self._loop.call_soon_threadsafe(self._woken if urgent else self._gather)
        except RuntimeError:
            pass  # The loop is closed; nothing is sent any more.

    def add(self, item: Item) -> None:
        """Queues an item; `ring` is to follow."""
        if self.is_open:
            self._items.append(item)

    def open(self, items: Iterable[Item]) -> None:
        """A connection begins with these."""
        self._sending = False
        self._items = deque(items)
        self.is_open = True

    def close(self) -> None:
        """The connection is lost, and what waited for it is forgotten: its senders keep it."""
        self._items.clear()
        self.is_open = False

    def is_empty(self) -> bool:
        return not self._items and not self._sending

    async def write(self, socket: Socket) -> None:
        """Sends what comes, for as long as the socket takes it. Called on the loop, without the lock."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._sending = True
            parts: list[wire.Payload] = []
            size = 0
            for payload in self._waiting():
                if parts and size + len(payload) > SHARED_BYTES:
                    await socket.send(b"".join(parts))
                    parts, size = [], 0
                parts.append(payload)
                size += len(payload)
            if parts:
                await socket.send(b"".join(parts))
            self._sending = False

    def _waiting(self) -> Iterator[wire.Payload]:
        while self._items:
            item = self._items.popleft()
            if not isinstance(item, Owner):
                yield item
                continue
            for _ in range(BURST):
                message = item.next_unsent()
                if message is None:
                    break
                yield message.payload
            else:
                self._items.append(item)

    def _gather(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(GATHERING, self._woken)

    def _woken(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._rung = 0
        self._wake.set()
