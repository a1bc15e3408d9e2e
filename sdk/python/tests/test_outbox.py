"""What waits for the socket is gathered, unless somebody waits for it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, cast

import pytest

from duragraph_host import outbox, wire
from duragraph_host.outbox import Outbox
from duragraph_host.owner import Owner


class FakeSocket:
    """Notes each message of the WebSocket by the types of what shares it."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[list[str]] = asyncio.Queue()

    async def send(self, data: bytes) -> None:
        self.sent.put_nowait([message["type"] for message, _ in wire.unpack(data)])


class Line:
    """An outbox whose writer has begun, and a run that speaks through it."""

    def __init__(self) -> None:
        self.outbox = Outbox(threading.Lock(), asyncio.get_running_loop())
        self.outbox.open([])
        self.owner = self.run("run")
        self.socket = FakeSocket()
        self.writer = asyncio.ensure_future(self.outbox.write(cast(Any, self.socket)))

    def run(self, name: str) -> Owner:
        return Owner(name, 1, "thread", self.outbox.put)

    async def next(self) -> list[str]:
        return await asyncio.wait_for(self.socket.sent.get(), 20)


def marker(name: str) -> wire.Body:
    return wire.body({"type": name})


def test_what_nobody_waits_for_is_sent_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "GATHERING", 0.5)

    async def speak() -> list[str]:
        line = Line()
        other = line.run("other")
        line.owner.send_frame("values", b"1")
        for _ in range(10):  # The writer has its turn, and lets them gather.
            await asyncio.sleep(0)
        line.owner.send(marker("writes"))
        other.send(marker("items"))
        return await line.next()

    assert asyncio.run(speak()) == ["frames", "writes", "items"]


@pytest.mark.parametrize("ask", ["applied", "complete", "flush"])
def test_what_somebody_waits_for_takes_the_rest_along(monkeypatch: pytest.MonkeyPatch, ask: str) -> None:
    monkeypatch.setattr(outbox, "GATHERING", 600)

    async def speak() -> list[str]:
        line = Line()
        line.owner.send_frame("values", b"1")
        await asyncio.sleep(0)
        if ask == "complete":
            line.owner.complete("success")
            return await line.next()
        n = line.owner.send(marker("writes"))
        waiting = line.owner.await_applied(n) if ask == "applied" else line.owner.aflush()
        waiter = asyncio.ensure_future(waiting)
        sent = await line.next()
        line.owner.ack(n)
        await waiter
        return sent

    assert asyncio.run(speak()) == ["frames", "complete" if ask == "complete" else "writes"]


def test_a_request_is_sent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "GATHERING", 600)

    async def speak() -> list[str]:
        line = Line()
        line.owner.send_frame("values", b"1")
        line.outbox.put(wire.pack(marker("get_tuple")))
        return await line.next()

    assert asyncio.run(speak()) == ["frames", "get_tuple"]
