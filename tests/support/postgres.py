"""PostgreSQL for tests: clusters that end with whoever holds them, and databases with owners of their own."""

from __future__ import annotations

import functools
import os
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from processes import ROOT

SCHEMA_FILES = sorted((ROOT / "deploy" / "sql").glob("*.sql"))
"""In the order in which they are applied."""


@functools.cache
def programs(version: int) -> str | None:
    """The folder of that major version's programs; None for Debian's own, 15."""
    if version == 15:
        return None
    done = subprocess.run([ROOT / "scripts" / "postgres-versions.sh"], stdout=subprocess.PIPE, text=True, check=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())[str(version)]


class Cluster:
    """A server that lives until it is closed, or until this process ends in whatever way."""

    def __init__(self, bin_dir: str | None = None, *, port: int | None = None, within: Sequence[str] = ()) -> None:
        """`within` is a command that becomes another one, in other surroundings."""
        at = ["--port", str(port)] if port else []
        more = [bin_dir] if bin_dir else []
        self.process = subprocess.Popen(
            [*within, ROOT / "scripts" / "postgres-server.sh", "hold", "--fast", *at, *more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.read().strip()
        assert self.url.startswith("postgresql://"), "no PostgreSQL server could be started"

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(60)


class SharedCluster(Cluster):
    """The server that DURAGRAPH_TEST_POSTGRES names, else one of its own."""

    def __init__(self) -> None:
        self.url = os.environ.get("DURAGRAPH_TEST_POSTGRES", "")
        if not self.url:
            super().__init__()

    def close(self) -> None:
        if hasattr(self, "process"):
            super().close()


class Database:
    """A database and its owner, a role of the same name that is no superuser."""

    def __init__(self, cluster: Cluster, name: str = "", password: str = "") -> None:
        self.name = name or f"duragraph_test_{uuid.uuid4().hex[:12]}"
        self.password = password or uuid.uuid4().hex
        place = urlsplit(cluster.url)
        assert place.hostname and place.port
        self.host, self.port = place.hostname, place.port
        self.admin_url = cluster.url
        self.operator_url = place._replace(path=f"/{self.name}").geturl()
        """A superuser's, of this database."""
        self.url = f"postgresql://{self.name}:{self.password}@{self.host}:{self.port}/{self.name}"
        self.superuser(f"CREATE ROLE {self.name} LOGIN PASSWORD '{self.password}'")
        self.superuser(f"CREATE DATABASE {self.name} OWNER {self.name}")

    def close(self) -> None:
        self.superuser(f"DROP DATABASE {self.name} WITH (FORCE)")
        self.superuser(f"DROP ROLE {self.name}")

    def superuser(self, sql: str) -> str:
        return psql(self.admin_url, "-c", sql)

    def run(self, sql: str) -> str:
        """What a statement of the owner gives: a line for each row, columns with | between them."""
        return psql(self.url, "-c", sql)

    def waits_for_lock(self) -> bool:
        """Whether any session of it does."""
        sql = "SELECT true FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return "t" in self.run(sql)

    def lock_holders(self) -> list[int]:
        """The processes that have advisory locks of it."""
        sql = f"""SELECT DISTINCT pid FROM pg_locks JOIN pg_database AS d ON d.oid = database
            WHERE locktype = 'advisory' AND datname = '{self.name}'"""
        return [int(pid) for pid in self.superuser(sql).split()]

    def apply(self, file: Path) -> None:
        """As somebody does by hand."""
        psql(self.url, "-f", str(file))

    def schema(self) -> str:
        """All that the schema is, as text; the owner's name left out."""
        return "\n".join(self.run(query) for query in SCHEMA_QUERIES).replace(self.name, "OWNER")

    def dump(self) -> str:
        """The schema as pg_dump writes it, without the two lines that are others each time."""
        done = subprocess.run(
            ["pg_dump", "--schema-only", "--no-owner", self.url], capture_output=True, text=True, check=True
        )
        lines = [line for line in done.stdout.splitlines() if not line.startswith(("\\restrict ", "\\unrestrict "))]
        return "\n".join(lines)

    def applied(self) -> str:
        """Which files were applied, and when."""
        return self.run("SELECT name, schema_number, applied_at, checksum FROM schema_migrations ORDER BY version")

    def session(self) -> Session:
        return Session(self.url)


class Session:
    """A session that stays open, with a transaction of its own where it is told to begin one."""

    def __init__(self, url: str) -> None:
        self.process = subprocess.Popen(
            ["psql", "-X", "-q", "-At", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, sql: str) -> None:
        """Returns when the server has done it."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{sql};\n\\echo done\n")
        self.process.stdin.flush()
        while line := self.process.stdout.readline():
            if line == "done\n":
                return
        raise AssertionError(f"{sql}: the session has ended")

    def close(self) -> None:
        self.process.communicate()


def psql(url: str, *arguments: str) -> str:
    done = subprocess.run(
        ["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", *arguments, url],
        env=os.environ | {"PGOPTIONS": "-c client_min_messages=warning"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0 and not done.stderr, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


SCHEMA_QUERIES = [
    """SELECT c.relname, c.relkind, c.relowner::regrole, c.reloptions, a.attname, format_type(a.atttypid, a.atttypmod),
         a.attnotnull, a.attidentity, a.attstorage, a.attcollation::regcollation, pg_get_expr(d.adbin, d.adrelid),
         pg_get_expr(c.relpartbound, c.oid)
       FROM pg_class AS c LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
       WHERE c.relnamespace = 'public'::regnamespace ORDER BY c.relname, a.attnum""",
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
    """SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint
       WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2""",
    """SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1""",
]
