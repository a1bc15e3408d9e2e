"""A run or operation as its worker sees it: what it may still say, and who waits for the server to know it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import orjson

from . import jsonable, wire
from .backlog import LIMIT_BYTES, LIMIT_MESSAGES, Backlog, Message, frame_bytes
from .errors import RunDead, Superseded
from .futures import settle, settle_error

Sink = Callable[["Owner", bool], None]
"""Takes an owner that has something for the socket, and whether that is urgent."""

_NOTHING, _SOMETHING, _URGENT = range(3)


class Owner:
    """Numbers the messages of one (owner, epoch) and keeps them until they are acknowledged.

    Every method may be called from any thread. `sink` is called, without a lock held, when the owner
    has something for the socket, and again when that becomes urgent; the connection then takes it with
    `next_unsent`. An owner is *dead* when user code may no longer write (cancelled, completed or
    superseded), and *superseded* when nothing it says counts any more.
    """

    def __init__(
        self,
        owner: str,
        epoch: int,
        thread_id: str,
        sink: Sink,
        *,
        limit_bytes: int = LIMIT_BYTES,
        limit_messages: int = LIMIT_MESSAGES,
    ) -> None:
        self.owner = owner
        self.epoch = epoch
        self.thread_id = thread_id
        self._sink = sink
        self._backlog = Backlog(owner, epoch, limit_bytes, limit_messages)
        self._changed = threading.Condition(threading.Lock())
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._complete_n: int | None = None
        self._said = _NOTHING
        self._dead: RunDead | None = None
        self._superseded = False
        self._requests: set[Future[Any]] = set()
        self._replies: dict[int, Future[Any]] = {}

    # What the run's code uses.

    @property
    def key(self) -> tuple[str, int]:
        return (self.owner, self.epoch)

    @property
    def dead(self) -> bool:
        return self._dead is not None

    @property
    def superseded(self) -> bool:
        return self._superseded

    @property
    def completed(self) -> bool:
        """Whether the completion has been queued."""
        return self._complete_n is not None

    @property
    def over(self) -> bool:
        """Whether the owner is no longer the worker's: its completion is acknowledged, or it was lost."""
        return self._superseded or (self._complete_n is not None and self._backlog.acked_n >= self._complete_n)

    @property
    def last_n(self) -> int:
        return self._backlog.last_n

    @property
    def sent_n(self) -> int:
        return self._backlog.sent_n

    def check(self) -> None:
        """Raises RunDead (or Superseded) when user code may no longer write."""
        if self._dead is not None:
            raise type(self._dead)(*self._dead.args)

    def send_frame(self, event: str, data: bytes) -> None:
        """Queues one stream frame; `data` is JSON. Never waits: callers await `wait_room` in between."""
        frame = frame_bytes(event, data)
        with self._changed:
            self.check()
            self._backlog.add_frame(frame)
            wake = self._announces(_SOMETHING)
        if wake:
            self._sink(self, False)

    def post(self, body: wire.Body, *, reply: Future[Any] | None = None) -> int:
        """Numbers and queues a message at once, without waiting for room; returns its number.

        `reply` is resolved when a reconnect shows that the message was applied and its answer lost.
        """
        with self._changed:
            self.check()
            n = self._backlog.append(body)
            if reply is not None:
                self._replies[n] = reply
            urgent = reply is not None
            wake = self._announces(_URGENT if urgent else _SOMETHING)
        if wake:
            self._sink(self, urgent)
        return n

    def send(self, body: wire.Body) -> int:
        """As `post`, but blocks the calling thread while the buffer is full."""
        self.block_for_room()
        return self.post(body)

    async def asend(self, body: wire.Body) -> int:
        """As `send`, without blocking the caller's loop."""
        await self.wait_room()
        return self.post(body)

    def block_for_room(self) -> None:
        """Blocks the calling thread until the buffer of unacknowledged messages has room."""
        self._wait(self._backlog.has_room)

    async def wait_room(self) -> None:
        """Waits until the buffer of unacknowledged messages has room."""
        await self._await(self._backlog.has_room)

    def flush(self) -> None:
        """Blocks until everything queued so far is acknowledged."""
        self.wait_applied(self._seal())

    async def aflush(self) -> None:
        """Waits until everything queued so far is acknowledged."""
        await self.await_applied(self._seal())

    def wait_applied(self, n: int) -> None:
        """Blocks until the server has applied message `n`."""
        self._hasten(n)
        self._wait(lambda: self._backlog.acked_n >= n)

    async def await_applied(self, n: int) -> None:
        """Waits until the server has applied message `n`."""
        self._hasten(n)
        await self._await(lambda: self._backlog.acked_n >= n)

    def complete(self, status: str, error: dict[str, Any] | None = None) -> bool:
        """Queues the completion, also of a cancelled owner; says whether it is the first, which counts."""
        cause = orjson.Fragment(jsonable.dumps(error))
        body = wire.body({"type": "complete", "status": status, "error": cause})
        with self._changed:
            if self._complete_n is not None or self._superseded:
                return False
            self._complete_n = self._backlog.append(body)
            if self._dead is None:
                self._dead = RunDead("the run is over")
            doomed = self._notify()
            wake = self._announces(_URGENT)
        self._fail(doomed)
        if wake:
            self._sink(self, True)
        return True

    # What the connection uses.

    def track(self, request: Future[Any]) -> None:
        """Makes `request` fail when the owner dies before its answer comes."""
        with self._changed:
            self.check()
            self._requests.add(request)
        request.add_done_callback(self._requests.discard)

    def next_unsent(self) -> Message | None:
        """The next message for the socket; None when there is nothing more to send."""
        with self._changed:
            message = self._backlog.next_unsent()
            if message is None:
                self._said = _NOTHING
            return message

    def ack(self, n: int) -> None:
        """Forgets every message up to `n`."""
        with self._changed:
            self._backlog.forget(n)
            doomed = self._notify()
        self._fail(doomed)

    def rewind(self, applied_n: int) -> None:
        """After a reconnect: everything above `applied_n` is to be sent again."""
        with self._changed:
            self._backlog.forget(applied_n)
            self._backlog.rewind()
            self._said = _URGENT
            answered = [self._replies.pop(n) for n in list(self._replies) if n <= applied_n]
            doomed = self._notify()
        self._fail(doomed)
        for reply in answered:
            settle(reply, {})

    def forget_reply(self, n: int) -> None:
        """Message `n` has had its answer."""
        with self._changed:
            self._replies.pop(n, None)

    def cancel(self, reason: str) -> None:
        """Marks the owner dead for user code; what is queued, and the completion, still goes out."""
        self._kill(RunDead(reason), superseded=False)

    def supersede(self, reason: str) -> None:
        """Marks the owner lost and drops all that is queued."""
        self._kill(Superseded(reason), superseded=True)

    # Inside, with the lock held where nothing else is said.

    def _kill(self, error: RunDead, *, superseded: bool) -> None:
        with self._changed:
            if self._superseded or (self._dead is not None and not superseded):
                return
            self._dead = error
            self._superseded = superseded
            if superseded:
                self._backlog.clear()
            doomed = self._notify()
        self._fail(doomed)

    def _seal(self) -> int:
        """Gives pending frames their number (takes the lock itself); the last number in use."""
        with self._changed:
            self.check()
            self._backlog.seal_frames()
            return self._backlog.last_n

    def _hasten(self, n: int) -> None:
        """Somebody waits for message `n` (takes the lock itself)."""
        with self._changed:
            wake = self._backlog.sent_n < n and self._announces(_URGENT)
        if wake:
            self._sink(self, True)

    def _announces(self, what: int) -> bool:
        """Whether the sink is to be told, which has heard of less."""
        if self._said >= what:
            return False
        self._said = what
        return True

    def _notify(self) -> list[Future[Any]]:
        """Wakes all waiters; returns the requests that die with the owner, for `_fail` without the lock."""
        self._changed.notify_all()
        waiters, self._waiters = self._waiters, []
        for loop, waiter in waiters:
            try:
                loop.call_soon_threadsafe(_wake, waiter)
            except RuntimeError:
                pass  # The waiter's loop has been closed, and the waiter with it.
        return list(self._requests) if self._dead is not None else []

    def _fail(self, requests: list[Future[Any]]) -> None:
        for request in requests:
            dead = self._dead or RunDead("the run is over")
            settle_error(request, type(dead)(*dead.args))

    def _wait(self, ready: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._dead is not None or ready())
            if not ready() or self._dead is not None:
                self.check()

    async def _await(self, ready: Callable[[], bool]) -> None:
        while True:
            with self._changed:
                self.check()
                if ready():
                    return
                loop = asyncio.get_running_loop()
                waiter: asyncio.Future[None] = loop.create_future()
                self._waiters.append((loop, waiter))
            await waiter


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
