"""A small server of the worker protocol in memory, with handles to lose connections and hold back answers."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from double_storage import Storage

T = TypeVar("T")
TOKEN = "t" * 40
SUBPROTOCOL: Any = "duragraph.worker.v1"


@dataclass
class OwnerState:
    thread_id: str
    session: str
    applied_n: int = 0
    state: str = "live"
    status: str | None = None
    applied: list[dict[str, Any]] = field(default_factory=list)


class ServerDouble:
    """Listens on a free port of 127.0.0.1, on a thread of its own. `log` holds every message as received."""

    def __init__(self) -> None:
        self.storage = Storage()
        self.log: list[dict[str, Any]] = []
        self.owners: dict[tuple[str, int], OwnerState] = {}
        self.sessions: dict[str, str] = {}
        self.refuse_code: int | None = None
        self.hold_acks = False
        self.lose_after: int | None = None
        """Cuts the connection after this many more numbered messages, the last of which is not applied."""
        self.answer_reads = True
        self.changed = threading.Condition()
        self._socket: ServerConnection | None = None
        self._session = ""
        self._asked: dict[int, Future[Any]] = {}
        self._loop = asyncio.new_event_loop()
        self._listening: Future[int] = Future()
        self._end: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._listening.result(10)}"

    # Handles for tests.

    def close(self) -> None:
        if self._end is not None:
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def wait(self, ready: Callable[[], T], seconds: float = 20) -> T:
        """Waits until `ready` is true of what has been received."""
        with self.changed:
            assert self.changed.wait_for(ready, seconds), f"not within {seconds} s; log: {self.log[-5:]}"
            return ready()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.log if message["type"] == kind]

    def lease(self, **run: Any) -> OwnerState:
        """Gives the connected worker a run."""
        run = {"epoch": 1, "attempt": 1, "graph_id": "agent", "input": None, "command": None, **run}
        run.setdefault("thread_id", str(uuid.uuid4()))
        run.setdefault("run_id", str(uuid.uuid4()))
        configurable = {"thread_id": run["thread_id"], "run_id": run["run_id"]}
        run.setdefault("config", {"configurable": configurable, "metadata": {"run_id": run["run_id"]}})
        owner = OwnerState(run["thread_id"], self._session)
        self.owners[(run["run_id"], run["epoch"])] = owner
        self.send({"type": "lease", "run": run})
        return owner

    def send(self, message: dict[str, Any]) -> None:
        self._call(self._send(message))

    def ack_all(self) -> None:
        """Ends holding back and acknowledges what is applied."""
        self.hold_acks = False
        for (owner, epoch), state in self.owners.items():
            self.send({"type": "acks", "acks": [[owner, epoch, state.applied_n]]})

    def ask(self, method: str, seconds: float = 30, **params: Any) -> dict[str, Any]:
        """A request to the worker; its reply."""
        future: Future[Any] = Future()
        id = len(self._asked) + 1
        self._asked[id] = future
        if "operation" in params:
            self.owners[(params["operation"], params["epoch"])] = OwnerState(
                params["thread_id"], self._session
            )
        self.send({"type": "request", "id": id, "method": method, "params": params})
        result: dict[str, Any] = future.result(seconds)
        return result

    def cut(self) -> None:
        """Loses the connection without a closing handshake."""
        self._loop.call_soon_threadsafe(self._cut)

    def close_worker(self, code: int, reason: str = "") -> None:
        async def close() -> None:
            if self._socket is not None:
                await self._socket.close(code, reason)

        self._call(close())

    # The server.

    def _call(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        options: dict[str, Any] = {"subprotocols": [SUBPROTOCOL], "max_size": None, "compression": None}
        async with serve(self._connected, "127.0.0.1", 0, **options) as server:
            self._listening.set_result(next(iter(server.sockets)).getsockname()[1])
            await self._end.wait()

    def _cut(self) -> None:
        if self._socket is not None:
            self._socket.transport.abort()

    async def _send(self, message: dict[str, Any], blobs: list[bytes] | None = None) -> None:
        if self._socket is None:
            return
        try:
            if not blobs:
                await self._socket.send(json.dumps(message))
                return
            text = json.dumps({**message, "blobs": [len(blob) for blob in blobs]}).encode()
            await self._socket.send(b"".join((len(text).to_bytes(4, "big"), text, *blobs)))
        except ConnectionClosed:
            pass

    async def _connected(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        assert socket.request.path == "/api/v1/workers/connect"
        assert socket.request.headers["Authorization"] == f"Bearer {TOKEN}"
        assert socket.subprotocol == SUBPROTOCOL
        try:
            ((hello, _),) = self._read(await socket.recv())
            if not await self._welcome(socket, hello):
                return
            while True:
                for message, blobs in self._read(await socket.recv()):
                    await self._receive(message, blobs)
        except ConnectionClosed:
            pass
        finally:
            if self._socket is socket:
                self._socket = None
            self._note({"type": "disconnected"})

    def _read(self, payload: str | bytes) -> Iterator[tuple[dict[str, Any], list[bytes]]]:
        if isinstance(payload, str):
            yield json.loads(payload), []
            return
        at = 0
        while at < len(payload):
            end = at + 4 + int.from_bytes(payload[at : at + 4], "big")
            message, blobs = json.loads(payload[at + 4 : end]), []
            for length in message.get("blobs", ()):
                blobs.append(payload[end : end + length])
                end += length
            yield message, blobs
            at = end
        assert at == len(payload)

    async def _welcome(self, socket: ServerConnection, hello: dict[str, Any]) -> bool:
        self._note(hello)
        if self.refuse_code is not None:
            await socket.close(self.refuse_code, "refused")
            return False
        assert self.sessions.setdefault(hello["session"], hello["secret"]) == hello["secret"]
        owned = []
        for item in hello["owned"]:
            state = self.owners.get((item["owner"], item["epoch"]))
            if state is None or state.session != hello["session"]:
                owned.append({**item, "applied_n": 0, "state": "superseded"})
            else:
                owned.append({**item, "applied_n": state.applied_n, "state": state.state})
        self._socket, self._session = socket, hello["session"]
        welcome = {"type": "welcome", "session": hello["session"], "instance": "double", "version": "0.1.0"}
        await self._send({**welcome, "heartbeat_ms": 200, "lease_ms": 10000, "owned": owned})
        self._note({"type": "connected"})
        return True

    async def _receive(self, message: dict[str, Any], blobs: list[bytes]) -> None:
        self._note(message)
        if "n" in message and message["type"] != "end":
            await self._numbered(message, blobs)
        elif message["type"] == "reply":
            self._asked[message["id"]].set_result(message)
        elif "id" in message:
            await self._answer(message)
        with self.changed:
            self.changed.notify_all()

    async def _numbered(self, message: dict[str, Any], blobs: list[bytes]) -> None:
        if self.lose_after is not None:
            self.lose_after -= 1
            if self.lose_after <= 0:
                self.lose_after = None
                self._cut()
                raise ConnectionClosed(None, None)
        where = {"owner": message["owner"], "epoch": message["epoch"]}
        owner = self.owners.get((message["owner"], message["epoch"]))
        if owner is None or owner.state == "superseded":
            await self._send({"type": "superseded", **where, "reason": "not the owner"})
            return
        if message["n"] <= owner.applied_n:
            return
        assert message["n"] == owner.applied_n + 1, f"gap: {message['n']} after {owner.applied_n}"
        self.storage.apply(owner.thread_id, message, blobs)
        owner.applied_n = message["n"]
        owner.applied.append(message)
        if message["type"] == "complete":
            owner.status = message["status"]
        if "id" in message and not self.hold_acks:
            await self._send({"type": "reply", "id": message["id"], "result": {}})
        if not self.hold_acks:
            await self._send({"type": "acks", "acks": [[where["owner"], where["epoch"], owner.applied_n]]})

    async def _answer(self, message: dict[str, Any]) -> None:
        if not self.answer_reads:
            return
        answer: dict[str, Any] = {"type": "reply", "id": message["id"]}
        blobs: list[bytes] = []
        if message["type"] == "begin":
            answer.update(self._begin(message["thread_id"]))
        elif message["type"] == "end":
            owner = self.owners[(message["operation"], message["epoch"])]
            assert owner.applied_n == message["n"]
            owner.status = "ended"
            answer["result"] = {}
        elif message["type"] == "items":
            self.storage.put_items(message["puts"])
            answer["result"] = {}
        else:
            answer["result"], blobs = self.storage.answer(message)
        await self._send(answer, blobs)

    def _begin(self, thread_id: str) -> dict[str, Any]:
        if any(o.thread_id == thread_id and o.status is None for o in self.owners.values()):
            return {"error": {"code": "busy", "message": "the thread is busy"}}
        operation = str(uuid.uuid4())
        self.owners[(operation, 1)] = OwnerState(thread_id, self._session)
        return {"result": {"operation": operation, "epoch": 1}}

    def _note(self, message: dict[str, Any]) -> None:
        with self.changed:
            self.log.append(message)
            self.changed.notify_all()
