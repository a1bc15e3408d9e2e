"""Kills and pauses: a schedule that follows from a seed, and what strikes by it."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from audit import verify
from cluster import Cluster
from journal import GUARD, Journal
from processes import until

KILLS = {
    "kill the server": 7,
    "kill a worker": 6,
    "kill two workers": 3,
    "kill a supervisor": 3,
    "kill the server and a worker": 2,
    "kill everything": 1,
}
PAUSES = {
    "pause a worker for less than its lease": 4,
    "pause a worker until its lease is lost": 2,
    "pause the server": 3,
}
PAUSES_PER_KILL = 0.4
GAPS = {(0, 0): 1, (1, 40): 3, (40, 200): 4, (200, 600): 2}
"""How many events pass between two strikes; none means while the last one is not yet mended."""


@dataclass(frozen=True)
class Strike:
    """One fault: after how many events since the last one, what, and on which process (modulo how many there are)."""

    gap: int
    kind: str
    target: int
    share: float
    """Of 0 to 1: how long a pause is."""
    check: bool
    """Whether a server's database is verified while the server is dead."""


def schedule(seed: str, kills: int) -> list[Strike]:
    """As many strikes that kill, and pauses between them."""
    rng = random.Random(f"faults {seed}")
    strikes = []
    while kills > 0:
        pauses = rng.random() < PAUSES_PER_KILL / (1 + PAUSES_PER_KILL)
        kinds = PAUSES if pauses else KILLS
        kind = rng.choices(list(kinds), list(kinds.values()))[0]
        gap = rng.randint(*rng.choices(list(GAPS), list(GAPS.values()))[0])
        strikes.append(Strike(gap, kind, rng.randrange(1 << 16), rng.random(), rng.random() < 0.25))
        kills -= not pauses
    return strikes


class Faults:
    """Strikes a cluster by a schedule. Pauses last while other strikes happen."""

    def __init__(self, cluster: Cluster, journal: Journal, strikes: list[Strike]) -> None:
        self._cluster, self._journal, self._strikes = cluster, journal, strikes
        self._pauses: list[threading.Thread] = []
        self._paused: set[int] = set()
        """Workers that stand still: a second pause would end with the first."""

    def run(self) -> None:
        for number, strike in enumerate(self._strikes):
            self._journal.wait_events(self._journal.events + strike.gap)
            if self._journal.failures:
                break
            self._journal.say("faults", f"{number}: {strike.kind} ({strike.target}) after {strike.gap} events")
            self._journal.count(strike.kind)
            self._strike(strike)
        for pause in self._pauses:
            pause.join(2 * GUARD)

    def _strike(self, strike: Strike) -> None:
        match strike.kind:
            case "kill the server":
                self._kill_server(strike)
            case "kill a worker":
                self._kill_workers(strike, 1)
            case "kill two workers":
                self._kill_workers(strike, 2)
            case "kill a supervisor":
                index = strike.target % len(self._cluster.supervisors)
                self._cluster.kill_supervisor(index)
                self._cluster.start_supervisor(index)
            case "kill the server and a worker":
                self._kill_workers(strike, 1)
                self._kill_server(strike)
            case "kill everything":
                self._kill_everything(strike)
            case "pause a worker for less than its lease":
                self._pause_worker(strike, 0.1 + 5 * strike.share)
            case "pause a worker until its lease is lost":
                self._pause_worker(strike, None)
            case "pause the server":
                self._pause_server(strike)

    def _kill_server(self, strike: Strike) -> None:
        self._cluster.kill_server()
        if strike.check:
            verify(self._cluster.project)
        self._cluster.start_server()

    def _kill_workers(self, strike: Strike, count: int) -> None:
        workers = self._cluster.workers()
        for i in range(min(count, len(workers))):
            self._cluster.signal_worker(workers[(strike.target + i) % len(workers)], signal.SIGKILL)

    def _kill_everything(self, strike: Strike) -> None:
        for index in range(len(self._cluster.supervisors)):
            self._cluster.kill_supervisor(index)
        for pid in self._cluster.workers():
            self._cluster.signal_worker(pid, signal.SIGKILL)
        self._kill_server(strike)
        for index in range(len(self._cluster.supervisors)):
            self._cluster.start_supervisor(index)

    def _pause_worker(self, strike: Strike, seconds: float | None) -> None:
        workers = self._cluster.workers() if seconds is not None else self._cluster.sessions()
        going = sorted(set(workers) - self._paused)
        if going:
            pid = going[strike.target % len(going)]
            self._paused.add(pid)
            self._cluster.signal_worker(pid, signal.SIGSTOP)
            self._begin_pause(f"worker {pid}", lambda: self._resume_worker(pid, seconds))

    def _resume_worker(self, pid: int, seconds: float | None) -> None:
        if seconds is None:
            until(lambda: pid not in self._cluster.sessions(), f"the end of the session of {pid}", GUARD)
        else:
            time.sleep(seconds)
        self._cluster.signal_worker(pid, signal.SIGCONT)
        self._paused.discard(pid)

    def _pause_server(self, strike: Strike) -> None:
        """Now and then for longer than a lease, which is no reason to take one."""
        server = self._cluster.server
        seconds = 12 if strike.share > 0.9 else 0.05 + 2 * strike.share

        def resume() -> None:
            time.sleep(seconds)
            if server.process.poll() is None:
                server.signal(signal.SIGCONT)

        server.signal(signal.SIGSTOP)
        self._begin_pause(f"server {server.pid}", resume)

    def _begin_pause(self, what: str, resume: Callable[[], None]) -> None:
        def run() -> None:
            try:
                resume()
                self._journal.say("faults", f"{what} goes on")
            except Exception as error:  # noqa: BLE001 - told by the storm's thread
                self._journal.fail("faults", f"{what}: {error}")

        self._pauses.append(threading.Thread(target=run, daemon=True))
        self._pauses[-1].start()
