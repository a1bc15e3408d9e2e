"""Kills and pauses of `duragraph dev`."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

from audit import verify
from cluster import DevCluster
from faults import Faults, Strike, strike
from journal import Journal

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


def schedule(seed: str, kills: int) -> list[Strike]:
    """As many strikes that kill, and pauses between them."""
    rng = random.Random(f"faults {seed}")
    strikes = []
    while kills > 0:
        pauses = rng.random() < PAUSES_PER_KILL / (1 + PAUSES_PER_KILL)
        kinds = PAUSES if pauses else KILLS
        kind = rng.choices(list(kinds), list(kinds.values()))[0]
        strikes.append(strike(rng, kind))
        kills -= not pauses
    return strikes


class DevFaults(Faults):
    def __init__(self, cluster: DevCluster, journal: Journal, strikes: list[Strike]) -> None:
        super().__init__(cluster, journal, strikes)
        self._dev = cluster

    def kinds(self) -> dict[str, Callable[[Strike], None]]:
        return self._of_workers() | {
            "kill the server": self._kill_server,
            "kill the server and a worker": self._kill_server_and_worker,
            "kill everything": self._kill_everything,
            "pause the server": self._pause_server,
        }

    def _kill_server(self, strike: Strike) -> None:
        self._dev.kill_server()
        if strike.check:
            verify(self._dev.project)
        self._dev.start_server()

    def _kill_server_and_worker(self, strike: Strike) -> None:
        self._kill_workers(strike, 1)
        self._kill_server(strike)

    def _kill_everything(self, strike: Strike) -> None:
        self._kill_all_workers()
        self._kill_server(strike)
        self._start_supervisors()

    def _pause_server(self, strike: Strike) -> None:
        """Now and then for longer than a lease, which is no reason to take one."""
        server = self._dev.server
        seconds = 12 if strike.share > 0.9 else 0.05 + 2 * strike.share

        def resume() -> None:
            time.sleep(seconds)
            if server.process.poll() is None:
                server.signal(signal.SIGCONT)

        server.signal(signal.SIGSTOP)
        self._begin_pause(f"server {server.pid}", resume)
