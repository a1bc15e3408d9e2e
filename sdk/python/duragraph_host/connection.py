"""The worker's one WebSocket to the server, kept open on a thread of its own.

The thread is separate from the one that runs graphs, so that a graph which blocks its event loop does
not keep acknowledgements, cancels and reads waiting.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
import uuid
from collections import deque
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar, Union

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from . import wire
from .errors import HostError, ProtocolError
from .owner import Owner
from .pending import OpenRequest, Reply, RequestTable
from .session import FATAL, Handler, Options, Ticket
from .transport import Socket, open_socket

log = logging.getLogger("duragraph")
T = TypeVar("T")

BACKOFF_MIN = 0.05
BACKOFF_MAX = 1.0
CANCEL_GRACE = 4.0
"""Seconds after a cancel within which the run's task should end; then its completion is sent anyway."""


class Connection:
    """Keeps one session with the server. Its public methods may be called from any thread."""

    def __init__(self, options: Options, handler: Handler) -> None:
        self._options = options
        self._handler = handler
        self._lock = threading.Lock()
        self._owners: dict[tuple[str, int], Owner] = {}
        self._requests = RequestTable()
        self._outbox: deque[Union[Owner, wire.Payload]] = deque()
        self._connected = False
        self._wake_pending = False
        self._stopping = False
        self._failed: HostError | None = None
        self._generation = 0
        self._lost_at = time.monotonic()
        self._socket: Socket | None = None
        self._loop = asyncio.new_event_loop()
        self._wake: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run_thread, name="duragraph-io", daemon=True)

    # For the host, saver and store.

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Sends what is queued, closes with 1000 and ends the thread."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop)
            self._thread.join(timeout)

    @property
    def session(self) -> str:
        return self._options.session

    @property
    def owners(self) -> list[Owner]:
        """Every run and operation that is not over."""
        with self._lock:
            return list(self._owners.values())

    def disconnected_for(self) -> float:
        """Seconds since the connection was lost; 0 while there is one."""
        return 0.0 if self._connected else time.monotonic() - self._lost_at

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Runs a coroutine on the connection's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def request(
        self, fields: dict[str, Any], blobs: Sequence[bytes] = (), owner: Owner | None = None
    ) -> OpenRequest:
        """Asks the server; the answer comes in the result's `future`. Asked again after a lost connection."""
        with self._lock:
            self._check()
            request = self._requests.add(fields, blobs, owner)
            if self._connected and request.payload is not None:
                self._outbox.append(request.payload)
        self._ring()
        return request

    def post_with_reply(self, owner: Owner, fields: dict[str, Any]) -> Future[Reply]:
        """Queues a numbered message that the server answers; the answer is the future's result."""
        with self._lock:
            self._check()
            request = self._requests.add(None, (), owner)
        n = owner.post(wire.body({**fields, "id": request.id}), reply=request.future)
        request.future.add_done_callback(lambda _: owner.forget_reply(n))
        return request.future

    def notify(self, fields: dict[str, Any]) -> None:
        """Sends an unnumbered message if there is a connection; hello says the same on the next one."""
        self._put(wire.pack(wire.body(fields)))

    def reply(self, ticket: Ticket, fields: dict[str, Any]) -> None:
        """Answers the server's request with a `result` or an `error`, if it can still be answered."""
        payload = wire.pack(wire.body({"type": "reply", "id": ticket.id, **fields}))
        with self._lock:
            if ticket.generation != self._generation or not self._connected:
                return
            self._outbox.append(payload)
        self._ring()

    def adopt(self, owner_id: str, epoch: int, thread_id: str) -> Owner:
        """Registers a run or operation that the server gave."""
        owner = Owner(owner_id, epoch, thread_id, self._put)
        with self._lock:
            self._owners[owner.key] = owner
        return owner

    def release(self, owner: Owner) -> None:
        """Forgets an operation that is over."""
        with self._lock:
            self._owners.pop(owner.key, None)
        owner.cancel("the operation is over")
        self._handler.settled()

    # The thread.

    def _run_thread(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._wake = asyncio.Event()
        self._task = self._loop.create_task(self._main())
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        finally:
            self._end(HostError("the worker has stopped"))
            self._loop.run_until_complete(_cancel_all())

    async def _main(self) -> None:
        delay = BACKOFF_MIN
        quiet = False
        while not self._stopping:
            before = self._generation
            code, reason = await self._attempt()
            if self._stopping:
                return
            if code in FATAL or code in (401, 403):
                what = FATAL.get(code, f"the server refuses the worker's token (HTTP {code})")
                self._fail(f"{what}: {reason}" if reason else what)
                return
            if self._generation != before:
                delay, quiet = BACKOFF_MIN, False
            if code == 4409:
                self._renew(reason)
            elif not quiet:
                log.warning("no connection to %s (%s); trying again", self._options.url, reason or code)
                quiet = True
            await asyncio.sleep(delay)
            delay = min(delay * 2, BACKOFF_MAX)

    async def _attempt(self) -> tuple[int, str]:
        """One connection from its opening to its end; the close code (or HTTP status) and the reason."""
        try:
            socket = await open_socket(self._options.url, self._options.token)
        except InvalidStatus as error:
            return error.response.status_code, ""
        except (OSError, EOFError, asyncio.TimeoutError, WebSocketException) as error:
            return 1006, str(error) or type(error).__name__
        try:
            await self._serve(socket)
        except ConnectionClosed as error:
            return (error.rcvd.code, error.rcvd.reason) if error.rcvd else (1006, "the connection was lost")
        except asyncio.TimeoutError:
            return 1006, "the server did not answer"
        except ProtocolError as error:
            return 4400, str(error)
        finally:
            with self._lock:
                if self._connected:
                    self._lost_at = time.monotonic()
                self._connected = False
                self._outbox.clear()
            self._socket = None
            await socket.close()
        return 1006, "closed"

    async def _serve(self, socket: Socket) -> None:
        await socket.send(wire.pack(wire.body(self._hello())))
        welcome, _ = wire.unpack(await asyncio.wait_for(socket.recv(), 10))
        if welcome["type"] != "welcome":
            raise ProtocolError(f"the server answered hello with {welcome['type']}")
        self._socket = socket
        cancelled = self._resume(welcome)
        self._handler.ready(welcome)
        for owner in cancelled:
            self._cancel(owner)
        tasks = [asyncio.ensure_future(self._write(socket)), asyncio.ensure_future(self._read(socket))]
        if not self._options.supervised:
            tasks.append(asyncio.ensure_future(self._beat(welcome.get("heartbeat_ms", 2000) / 1000)))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        failures = [e for e in ended if isinstance(e, Exception)]
        for failure in sorted(failures, key=lambda e: isinstance(e, ConnectionClosed)):
            raise failure

    def _hello(self) -> dict[str, Any]:
        options = self._options
        return {
            "type": "hello",
            "protocol": wire.PROTOCOL,
            "session": options.session,
            "secret": options.secret,
            "supervised": options.supervised,
            **self._handler.hello(),
            "owned": [{"owner": o.owner, "epoch": o.epoch, "sent_n": o.sent_n} for o in self.owners],
        }

    def _resume(self, welcome: dict[str, Any]) -> list[Owner]:
        """Goes on with what the server says is still this worker's; returns the runs to be cancelled."""
        known = {(o["owner"], o["epoch"]): o for o in welcome.get("owned") or ()}
        for owner in self.owners:
            if known.get(owner.key, {"state": "superseded"})["state"] == "superseded":
                self._lose(owner, "the server gave it to another worker")
        cancelled: list[Owner] = []
        with self._lock:
            self._outbox.clear()
            for key, owner in self._owners.items():
                owner.rewind(known[key].get("applied_n", 0))
                self._outbox.append(owner)
                if known[key]["state"] == "cancel":
                    cancelled.append(owner)
            self._outbox.extend(self._requests.to_replay())
            self._generation += 1
            self._connected = True
        for owner in self.owners:
            self._settle(owner)
        self._ring()
        return cancelled

    async def _write(self, socket: Socket) -> None:
        assert self._wake is not None
        while True:
            while self._outbox:
                item = self._outbox.popleft()
                if not isinstance(item, Owner):
                    await socket.send(item)
                    continue
                for _ in range(64):
                    message = item.next_unsent()
                    if message is None:
                        break
                    await socket.send(message.payload)
                else:
                    self._outbox.append(item)
            await self._wake.wait()
            self._wake.clear()

    async def _read(self, socket: Socket) -> None:
        while True:
            message, blobs = wire.unpack(await socket.recv())
            self._dispatch(message, blobs)

    async def _beat(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            self.notify({"type": "beat"})

    def _dispatch(self, message: dict[str, Any], blobs: list[bytes]) -> None:
        kind = message["type"]
        if kind == "ack":
            if owner := self._owner(message):
                owner.ack(message["n"])
                self._settle(owner)
        elif kind == "reply":
            self._requests.answer(message, blobs)
        elif kind == "lease":
            run = message["run"]
            if (run["run_id"], run["epoch"]) not in self._owners:
                self._handler.lease(run, self.adopt(run["run_id"], run["epoch"], run["thread_id"]))
        elif kind == "superseded":
            if owner := self._owner(message):
                self._lose(owner, message.get("reason") or "another worker has the run")
        elif kind == "cancel":
            if owner := self._owner(message):
                self._cancel(owner)
        elif kind == "request":
            self._serve_request(message)
        elif kind == "drain":
            self._handler.drain()
        else:
            raise ProtocolError(f"the server sent an unknown message type {kind!r}")

    def _serve_request(self, message: dict[str, Any]) -> None:
        params = message.get("params") or {}
        owner = None
        if "operation" in params:
            owner = self.adopt(params["operation"], params["epoch"], params["thread_id"])
        self._handler.request(Ticket(message["id"], self._generation), message["method"], params, owner)

    def _owner(self, message: dict[str, Any]) -> Owner | None:
        return self._owners.get((message["owner"], message["epoch"]))

    def _cancel(self, owner: Owner) -> None:
        """User code of the run may do nothing more; its completion goes out within CANCEL_GRACE."""
        owner.cancel("the run was cancelled")
        self._loop.call_later(CANCEL_GRACE, owner.complete, "cancelled")
        self._handler.cancelled(owner)

    def _lose(self, owner: Owner, reason: str) -> None:
        owner.supersede(reason)
        self._settle(owner)
        self._handler.cancelled(owner)

    def _settle(self, owner: Owner) -> None:
        if owner.over:
            with self._lock:
                self._owners.pop(owner.key, None)
            self._handler.settled()

    def _renew(self, reason: str) -> None:
        """The session has expired. The next one beats for itself: no supervisor knows its name."""
        log.warning("the session has expired (%s); its runs are lost", reason or "no reason given")
        for owner in self.owners:
            self._lose(owner, "the session of this worker has expired")
        self._options.session = str(uuid.uuid4())
        self._options.secret = secrets.token_hex(32)
        self._options.supervised = False
        self._handler.renewed()

    def _put(self, item: Union[Owner, wire.Payload]) -> None:
        with self._lock:
            if not self._connected:
                return
            self._outbox.append(item)
        self._ring()

    def _ring(self) -> None:
        """Wakes the writer, at most once for many messages."""
        if self._wake_pending:
            return
        self._wake_pending = True
        try:
            self._loop.call_soon_threadsafe(self._woken)
        except RuntimeError:
            pass  # The loop is closed; nothing is sent any more.

    def _woken(self) -> None:
        self._wake_pending = False
        if self._wake is not None:
            self._wake.set()

    def _check(self) -> None:
        if self._failed is not None:
            raise type(self._failed)(*self._failed.args)

    def _fail(self, message: str) -> None:
        self._end(HostError(message))
        self._handler.fatal(message)

    def _end(self, error: HostError) -> None:
        with self._lock:
            self._failed = self._failed or error
            self._requests.fail_all(error)
        for owner in self.owners:
            owner.supersede(str(error))

    async def _stop(self) -> None:
        self._stopping = True
        socket = self._socket
        if socket is not None:
            deadline = time.monotonic() + 1
            while self._outbox and self._socket is socket and time.monotonic() < deadline:
                await asyncio.sleep(0.01)
            await socket.close()
        if self._task is not None:
            self._task.cancel()


async def _cancel_all() -> None:
    """Ends what else runs on the current loop."""
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
