"""The units of deploy/systemd."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from processes import ROOT, binary

UNITS = ["duragraph.service", "duragraph-worker@.service"]
pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze here")


@pytest.mark.parametrize("name", UNITS)
def test_systemd_has_nothing_to_remark(name: str, tmp_path: Path) -> None:
    program = binary()
    assert program
    text = (ROOT / "deploy" / "systemd" / name).read_text()
    assert "ExecStart=/usr/local/bin/duragraph " in text
    # The program is elsewhere here, and the unit's user exists where it is installed.
    text = text.replace("/usr/local/bin/duragraph", program).replace("User=duragraph", "User=daemon")
    unit = tmp_path / name.replace("@", "@one")
    (tmp_path / name).write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, timeout=60)
    remarks = [line for line in done.stderr.splitlines() if "duragraph" in line]
    assert done.returncode == 0 and not remarks, done.stderr


@pytest.mark.parametrize(("name", "most"), [(UNITS[0], 15), (UNITS[1], 25)])
def test_a_unit_is_confined(name: str, most: int) -> None:
    """`most` is systemd's measure of exposure, in tenths: 0 is none, 100 is all."""
    command = ["systemd-analyze", "security", "--offline=yes", f"--threshold={most}", "--no-pager"]
    done = subprocess.run(
        [*command, ROOT / "deploy" / "systemd" / name], capture_output=True, text=True, errors="replace", timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
