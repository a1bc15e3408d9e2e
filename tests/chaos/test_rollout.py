"""A release with another schema is rolled out under clients that do everything at once: two adjacent releases serve one
database side by side, and what holds of one holds of both."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from deployment import Deployment
from deployment_oracle import DeploymentOracle, judge_database
from faults import Faults, Strike
from journal import GUARD, Journal
from processes import until
from storm import Storm

GAP = 150
"""How many answers and frames clients get between two steps."""
UNNOTED = "SELECT count(*) FROM runs FULL JOIN run_births ON run_id = id WHERE id IS NULL OR run_id IS NULL"


class Rollout(Faults):
    """The schema first, then one instance after the other, of which one goes back for a while."""

    def __init__(self, deployment: Deployment, journal: Journal) -> None:
        super().__init__(deployment, journal, [])
        self._all = deployment

    def kinds(self) -> dict[str, Callable[[Strike], None]]:
        return {}

    def run(self) -> None:
        old = self._all.releases[0]
        steps = [self._all.upgrade, *(partial(self._replace, i) for i in (0, 1)), partial(self._replace, 0, old)]
        for step in [*steps, *(partial(self._replace, i) for i in (2, 0))]:
            self._journal.wait_events(self._journal.events + GAP)
            if self._journal.failures:
                return
            self._journal.say("faults", str(step))
            step()
        self._journal.wait_events(self._journal.events + GAP)

    def _replace(self, index: int, program: str = "") -> None:
        """By one of the newest release, or of another."""
        instance = self._all.instances[index]
        instance.program.signal(signal.SIGTERM)
        code = instance.program.wait(GUARD)
        assert code == 0, f"ended with {code}:\n{instance.program.output}"
        instance.run_from_now_on(program or self._all.releases[-1])
        self._all.start(instance)
        until(instance.is_ready, lambda: f"{instance}\n{instance.program.output}", GUARD)


@pytest.mark.timeout(600)
def test_a_rollout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    storm = Storm(tmp_path, capsys, "a rollout of the next release", "ROLLOUT=1")
    with closing(storm.project), closing(Deployment(storm.project, "haproxy")) as deployment:
        storm.blow(deployment, Rollout(deployment, storm.journal), lambda: DeploymentOracle(deployment, storm.journal))
        judge_database(deployment, storm.journal)
        if not storm.journal.failures:
            # Whichever release has made a run, the next one's schema knows of it.
            assert deployment.database.run(UNNOTED).strip() == "0"
    storm.conclude()
