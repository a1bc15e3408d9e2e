"""The worker process: takes runs from the server, executes them, and knows when to end."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

from . import runner
from .answers import answer
from .channel import RunChannel
from .connection import Connection
from .errors import RunDead
from .executor import Key, RunExecutor, current_run
from .loader import Project
from .owner import Owner
from .saver import ServerSaver
from .session import Options, Ticket
from .settings import EventPipe, Settings, watch_control
from .store import ServerStore
from .versions import library_versions

log = logging.getLogger("duragraph")

THREADS_PER_SLOT = 4
SESSION_SECONDS = 10.0
"""How long a session lives unheard; an orphan without a connection for that long has lost its runs."""

EXIT_DRAINED = 0
EXIT_FATAL = 1
EXIT_BROKEN = 3
EXIT_RECYCLE = 75
"""Too many threads are stuck in cancelled runs: the supervisor should start a fresh process."""


@dataclasses.dataclass
class _Run:
    owner: Owner
    task: asyncio.Task[None]


class Host:
    """Runs on the event loop that graphs run on; the connection calls it from its own thread.

    The methods that the connection calls (its `Handler`) only pass the news on to the loop.
    """

    def __init__(self, settings: Settings, project: Project, events: EventPipe) -> None:
        self._settings = settings
        self._project = project
        self._events = events
        self._revision = settings.revision or project.revision()
        self._versions = library_versions()
        self._slots = settings.slots
        self._draining = False
        self._said = (settings.slots, False)
        self._orphaned = False
        self._recycling = False
        self._announced = False
        self._proven = False
        self._runs: dict[Key, _Run] = {}
        self._answers: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_event_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._executor = RunExecutor(settings.slots * THREADS_PER_SLOT, self.settled)
        self._connection = Connection(
            Options(settings.url, settings.token, settings.session, settings.secret, settings.supervised),
            self,
        )

    async def run(self) -> int:
        """Serves until the process is to end; the exit code."""
        self._loop.set_default_executor(self._executor)
        self._handle_signals()
        watch_control(
            lambda line: self._post(self._drain) if line.get("cmd") == "drain" else None,
            lambda: self._post(self._orphan),
        )
        self._connection.start()
        code = await self._ended
        self._connection.stop()
        return code

    # What the connection says, on its thread.

    def hello(self) -> dict[str, Any]:
        return {
            "worker": {
                "name": f"{socket.gethostname()}:{os.getpid()}",
                "pid": os.getpid(),
                "language": "python",
                "versions": self._versions,
            },
            "revision": self._revision,
            "slots": self._slots,
            "draining": self._draining,
            "graphs": graphs_of(self._project),
        }

    def ready(self, welcome: dict[str, Any]) -> None:
        if not self._announced:
            self._announced = True
            served = sorted(entry.graph_id for entry in self._project.graphs.values() if entry.error is None)
            self._events.emit("ready", graphs=served)
        log.info("connected to %s (%s)", self._settings.url, welcome.get("version"))

    def lease(self, run: dict[str, Any], owner: Owner) -> None:
        self._post(self._start, run, owner)

    def cancelled(self, owner: Owner) -> None:
        self._post(self._stop_run, owner)

    def request(self, ticket: Ticket, method: str, params: dict[str, Any], owner: Owner | None) -> None:
        self._post(self._start_answer, ticket, method, params, owner)

    def drain(self) -> None:
        self._post(self._drain)

    def settled(self) -> None:
        self._post(self._review)

    def renewed(self) -> None:
        if self._orphaned:
            self._post(self._end, EXIT_DRAINED)

    def fatal(self, message: str) -> None:
        log.error("%s", message)
        self._post(self._end, EXIT_FATAL)

    # On the loop.

    def _post(self, function: Callable[..., Any], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            pass  # The loop is closed: the process ends.

    def _start(self, run: dict[str, Any], owner: Owner) -> None:
        if owner.dead:
            owner.complete("cancelled")
            return
        task = self._loop.create_task(self._execute(run, owner))
        task.add_done_callback(lambda ended: self._finished(owner, ended))
        self._runs[owner.key] = _Run(owner, task)

    async def _execute(self, run: dict[str, Any], owner: Owner) -> None:
        current_run.set(owner.key)
        status, error = await self._outcome(run, owner)
        if owner.complete("cancelled" if owner.dead else status, None if owner.dead else error):
            self._prove()

    def _prove(self) -> None:
        """The supervisor replaces a process that has finished a run without a pause."""
        if not self._proven:
            self._proven = True
            self._events.emit("finished")

    def _finished(self, owner: Owner, task: asyncio.Task[None]) -> None:
        """Completes what could not complete itself: cancelled before its first step, or closed by a GeneratorExit."""
        error = None if task.cancelled() else task.exception()
        if error is None or owner.dead:
            owner.complete("cancelled")
        else:
            owner.complete("error", runner.describe_error(error))
        self._review()

    async def _outcome(self, run: dict[str, Any], owner: Owner) -> tuple[str, dict[str, Any] | None]:
        entry = self._project.graphs.get(run["graph_id"])
        if entry is None:
            return "error", {"error": "KeyError", "message": f"this worker has no graph {run['graph_id']!r}"}
        wait = run.get("durability") == "sync"
        saver = ServerSaver(
            self._connection,
            owner=owner,
            serde=self._project.serde,
            wait=wait,
            is_new_thread=run.get("has_checkpoints") is False,
        )
        channel = RunChannel(owner, saver, ServerStore(self._connection, owner=owner))
        try:
            outcome = await runner.execute(self._project, entry, run, channel)
            return outcome.status, outcome.error
        except RunDead:
            return "cancelled", None
        except asyncio.CancelledError as error:  # Of the graph's own: the result of a cancelled run does not count.
            said = str(error) or "the graph's own task was cancelled"
            return "error", {**runner.describe_error(error), "message": said}
        except BaseException as error:  # noqa: BLE001 - the run is to end, whatever happened
            log.exception("run %s failed outside of its graph", run["run_id"])
            return "error", {"error": type(error).__name__, "message": str(error)}

    def _stop_run(self, owner: Owner) -> None:
        run = self._runs.get(owner.key)
        if run is not None:
            run.task.cancel()

    def _start_answer(self, ticket: Ticket, method: str, params: dict[str, Any], owner: Owner | None) -> None:
        task = self._loop.create_task(self._answer(ticket, method, params, owner))
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer(self, ticket: Ticket, method: str, params: dict[str, Any], owner: Owner | None) -> None:
        fields = await answer(self._project, self._connection, method, params, owner)
        if owner is not None:
            self._connection.release(owner)
        try:
            self._connection.reply(ticket, fields)
        except Exception as error:  # noqa: BLE001 - too large, or not JSON
            self._connection.reply(ticket, {"error": {"code": "too_large", "message": str(error)}})
        self._loop.call_soon(self._review)

    def _review(self) -> None:
        """Counts the slots that stuck threads hold, tells the server, and ends when nothing is left."""
        for key, run in list(self._runs.items()):
            if run.task.done() and not self._executor.busy(key):
                del self._runs[key]
        stuck = sum(run.owner.completed or run.owner.superseded for run in self._runs.values())
        if 2 * stuck > self._settings.slots and not self._recycling:
            log.warning("%d cancelled runs still hold threads; this process ends when it is idle", stuck)
            self._recycling = True
            self._draining = True
        self._tell(max(0, self._settings.slots - stuck))
        if self._draining and stuck == len(self._runs) and not self._answers and not self._connection.owners:
            self._end(EXIT_RECYCLE if self._recycling and not self._orphaned else EXIT_DRAINED)

    def _tell(self, slots: int) -> None:
        said, self._said = self._said, (slots, self._draining)
        self._slots = slots
        if said != self._said:
            self._connection.notify({"type": "slots", "slots": slots, "draining": self._draining})

    def _drain(self) -> None:
        self._draining = True
        self._review()

    def _orphan(self) -> None:
        """The supervisor is gone: what finishes within the session's time counts, and then it is over."""
        if not self._orphaned:
            log.warning("the supervisor is gone; ending when nothing runs any more")
        self._orphaned = True
        if self._connection.disconnected_for() > SESSION_SECONDS:
            self._end(EXIT_DRAINED)
            return
        self._drain()
        self._loop.call_later(1, self._orphan)

    def _end(self, code: int) -> None:
        if not self._ended.done():
            self._ended.set_result(code)

    def _handle_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: int) -> None:
        """The first signal drains, the second ends at once."""
        if self._draining:
            self._end(128 + number)
        self._drain()


def graphs_of(project: Project) -> list[dict[str, Any]]:
    """The graphs as hello lists them."""
    listed = []
    for entry in project.graphs.values():
        graph: dict[str, Any] = {"graph_id": entry.graph_id}
        if entry.description is not None:
            graph["description"] = entry.description
        if entry.error is not None:
            graph["error"] = dataclasses.asdict(entry.error)
        listed.append(graph)
    return listed
