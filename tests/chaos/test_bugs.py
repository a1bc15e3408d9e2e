"""The bugs that `scripts/chaos-bugs.sh` plants, each of which a storm has to find: they still fit the sources."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from processes import ROOT

BUGS = sorted((Path(__file__).parent / "bugs").glob("*.patch"))


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.stem)
def test_it_can_be_planted(bug: Path) -> None:
    words = ["patch", "--dry-run", "--force", "--fuzz=0", "-p1", "-i", str(bug)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
