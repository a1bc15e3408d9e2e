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
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from . import wire
from .errors import HostError, ProtocolError
from .outbox import Outbox
from .owner import Owner
from .owners import Owners
from .pending import OpenRequest, Reply, RequestTable
from .session import FATAL, Handler, Options, Ticket
from .transport import Socket, open_socket

log = logging.getLogger("duragraph")
T = TypeVar("T")

BACKOFF_MIN = 0.05
BACKOFF_MAX = 1.0


class Connection:
    """Keeps one session with the server. Its public methods may be called from any thread."""

    def __init__(self, options: Options, handler: Handler) -> None:
        self._options = options
        self._handler = handler
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._requests = RequestTable()
        self._outbox = Outbox(self._lock, self._loop)
        self._owners = Owners(self._lock, self._loop, handler, self._outbox.put)
        self._stopping = False
        self._failed: HostError | None = None
        self._generation = 0
        self._lost_at = time.monotonic()
        self._socket: Socket | None = None
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
        return self._owners.all()

    def disconnected_for(self) -> float:
        """Seconds since the connection was lost; 0 while there is one."""
        return 0.0 if self._outbox.is_open else time.monotonic() - self._lost_at

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
            if request.payload is not None:
                self._outbox.add(request.payload)
        self._outbox.ring()
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
        self._outbox.put(wire.pack(wire.body(fields)))

    def reply(self, ticket: Ticket, fields: dict[str, Any]) -> None:
        """Answers the server's request with a `result` or an `error`, if it can still be answered."""
        payload = wire.pack(wire.body({"type": "reply", "id": ticket.id, **fields}))
        with self._lock:
            if ticket.generation != self._generation:
                return
            self._outbox.add(payload)
        self._outbox.ring()

    def adopt(self, owner_id: str, epoch: int, thread_id: str) -> Owner:
        """Registers a run or operation that the server gave."""
        return self._owners.adopt(owner_id, epoch, thread_id)

    def release(self, owner: Owner) -> None:
        """Forgets an operation that is over."""
        self._owners.release(owner)

    # The thread.

    def _run_thread(self) -> None:
        asyncio.set_event_loop(self._loop)
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
            socket = await open_socket(self._options.url, self._options.token, self._options.session)
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
                if self._outbox.is_open:
                    self._lost_at = time.monotonic()
                self._outbox.close()
            self._socket = None
            await socket.close()
        return 1006, "closed"

    async def _serve(self, socket: Socket) -> None:
        await socket.send(wire.pack(wire.body(self._hello())))
        welcome, _ = wire.unpack(await asyncio.wait_for(socket.recv(), 10))[0]
        if welcome["type"] != "welcome":
            raise ProtocolError(f"the server answered hello with {welcome['type']}")
        self._socket = socket
        cancelled = self._resume(welcome)
        self._handler.ready(welcome)
        for owner in cancelled:
            self._owners.cancel(owner)
        tasks = [asyncio.ensure_future(self._outbox.write(socket)), asyncio.ensure_future(self._read(socket))]
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
        told = {(o["owner"], o["epoch"]): o for o in welcome.get("owned") or ()}
        self._owners.lose_superseded(told)
        with self._lock:
            live = self._owners.rewind(told)
            self._outbox.open([*live, *self._requests.to_replay()])
            self._generation += 1
        for owner in self.owners:
            self._owners.settle(owner)
        self._outbox.ring()
        return [owner for owner in live if told[owner.key]["state"] == "cancel"]

    async def _read(self, socket: Socket) -> None:
        while True:
            for message, blobs in wire.unpack(await socket.recv()):
                self._dispatch(message, blobs)

    async def _beat(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            self.notify({"type": "beat"})

    def _dispatch(self, message: dict[str, Any], blobs: list[bytes]) -> None:
        kind = message["type"]
        if kind == "acks":
            for owner_id, epoch, n in message["acks"]:
                if owner := self._owners.find(owner_id, epoch):
                    owner.ack(n)
                    self._owners.settle(owner)
        elif kind == "reply":
            self._requests.answer(message, blobs)
        elif kind == "lease":
            run = message["run"]
            if self._owners.find(run["run_id"], run["epoch"]) is None:
                self._handler.lease(run, self.adopt(run["run_id"], run["epoch"], run["thread_id"]))
        elif kind == "superseded":
            if owner := self._owner(message):
                self._owners.lose(owner, message.get("reason") or "another worker has the run")
        elif kind == "cancel":
            if owner := self._owner(message):
                self._owners.cancel(owner)
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
        return self._owners.find(message["owner"], message["epoch"])

    def _renew(self, reason: str) -> None:
        """The session has expired. The next one beats for itself: no supervisor knows its name."""
        log.warning("the session has expired (%s); its runs are lost", reason or "no reason given")
        for owner in self.owners:
            self._owners.lose(owner, "the session of this worker has expired")
        self._options.session = str(uuid.uuid4())
        self._options.secret = secrets.token_hex(32)
        self._options.supervised = False
        self._handler.renewed()

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
            while not self._outbox.is_empty() and self._socket is socket and time.monotonic() < deadline:
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
