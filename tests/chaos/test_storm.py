"""Random kills and pauses of a server and its workers, under clients that do everything at once.

CHAOS_KILLS says how many kills (25), CHAOS_SEED which storm; without one it is another each time. The seed decides
what each client does and what strikes after how many events; how the processes interleave it cannot decide.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from audit import assert_clean, database
from cluster import Cluster
from faults import Faults, schedule
from journal import Journal
from load import Load
from oracle import Oracle, terminal_events
from processes import Project

KILLS = int(os.environ.get("CHAOS_KILLS") or 25)
SEED = os.environ.get("CHAOS_SEED") or str(random.SystemRandom().randrange(1_000_000))
CLIENTS = 10


def storm(project: Project, journal: Journal) -> None:
    cluster = Cluster(project, own_worker=random.Random(f"cluster {SEED}").random() < 0.5)
    load = Load(cluster.url, journal, SEED, CLIENTS)
    try:
        Faults(cluster, journal, schedule(SEED, KILLS)).run()
        cluster.heal()
        load.finish()
        if not journal.failures:
            oracle = Oracle(cluster.url, journal)
            oracle.wait_idle()
            oracle.judge()
    except AssertionError as error:
        journal.fail("storm", str(error))
    finally:
        programs = (cluster.server, *cluster.supervisors)
        for program in programs:
            program.stop()
        project.close()
        output = [*cluster.output, *(program.output for program in programs)]
        (project.base / "processes.log").write_text("\n".join(output))


def judge_database(project: Project, journal: Journal) -> None:
    """Each run's events end it once, unless its question is open; and everything fits together."""
    ends = terminal_events(database(project))
    for run in journal.runs:
        wanted = 0 if run.state == "requires_action" else 1
        if run.state and len(ends[run.run_id]) != wanted:
            journal.fail("oracle", f"{run} is {run.state} and has ended by {ends[run.run_id]}")
    try:
        assert_clean(project)
    except AssertionError as error:
        journal.fail("verify", str(error))


@pytest.mark.timeout(600 + 30 * KILLS)
def test_a_storm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n  chaos: seed {SEED}, {KILLS} kills")
    began = time.monotonic()
    project = Project(tmp_path, "chaos/graphs")
    journal = Journal(project.journal.path)
    storm(project, journal)
    judge_database(project, journal)
    took = time.monotonic() - began
    with capsys.disabled():
        print(f"  {len(journal.runs)} runs, {journal.events} answers and frames in {took:.0f} s")
        print(f"  {', '.join(f'{what}: {n}' for what, n in sorted(journal.counts.items()))}")
    ids = [word for failure in journal.failures for word in failure.split() if len(word) == 36]
    failures = "\n".join(journal.failures)
    assert not failures, f"seed {SEED}, {KILLS} kills, {tmp_path}:\n{failures}\n\n{journal.tell(*ids)}"
