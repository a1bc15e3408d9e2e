"""A storm: clients, faults, and the oracle when both are over."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster import Cluster
from faults import Faults
from journal import Journal
from load import Load
from oracle import Oracle
from processes import Project
from readers import SlowReaders

SEED = os.environ.get("CHAOS_SEED") or str(random.SystemRandom().randrange(1_000_000))
CLIENTS = 10


class Storm:
    """Over the cluster that `make` gives. `name` says which it is, and `replay` how it is had again."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], name: str, replay: str) -> None:
        self._capsys, self._folder = capsys, folder
        self._name, self._replay = f"seed {SEED}, {name}", f"SEED={SEED} {replay}"
        self.project = Project(folder, "chaos/graphs")
        self.journal = Journal(self.project.journal.path)
        self._say(f"\n  chaos: {self._name}")
        self._began = time.monotonic()

    def _say(self, what: str) -> None:
        with self._capsys.disabled():
            print(what)

    def blow(self, cluster: Cluster, faults: Faults, oracle: Callable[[], Oracle]) -> None:
        load = Load(cluster, self.journal, SEED, CLIENTS)
        slow = SlowReaders(cluster.url, self.journal)
        try:
            faults.run()
            cluster.heal()
            load.finish()
            if not self.journal.failures:
                judge = oracle()
                judge.wait_idle()
                judge.judge()
        except Exception as error:  # noqa: BLE001 - told with the seed and the journal
            self.journal.fail("storm", str(error))
        finally:
            slow.close()
            cluster.stop()

    def conclude(self) -> None:
        """Tells what there was, and fails where something was wrong."""
        journal = self.journal
        took = time.monotonic() - self._began
        self._say(f"  {len(journal.runs)} runs, {journal.events} answers and frames in {took:.0f} s")
        self._say(f"  {', '.join(f'{what}: {n}' for what, n in sorted(journal.counts.items()))}")
        ids = [word for failure in journal.failures for word in failure.split() if len(word) == 36]
        failures = "\n".join(journal.failures)
        again = f"again: {self._replay} make chaos"
        assert not failures, f"{self._name}, {self._folder}; {again}\n{failures}\n\n{journal.tell(*ids)}"
