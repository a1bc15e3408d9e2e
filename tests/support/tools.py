"""The programs of tests/requirements-tools.txt."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

from processes import ROOT


@functools.cache
def tool(name: str) -> Path:
    """The path of the program, which is installed where it is missing."""
    folder = ROOT / "build" / "tools-env"
    made = [ROOT / "scripts" / "python-env.sh", folder, ROOT / "tests" / "requirements-tools.txt"]
    subprocess.run(made, stdout=subprocess.DEVNULL, check=True)
    return folder / "bin" / name
