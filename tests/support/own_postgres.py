"""A PostgreSQL server of a test's own, that is halted and started again, and whose disk may be full."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from afterwards import Afterwards
from disk import Disk
from postgres import psql
from processes import ROOT, until

SCRIPT = ROOT / "scripts" / "postgres-server.sh"


class OwnPostgres:
    def __init__(self) -> None:
        # Below a folder that PostgreSQL's user may enter, which pytest's own are not.
        self.folder = Path(tempfile.mkdtemp(prefix="duragraph-postgres-"))
        self.folder.chmod(0o755)
        self.disk = Disk(self.folder / "disk", "1G")
        self._home = self.disk.folder / "cluster"
        undo = '"$1" stop "$3" || true; umount -l "$2" 2>/dev/null; rm -rf "$4"'
        self._afterwards = Afterwards(undo, SCRIPT, self.disk.folder, self._home, self.folder)
        # Nothing here loses what the kernel has, so nothing waits for the disk.
        self.url = self._run("start", "--fast").splitlines()[-1]

    def _run(self, command: str, *words: str) -> str:
        before, after = (words, ()) if command == "start" else ((), words)
        arguments = [str(SCRIPT), command, *before, str(self._home), *after]
        with tempfile.TemporaryFile("w+") as said:
            done = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=120)
            said.seek(0)
            text = said.read()
        assert done.returncode == 0, f"{command}: {text}"
        return text

    @property
    def runs(self) -> bool:
        return subprocess.run([SCRIPT, "status", self._home], capture_output=True).returncode == 0

    def halt(self, mode: str) -> None:
        """`fast` ends the sessions, `immediate` is a crash that recovers at the next start."""
        self._run("halt", mode)

    def crash(self) -> None:
        """As `immediate`, at once and from any thread; `wait_end` tells when it is over."""
        postmaster = int((self._home / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGQUIT)

    def wait_end(self) -> None:
        until(lambda: not self.runs, "the end of PostgreSQL")

    def resume(self) -> None:
        self._run("resume")

    def restart(self, mode: str) -> None:
        self.halt(mode)
        self.resume()

    def become_standby(self) -> None:
        """Starts again as one, which follows nobody: it may be read, and takes no changes."""
        self.halt("fast")
        (self._home / "data" / "standby.signal").touch()
        self.resume()

    def empty_disk(self) -> None:
        """And a server that could not go on is started again, as an operator does."""
        self.disk.empty()

        def answers() -> bool:
            if not self.runs:
                self.resume()
            with suppress(AssertionError):
                return bool(psql(self.url, "-c", "SELECT 1"))
            return False

        until(answers, lambda: f"an answer of PostgreSQL\n{self.log}")

    @property
    def socket(self) -> Path:
        """Where every name is believed; only whoever started the server, and root, may go there."""
        return self._home / f".s.PGSQL.{urlsplit(self.url).port}"

    @property
    def log(self) -> str:
        return (self._home / "log").read_text(errors="replace")

    def close(self) -> None:
        self._afterwards.close()

    def __enter__(self) -> OwnPostgres:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
