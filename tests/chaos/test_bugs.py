"""The bugs that `scripts/chaos-bugs.sh` plants, each of which a storm has to find: they still fit the sources, and are
those of the simulation and more. README.md tells what is written above a patch, and which bugs have no place here."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from processes import ROOT

FOLDER = Path(__file__).parent / "bugs"
BUGS = sorted(FOLDER.glob("*.patch"))


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.stem)
def test_it_can_be_planted(bug: Path) -> None:
    words = ["patch", "--dry-run", "--force", "--fuzz=0", "-p1", "-i", str(bug)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_bug_of_the_simulation_is_planted_or_has_no_place() -> None:
    simulated = re.findall(r'"([^"]+)", \d+}', (ROOT / "tests" / "simulation" / "bugs" / "bugs.cpp").read_text())
    planted = [name for bug in BUGS for name in re.findall(r"^simulation: (.+)$", bug.read_text(), re.MULTILINE)]
    rows = (FOLDER / "README.md").read_text().partition("that have no place here:")[2]
    without_place = re.findall(r"^\| (?!bug \|)([^|]+) \|", rows, re.MULTILINE)
    assert simulated and sorted(planted + without_place) == sorted(simulated)
