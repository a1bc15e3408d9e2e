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


class Outbox:
    """Keeps what there is to send, in order, while there is a connection; without one it keeps nothing.

    `put` and `ring` may be called from any thread; the other methods with the lock held that the user shares.
    """

    def __init__(self, lock: threading.Lock, loop: asyncio.AbstractEventLoop) -> None:
        self._lock = lock
        self._loop = loop
        self._items: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._wake_pending = False
        self._sending = False
        self.is_open = False

    def put(self, item: Item) -> None:
        """Queues an item and wakes the writer."""
        with self._lock:
            if not self.is_open:
                return
            self._items.append(item)
        self.ring()

    def ring(self) -> None:
        """Wakes the writer, at most once for many messages."""
        if self._wake_pending:
            return
        self._wake_pending = True
        try:
            self._loop.call_soon_threadsafe(self._woken)
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
            parts: list[wire.Payload] = []
            size = 0
            self._sending = True
            for payload in self._waiting():
                if parts and size + len(payload) > SHARED_BYTES:
                    await socket.send(b"".join(parts))
                    parts, size = [], 0
                parts.append(payload)
                size += len(payload)
            if parts:
                await socket.send(b"".join(parts))
            self._sending = False
            if not parts:
                await self._wake.wait()
                self._wake.clear()

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

    def _woken(self) -> None:
        self._wake_pending = False
        self._wake.set()
