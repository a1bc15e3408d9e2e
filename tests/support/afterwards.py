"""What is to be undone on this machine when a test is over, in whatever way it ends."""

from __future__ import annotations

import subprocess

from processes import ROOT


class Afterwards:
    """Runs a script of the shell, with these arguments, once it is closed or this process is no more."""

    def __init__(self, script: str, *arguments: object) -> None:
        guard = f"trap '' INT TERM HUP; read -r _; {script}"
        words = ["bash", "-c", guard, "afterwards", *map(str, arguments)]
        self._process = subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
