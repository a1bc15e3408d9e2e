"""The services of this machine, as go-task's `up:local` starts them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from processes import ROOT, Api, Project, binary, free_port
from tools import tool

SERVICES = ["postgres", "nats", "server", "worker"]


class Stack:
    """A folder for the services of this machine, and ports that they are told once."""

    def __init__(self, within: Sequence[str] = ()) -> None:
        """`within` is a command that becomes another one, in other surroundings."""
        self.within = within
        # Below a folder that PostgreSQL's user may enter, which pytest's own are not.
        self.folder = Path(tempfile.mkdtemp(prefix="duragraph-stack-"))
        self.folder.chmod(0o755)
        self.project = Project(self.folder / "graphs")
        self.ports = {name: str(free_port()) for name in ("DB_PORT", "NATS_PORT", "PORT")}
        self.api = Api(f"http://127.0.0.1:{self.ports['PORT']}")

    def environment(self, **more: str) -> dict[str, str]:
        program = binary()
        assert program
        made = self.project.environment(
            DURAGRAPH_BIN=program,
            DURAGRAPH_STACK_DIR=str(self.folder / "stack"),
            DURAGRAPH_PROJECT=str(self.project.path),
        )
        foreign = ("DB_", "NATS_", "DATABASE_", "JWT_", "AUTH_", "PORT", "HOST", "WORKER", "COMPOSE_")
        return {name: value for name, value in made.items() if not name.startswith(foreign)} | more

    def task(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        # Its output is a file: what is left running would hold a pipe.
        with tempfile.TemporaryFile("w+") as said:
            done = subprocess.run(
                [*self.within, tool("task"), *words],
                cwd=ROOT,
                env=self.environment(**more),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                timeout=150,
            )
            said.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, said.read())

    def do(self, *words: str, **more: str) -> str:
        done = self.task(*words, **more)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def health(self) -> dict[str, str]:
        """Each service with its word; the exit code says the same."""
        done = self.task("-x", "health")
        words = dict(line.split()[:2] for line in done.stdout.splitlines() if line.split()[:1][0] in SERVICES)
        assert done.returncode == (0 if all(word == "healthy" for word in words.values()) else 1), done.stdout
        return words

    def pid(self, name: str) -> int:
        kept = "postgres/data/postmaster.pid" if name == "postgres" else f"{name}.pid"
        return int((self.folder / "stack" / kept).read_text().split()[0])

    def close(self) -> None:
        try:
            self.task("down:local")
        finally:
            self.project.close()
            shutil.rmtree(self.folder, ignore_errors=True)
