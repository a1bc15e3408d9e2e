"""DB_SSLMODE and DB_SSLROOTCERT, against a PostgreSQL that speaks TLS and one that does not."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from certificates import Authority
from postgres import Cluster, Database
from processes import Program, Project, ServeServer, until

LOCALHOST, ADDRESS = "localhost", "127.0.0.1"
"""The name that the certificate has, and a way to the same server that it does not have."""

UNREACHABLE = 69
AUTHORITY = "certificate verify failed: let DB_SSLROOTCERT name the authority"
NAME = f'does not match host name "{ADDRESS}": let DB_HOST be a name that PostgreSQL\'s certificate has'
NO_TLS = "server does not support SSL, but SSL was required: switch it on there, or let DB_SSLMODE be prefer"


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    # PostgreSQL's user may enter it.
    folder = Path(tempfile.mkdtemp(prefix="duragraph-tls-"))
    folder.chmod(0o755)
    yield Authority(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def secured(authority: Authority) -> Iterator[Database]:
    """An empty database on a server with TLS."""
    cluster = Cluster()
    database = Database(cluster)
    certificate, key = authority.sign("postgres", f"DNS:{LOCALHOST}")
    owner = Path(database.superuser("SHOW data_directory").strip()).stat().st_uid
    os.chown(key, owner, -1)
    key.chmod(0o600)
    for name, value in (("ssl_cert_file", certificate), ("ssl_key_file", key), ("ssl", "on")):
        database.superuser(f"ALTER SYSTEM SET {name} = '{value}'")
    database.superuser("SELECT pg_reload_conf()")
    until(lambda: database.superuser("SHOW ssl") == "on\n", "a PostgreSQL with TLS")
    yield database
    cluster.close()


def settings(database: Database, host: str, mode: str, authority: Path | None = None) -> dict[str, str]:
    named = {"HOST": host, "PORT": database.port, "USER": database.name, "NAME": database.name, "SSLMODE": mode}
    named |= {"PASSWORD": database.password} | ({"SSLROOTCERT": authority} if authority else {})
    return {f"DB_{name}": str(value) for name, value in named.items()}


def test_the_right_authority_and_name_connect(project: Project, secured: Database, authority: Authority) -> None:
    chosen = settings(secured, LOCALHOST, "verify-full", authority.certificate)
    migration = Program(project, "db", "migrate", **chosen)
    assert migration.wait() == 0, migration.output
    server = ServeServer(project, "", worker=False, **chosen)
    assert server.api.get("/health")["checks"]["database"]["status"] == "healthy"
    encrypted = "SELECT bool_and(ssl), count(*) > 0 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = "
    assert secured.superuser(f"{encrypted} '{secured.name}'") == "t|t\n"
    server.stop()


@pytest.mark.parametrize(
    ("host", "mode", "right", "said"),
    [
        (LOCALHOST, "verify-full", False, AUTHORITY),
        (LOCALHOST, "verify-ca", False, AUTHORITY),
        (ADDRESS, "verify-full", True, NAME),
    ],
)
def test_another_authority_or_name_is_refused(
    project: Project, secured: Database, authority: Authority, host: str, mode: str, right: bool, said: str
) -> None:
    other = authority if right else Authority(authority.folder, "another")
    is_refused(project, said, settings(secured, host, mode, other.certificate))


def test_a_server_without_tls_is_refused(project: Project, database: Database) -> None:
    is_refused(project, NO_TLS, settings(database, LOCALHOST, "require"))


def is_refused(project: Project, said: str, chosen: dict[str, str]) -> None:
    migration = Program(project, "db", "migrate", **chosen)
    assert migration.wait() == UNREACHABLE
    assert said in migration.output, migration.output
    # An operator may mend it meanwhile, so the server waits, and says what for.
    server = ServeServer(project, "", worker=False, ready=False, DURAGRAPH_LOG_FORMAT="text", **chosen)
    server.wait_output(lambda output: said in output)
    server.wait_ready("/ok")
    health = server.api.http.get("/health")
    assert health.status_code == 503 and said in health.json()["checks"]["database"]["error"], health.text
    server.stop()
