"""PgBouncer in front of a database."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from postgres import Database
from processes import free_port, system_program, takes_connections, until


class Pooler:
    """`mode` says for how long a client has a session of the database."""

    def __init__(self, database: Database, mode: str) -> None:
        self.port = free_port()
        self.url = f"postgresql://{database.name}:{database.password}@127.0.0.1:{self.port}/{database.name}"
        self._folder = folder = Path(tempfile.mkdtemp(prefix="duragraph-pooler-"))
        (folder / "users").write_text(f'"{database.name}" "{database.password}"\n')
        (folder / "config").write_text(
            f"[databases]\n{database.name} = host={database.host} port={database.port}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = plain\nauth_file = {folder / 'users'}\npool_mode = {mode}\nmax_client_conn = 100\n"
        )
        run_as = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.getuid() == 0 else []
        folder.chmod(0o755)
        program = system_program("pgbouncer")
        self.process = subprocess.Popen([*run_as, program, "-q", folder / "config"], cwd="/")
        until(self._answers, "an answer of PgBouncer")

    def _answers(self) -> bool:
        assert self.process.poll() is None, "PgBouncer has ended"
        return takes_connections(self.port)

    def stall(self) -> None:
        """Whatever is sent arrives nowhere, and neither side is told: its connections are half open."""
        self.process.send_signal(signal.SIGSTOP)

    def flow(self) -> None:
        """What was sent meanwhile arrives."""
        self.process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Pooler:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self._folder)
