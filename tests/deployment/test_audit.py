"""`duragraph verify` and `duragraph rebuild` on databases of PostgreSQL."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postgres import SCHEMA_FILES, Cluster, Database
from processes import free_port, until
from test_migrate import Answer, duragraph, finish, start

FINDINGS, USAGE, NOT_FOUND, UNAUTHORIZED, CONFLICT, UNREACHABLE = 1, 2, 3, 4, 5, 69
READ_TABLES = ["assistants", "assistant_versions", "threads", "runs"]
NOTHING = {table: {"added": 0, "changed": 0, "removed": 0} for table in READ_TABLES}


@pytest.fixture
def served(database: Database) -> Iterator[Database]:
    """A database with this program's schema."""
    for file in SCHEMA_FILES:
        database.apply(file)
    yield database


class Server:
    """`duragraph serve` on the database."""

    def __init__(self, database: Database) -> None:
        self.port = free_port()
        self.process = start("serve", "--host", "127.0.0.1", "--port", str(self.port), DATABASE_URL=database.url)
        until(self.is_ready, "a server that is ready")

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.process.communicate()
        try:
            return bool(self.call("GET", "/readyz") is not None)
        except OSError:
            return False

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=60)


def verify(database: Database, code: int = 0) -> dict[str, Any]:
    return dict(duragraph("verify", "--json", "--database-url", database.url, code=code).json)


def rebuild(database: Database, *arguments: str) -> dict[str, Any]:
    return dict(duragraph("rebuild", "--json", "--postgres", *arguments, DATABASE_URL=database.url).json["tables"])


def rows(database: Database) -> str:
    return "".join(database.run(f"SELECT * FROM {table} ORDER BY 1, 2") for table in READ_TABLES)


def test_what_a_server_leaves_is_clean_and_rebuilt_as_it_was(served: Database) -> None:
    server = Server(served)
    threads = [server.call("POST", "/threads", {"metadata": {"n": n}})["thread_id"] for n in range(5)]
    server.call("PATCH", f"/threads/{threads[0]}", {"metadata": {"mood": "fine"}})
    server.call("DELETE", f"/threads/{threads[1]}")
    found = verify(served)
    assert found["clean"] and found["database"] == f"{served.name} at {served.host}:{served.port}"
    assert found["checked"]["threads"] == 4 and found["checked"]["events"] == 7

    said = duragraph("rebuild", "--postgres", code=CONFLICT, DATABASE_URL=served.url)
    assert "an instance of `duragraph serve` serves this database" in said.err
    assert rebuild(served, "--dry-run") == NOTHING
    server.stop()

    before = rows(served)
    served.run("DELETE FROM threads WHERE id = '" + threads[0] + "'")
    served.run("UPDATE threads SET status = 'busy', search = '{}' WHERE id = '" + threads[2] + "'")
    assert verify(served, FINDINGS)["counts"] == {"row-differs": 1, "row-missing": 1}
    lines = duragraph("verify", "--database-url", served.url, "--limit", "1", code=FINDINGS).out.splitlines()
    assert lines[0] == f"row-missing  thread={threads[0]}: threads has no row for what the events tell of", lines
    assert "1 more" in lines[1] and lines[2].startswith("2 findings: 1 row-differs, 1 row-missing; checked "), lines
    planned = rebuild(served, "--dry-run")
    assert planned == NOTHING | {"threads": {"added": 1, "changed": 1, "removed": 0}}
    assert rows(served) != before
    assert rebuild(served) == planned
    assert rows(served) == before
    assert verify(served)["clean"]
    assert rebuild(served) == NOTHING

    server = Server(served)
    assert server.call("GET", f"/threads/{threads[0]}")["metadata"] == {"n": 0, "mood": "fine"}
    server.stop()


def test_a_rebuild_that_is_killed_changes_nothing_and_holds_nobody_up(served: Database) -> None:
    served.run(
        "INSERT INTO threads (id, metadata, search, config, created_at, updated_at, state_updated_at)"
        " VALUES ('extra', '{}', '{}', '{}', now(), now(), now())"
    )
    holder = served.session()
    holder.run("BEGIN")
    holder.run("LOCK TABLE leases IN ROW EXCLUSIVE MODE")
    rebuilding = start("rebuild", "--postgres", DATABASE_URL=served.url)
    until(served.waits_for_lock, "a rebuild that waits")
    rebuilding.kill()
    rebuilding.communicate()
    holder.close()
    until(lambda: not served.lock_holders(), "a free lock")
    assert served.run("SELECT count(*) FROM threads") == "1\n"
    assert rebuild(served)["threads"]["removed"] == 1


def test_a_role_that_may_only_read_can_verify(served: Database, cluster: Cluster) -> None:
    guest = Database(cluster)
    try:
        url = guest.url.removesuffix(guest.name) + served.name
        said = duragraph("verify", "--database-url", url, code=UNAUTHORIZED)
        assert "permission denied" in said.err and "the tables' owner" in said.err
        served.run(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {guest.name}")
        assert duragraph("verify", "--database-url", url).out.startswith("no findings")
        said = duragraph("rebuild", "--database-url", url, code=UNAUTHORIZED)
        assert "permission denied" in said.err
    finally:
        served.run(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {guest.name}")
        guest.close()


def said(*arguments: str, code: int, **variables: str) -> Answer:
    return finish(start(*arguments, **variables), code)


def test_which_database_is_plain(served: Database, tmp_path: Path) -> None:
    for command in ("verify", "rebuild"):
        wrong = said(command, str(tmp_path), "--database-url", served.url, code=USAGE)
        assert "choose one" in wrong.err
        assert "choose one" in said(command, str(tmp_path), "--postgres", code=USAGE).err
        folder = said(command, str(tmp_path), code=NOT_FOUND, DATABASE_URL=served.url)
        assert "duragraph.db does not exist" in folder.err, "the environment alone chose PostgreSQL"
        by_parts = {"DB_HOST": served.host, "DB_PORT": str(served.port), "DB_USER": served.name}
        said(command, "--postgres", "--db-name", served.name, code=0, DB_PASSWORD=served.password, **by_parts)
    config = tmp_path / "settings.yaml"
    config.write_text(f"database_url: {served.url}\n")
    assert said("verify", "--config", str(config), code=0).out.startswith("no findings")
    assert said("db", "status", "--config", str(config), code=0).out


def test_what_cannot_be_opened_is_told(database: Database) -> None:
    for command in ("verify", "rebuild"):
        empty = said(command, "--database-url", database.url, code=CONFLICT)
        assert "Run `duragraph db migrate`" in empty.err
        wrong = database.url.replace(database.password, "open-sesame")
        refused = said(command, "--database-url", wrong, code=UNAUTHORIZED)
        assert "Check DB_USER and DB_PASSWORD" in refused.err and "open-sesame" not in refused.err
        said(command, "--database-url", database.url + "_not", code=NOT_FOUND)
        away = said(command, "--postgres", code=UNREACHABLE, DB_HOST="127.0.0.1", DB_PORT=str(free_port()))
        assert "Check that PostgreSQL answers there" in away.err


def test_other_versions_are_read_and_rebuilt(other_database: Database) -> None:
    for file in SCHEMA_FILES:
        other_database.apply(file)
    assert verify(other_database)["clean"]
    assert rebuild(other_database) == NOTHING


def test_a_reader_that_leaves_changes_nothing(served: Database) -> None:
    process = start("verify", "--database-url", served.url)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(60) == 0
