"""Proxies in front of PostgreSQL and NATS, one for each instance, that see what is said and strike at a point of it."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

CHUNK = 1 << 16
LOSS = 0.05
"""Of what a slow network is given."""


class Point(Enum):
    """Where in what an instance does a proxy strikes."""

    before_commit = "a transaction's statements are with PostgreSQL, COMMIT is not"
    after_commit = "PostgreSQL has committed, the instance does not hear of it"
    commit_answered = "PostgreSQL's answer to COMMIT is on its way"
    published = "NATS has stored events, the instance does not hear of it"
    ack_passed = "NATS has stored events, and its word is on its way"


@dataclass
class Ambush:
    """Waits at a point for the next connection that comes by, once."""

    point: Point
    strike: Callable[[], None]


class Loop:
    """The event loop of all proxies, on a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, name="proxies", daemon=True).start()

    def run(self, start: Callable[[], object]) -> None:
        """Runs it on the loop's thread, and waits."""

        async def call() -> None:
            start()

        asyncio.run_coroutine_threadsafe(call(), self.loop).result(10)

    def close(self) -> None:
        async def cancel() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(cancel(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)


class Proxy:
    """Passes on what comes; `wiretap` makes what looks at one connection."""

    def __init__(self, loop: Loop, host: str, target: int, wiretap: Callable[[Proxy], Wiretap]) -> None:
        self._loop, self._target, self._wiretap = loop, target, wiretap
        self._open: set[asyncio.StreamWriter] = set()
        self._flows: asyncio.Event
        self._latency = 0.0
        self.ambush: Ambush | None = None
        listener = socket.create_server((host, 0))
        self.address = f"{host}:{listener.getsockname()[1]}"

        async def listen() -> None:
            self._flows = asyncio.Event()
            self._flows.set()
            self._server = await asyncio.start_server(self._serve, sock=listener)

        asyncio.run_coroutine_threadsafe(listen(), loop.loop).result(10)

    def lie_in_wait(self, point: Point, strike: Callable[[], None]) -> Ambush:
        ambush = Ambush(point, strike)
        self._loop.run(lambda: setattr(self, "ambush", ambush))
        return ambush

    def give_up(self, ambush: Ambush) -> None:
        def forget() -> None:
            if self.ambush is ambush:
                self.ambush = None

        self._loop.run(forget)

    def stall(self) -> None:
        """Whatever is sent arrives nowhere, and nobody is told; so it is with connections that are tried."""
        self._loop.run(self._flows.clear)

    def slow_down(self, latency: float) -> None:
        """Whatever is sent arrives so many seconds later, and some of it only when it was sent again."""
        self._latency = latency

    def flow(self) -> None:
        """As when a network that was cut, or slow, is mended: what was sent meanwhile arrives."""
        self._latency = 0.0
        self._loop.run(self._flows.set)

    def cut(self) -> None:
        """Breaks all connections."""
        self._loop.run(lambda: [writer.transport.abort() for writer in self._open])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        upstream = None
        try:
            await self._flows.wait()
            back, upstream = await asyncio.open_connection("127.0.0.1", self._target)
            tap = self._wiretap(self)
            ways = [(reader, upstream, tap.sent), (back, writer, tap.answered)]
            pumps = [asyncio.create_task(self._pump(*way)) for way in ways]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
        except OSError:
            pass
        finally:
            self._open.discard(writer)
            for end in (writer, upstream):
                if end is not None:
                    end.transport.abort()

    async def _pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        look: Callable[[bytes], Iterator[bytes]],
    ) -> None:
        with suppress(OSError, Cut):
            while chunk := await source.read(CHUNK):
                await self._flows.wait()
                if self._latency:
                    # Whoever sends something again has waited for a word of it.
                    await asyncio.sleep(self._latency * (4 if random.random() < LOSS else 1))
                for part in look(chunk):
                    sink.write(part)
                await sink.drain()
        # What was written before a cut arrives.
        with suppress(OSError):
            await asyncio.wait_for(sink.drain(), 1)
            sink.write_eof()


class Cut(Exception):
    """This connection ends here."""


class Wiretap:
    """Looks at what goes each way over one connection; gives what is passed on."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    def sent(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk

    def answered(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk

    def _is_awaited(self, *points: Point) -> Point | None:
        ambush = self._proxy.ambush
        return ambush.point if ambush and ambush.point in points else None

    def _strike(self) -> None:
        ambush, self._proxy.ambush = self._proxy.ambush, None
        if ambush:
            ambush.strike()


class PostgresTap(Wiretap):
    """Follows the protocol of PostgreSQL far enough to know COMMITs of transactions that write events."""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy)
        self._sent, self._answers = b"", b""
        self._started = False
        self._short_answers = 0
        """How many answers of one byte, without a length, are to come."""
        self._statements: dict[bytes, bytes] = {}
        self._writes = False
        """Whether the transaction under way has written events."""
        self._committing = False

    def sent(self, chunk: bytes) -> Iterator[bytes]:
        self._sent += chunk
        passed = 0
        for begin, end in self._messages():
            if self._is_commit(self._sent[begin:end]):
                self._committing = self._writes
                if self._writes and self._is_awaited(Point.before_commit):
                    yield self._sent[passed:begin]
                    self._strike()
                    raise Cut
                self._writes = False
            passed = end
        yield self._sent[:passed]
        self._sent = self._sent[passed:]

    def _messages(self) -> Iterator[tuple[int, int]]:
        at = 0
        while True:
            kind = 1 if self._started else 0
            if len(self._sent) < at + kind + 4:
                return
            length = kind + int.from_bytes(self._sent[at + kind : at + kind + 4])
            if len(self._sent) < at + length:
                return
            if not self._started:
                # Only what begins a session is longer than a question about encryption.
                self._started = length > 8
                self._short_answers += length == 8
            yield at, at + length
            at += length

    def _is_commit(self, message: bytes) -> bool:
        """Whether it executes COMMIT; notes what the transaction does."""
        if message[:1] == b"P":
            name, sql = message[5:].split(b"\0")[:2]
            self._statements[name] = sql
        if message[:1] != b"B":
            return False
        sql = self._statements.get(message[5:].split(b"\0")[1], b"")
        self._writes = self._writes or sql.startswith(b"INSERT INTO outbox")
        if sql.startswith(b"BEGIN"):
            self._writes = False
        return sql == b"COMMIT"

    def answered(self, chunk: bytes) -> Iterator[bytes]:
        if self._short_answers:
            taken = min(self._short_answers, len(chunk))
            self._short_answers -= taken
            yield chunk[:taken]
            chunk = chunk[taken:]
        self._answers += chunk
        at = 0
        while len(self._answers) >= at + 5:
            end = at + 1 + int.from_bytes(self._answers[at + 1 : at + 5])
            if len(self._answers) < end:
                break
            if self._answers[at:end].endswith(b"COMMIT\0") and self._answers[at : at + 1] == b"C" and self._committing:
                self._committing = False
                point = self._is_awaited(Point.after_commit, Point.commit_answered)
                if point:
                    yield self._answers[: end if point == Point.commit_answered else at]
                    self._strike()
                    raise Cut
            at = end
        yield self._answers[:at]
        self._answers = self._answers[at:]


class NatsTap(Wiretap):
    """Knows the word of JetStream that it has stored a message."""

    def answered(self, chunk: bytes) -> Iterator[bytes]:
        point = self._is_awaited(Point.published, Point.ack_passed)
        if not point or b'{"stream":' not in chunk:
            yield chunk
            return
        if point == Point.ack_passed:
            yield chunk
        self._strike()
        raise Cut
