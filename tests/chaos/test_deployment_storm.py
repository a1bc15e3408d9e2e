"""All that may happen to a deployment as in production, under clients that do everything at once.

Without CHAOS_MINUTES every kind of fault strikes once or some times; with it, round after round for so long. The seed
(CHAOS_SEED, else another each time) decides what each client does, and what strikes after how many events.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deployment import Deployment
from deployment_faults import DeploymentFaults, rounds
from deployment_oracle import DeploymentOracle, judge_database
from faults import Strike
from storm import SEED, Storm

MINUTES = float(os.environ.get("CHAOS_MINUTES") or 0)
MIXED = bool(os.environ.get("CHAOS_MIXED"))
"""Whether one of the instances is of the next release."""
ONLY = os.environ.get("CHAOS_ONLY", "")
"""Words in the names of faults: no others strike."""


def schedule() -> Iterator[Strike]:
    end = time.monotonic() + 60 * MINUTES
    for strikes in rounds(SEED):
        for strike in strikes:
            if not ONLY or any(word in strike.kind for word in ONLY.split(",")):
                yield strike
            if MINUTES and time.monotonic() > end:
                return
        if not MINUTES:
            return


@pytest.mark.timeout(900 + 120 * MINUTES)
def test_a_storm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    length = f"{MINUTES:g} minutes" if MINUTES else "a round"
    name = f"{length} over duragraph serve{' of two releases' if MIXED else ''}"
    storm = Storm(tmp_path, capsys, name, f"MINUTES={MINUTES:g}{' MIXED=1' if MIXED else ''}")
    kind = random.Random(f"balancer {SEED}").choice(["haproxy", "nginx"])
    with closing(storm.project), closing(Deployment(storm.project, kind, mixed=MIXED)) as deployment:
        longest_away = 60 if MINUTES else 5
        faults = DeploymentFaults(deployment, storm.journal, schedule(), longest_away)
        storm.blow(deployment, faults, lambda: DeploymentOracle(deployment, storm.journal))
        judge_database(deployment, storm.journal)
    storm.conclude()
