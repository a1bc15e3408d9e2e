"""What one of all instances does at a time: which of them it is, and how soon another one takes it over."""

from __future__ import annotations

import signal
import time

import pytest

from postgres import Database
from pooler import Pooler
from processes import Project, ServeServer, until

PROMISE = 5.0
"""Seconds from a fault until another instance leads, on a machine that has time for it."""
LOADED = 10.0
"""What a machine that has much else to do may add to it."""


def leads(instance: ServeServer) -> bool:
    return instance.api.gauge("duragraph_leader") == 1


@pytest.mark.parametrize("fault", ["killed", "stopped", "half-open"])
def test_another_one_leads_soon_after_it(project: Project, migrated: Database, fault: str) -> None:
    # The first one's way to the database is one that can fall silent.
    with Pooler(migrated, "session") as way:
        first = ServeServer(project, way.url, worker=False)
        until(lambda: leads(first), "the first leader")
        others = [ServeServer(project, migrated.url, worker=False) for _ in range(2)]
        assert not any(map(leads, others))
        begun = time.monotonic()
        if fault == "killed":
            first.kill()
        elif fault == "stopped":
            first.signal(signal.SIGSTOP)
        else:
            way.stall()
        until(lambda: any(map(leads, others)), "another leader", 2 * (PROMISE + LOADED))
        seconds = time.monotonic() - begun
        if fault == "stopped":
            first.signal(signal.SIGCONT)
        elif fault == "half-open":
            # It gives up by itself what it cannot hold, and hears of nothing while it does.
            until(lambda: not leads(first), "the first one's end as the leader")
            way.flow()
        if fault != "killed":
            until(lambda: "the database is back" in first.output, lambda: first.output)
            assert not leads(first)
        assert sum(map(leads, others)) == 1
        assert seconds < PROMISE + LOADED, f"another instance led after {seconds:.1f} s"
