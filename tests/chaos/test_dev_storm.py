"""Random kills and pauses of a server and its workers, under clients that do everything at once.

CHAOS_KILLS says how many kills (25), CHAOS_SEED which storm; without one it is another each time. The seed decides
what each client does and what strikes after how many events; how the processes interleave it cannot decide.
"""

from __future__ import annotations

import os
import random
import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import pytest

from audit import assert_clean, database
from cluster import DevCluster
from dev_faults import DevFaults, schedule
from oracle import TERMINAL, Oracle, assert_ends
from storm import SEED, Storm

KILLS = int(os.environ.get("CHAOS_KILLS") or 25)


def terminal_events(database: Path) -> dict[str, list[str]]:
    """By run: the events that ended it."""
    ends: dict[str, list[str]] = defaultdict(list)
    marks = ", ".join("?" for _ in TERMINAL)
    with closing(sqlite3.connect(database)) as db:
        for run_id, kind in db.execute(f"SELECT aggregate_id, type FROM events WHERE type IN ({marks})", TERMINAL):
            ends[run_id].append(kind)
    return ends


@pytest.mark.timeout(600 + 30 * KILLS)
def test_a_storm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    storm = Storm(tmp_path, capsys, f"{KILLS} kills of duragraph dev", f"KILLS={KILLS}")
    project, journal = storm.project, storm.journal
    cluster = DevCluster(project, own_worker=random.Random(f"cluster {SEED}").random() < 0.5)
    faults = DevFaults(cluster, journal, schedule(SEED, KILLS))
    storm.blow(cluster, faults, lambda: Oracle(cluster.url, journal, loses_wakeups=False))
    refused = [count for count in journal.counts if count.startswith("answers 50")]
    if refused:
        journal.fail("clients", f"one server alone never says that it cannot answer: {refused}")
    try:
        assert_ends(journal, terminal_events(database(project)))
        assert_clean(project)
    except AssertionError as error:
        journal.fail("verify", str(error))
    storm.conclude()
