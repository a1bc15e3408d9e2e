"""What strikes a cluster, by a schedule that follows from a seed: what is alike for each kind of cluster."""

from __future__ import annotations

import random
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from cluster import Cluster
from journal import GUARD, Journal
from processes import until

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


def strike(rng: random.Random, kind: str) -> Strike:
    gap = rng.randint(*rng.choices(list(GAPS), list(GAPS.values()))[0])
    return Strike(gap, kind, rng.randrange(1 << 16), rng.random(), rng.random() < 0.25)


class Faults(ABC):
    """Strikes a cluster by a schedule. Pauses last while other strikes happen."""

    def __init__(self, cluster: Cluster, journal: Journal, strikes: Iterable[Strike]) -> None:
        self._cluster, self._journal, self._strikes = cluster, journal, strikes
        self._pauses: list[threading.Thread] = []
        self._paused: set[int] = set()
        """Workers that stand still: a second pause would end with the first."""

    @abstractmethod
    def kinds(self) -> dict[str, Callable[[Strike], None]]:
        """By name: what strikes."""

    def run(self) -> None:
        kinds = self.kinds()
        for number, strike in enumerate(self._strikes):
            self._journal.wait_events(self._journal.events + strike.gap)
            if self._journal.failures:
                break
            self._journal.say("faults", f"{number}: {strike.kind} ({strike.target}) after {strike.gap} events")
            self._journal.count(strike.kind)
            kinds[strike.kind](strike)
        for pause in self._pauses:
            pause.join(2 * GUARD)

    def _of_workers(self) -> dict[str, Callable[[Strike], None]]:
        """Those that strike workers and supervisors, which each kind of cluster has."""
        return {
            "kill a worker": partial(self._kill_workers, count=1),
            "kill two workers": partial(self._kill_workers, count=2),
            "kill a supervisor": self._kill_supervisor,
            "pause a worker for less than its lease": lambda strike: self._pause_worker(strike, 0.1 + 5 * strike.share),
            "pause a worker until its lease is lost": lambda strike: self._pause_worker(strike, None),
        }

    def _kill_workers(self, strike: Strike, count: int) -> None:
        workers = self._cluster.workers()
        for i in range(min(count, len(workers))):
            self._cluster.signal_worker(workers[(strike.target + i) % len(workers)], signal.SIGKILL)

    def _kill_supervisor(self, strike: Strike) -> None:
        index = strike.target % len(self._cluster.supervisors)
        self._cluster.kill_supervisor(index)
        self._cluster.start_supervisor(index)

    def _kill_all_workers(self) -> None:
        for index in range(len(self._cluster.supervisors)):
            self._cluster.kill_supervisor(index)
        for pid in self._cluster.workers():
            self._cluster.signal_worker(pid, signal.SIGKILL)

    def _start_supervisors(self) -> None:
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

    def _begin_pause(self, what: str, resume: Callable[[], None]) -> None:
        def run() -> None:
            try:
                resume()
                self._journal.say("faults", f"{what} goes on")
            except Exception as error:  # noqa: BLE001 - told by the storm's thread
                self._journal.fail("faults", f"{what}: {error}")

        self._pauses.append(threading.Thread(target=run, daemon=True))
        self._pauses[-1].start()
