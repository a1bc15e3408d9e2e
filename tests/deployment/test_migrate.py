"""`duragraph db migrate` and `duragraph db status` on real databases."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from postgres import SCHEMA_FILES, Cluster, Database, programs
from processes import binary, free_port, until

FAILED, USAGE, NOT_FOUND, UNAUTHORIZED, CONFLICT, UNREACHABLE = 1, 2, 3, 4, 5, 69
NAMES = [file.name for file in SCHEMA_FILES]
APPLIED = [f"applied {name}" for name in NAMES]


class Answer(NamedTuple):
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def environment(**variables: str) -> dict[str, str]:
    named = ("DATABASE_URL", "DB_", "PG")
    return {k: v for k, v in os.environ.items() if not k.startswith(named)} | variables


def start(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    program = binary()
    assert program, "there is no duragraph binary: build one, or name it in DURAGRAPH_BIN"
    return subprocess.Popen(
        [program, *arguments],
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], code: int = 0) -> Answer:
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, f"{process.args}: {process.returncode}\n{out}\n{err}"
    return Answer(out, err)


def duragraph(*arguments: str, code: int = 0, **variables: str) -> Answer:
    return finish(start(*arguments, **variables), code)


def migrate(database: Database, *arguments: str, code: int = 0) -> Answer:
    return duragraph("db", "migrate", *arguments, code=code, DATABASE_URL=database.url)


def status(database: Database, code: int = 0) -> dict[str, Any]:
    return dict(duragraph("db", "status", "--json", code=code, DATABASE_URL=database.url).json)


def apply_and_repeat(database: Database) -> None:
    assert status(database, FAILED) == {
        "database": f"{database.name} at {database.host}:{database.port}",
        "state": "none",
        "schema": 0,
        "missing": NAMES,
        "message": "the database has no tables yet. Run `duragraph db migrate`",
    }
    assert migrate(database).out.splitlines() == APPLIED
    made = database.schema(), database.applied()
    assert migrate(database).out == f"{database.name} at {database.host}:{database.port}: nothing to do\n"
    assert (database.schema(), database.applied()) == made
    assert status(database)["state"] == "current"


def test_it_applies_what_is_missing_and_then_nothing(database: Database) -> None:
    apply_and_repeat(database)


def test_it_works_on_other_versions(other_database: Database) -> None:
    apply_and_repeat(other_database)


def test_the_short_name_and_the_option_do_the_same(database: Database) -> None:
    done = duragraph("migrate", "--database-url", database.url, "--json").json
    assert (done["state"], done["applied"]) == ("current", NAMES)
    done = duragraph("db", "migrate", "--database-url", database.url, "--json").json
    assert (done["state"], done["applied"]) == ("current", [])


def test_it_makes_what_is_made_by_hand(database: Database, cluster: Cluster) -> None:
    migrate(database)
    by_hand = Database(cluster)
    try:
        for file in SCHEMA_FILES:
            by_hand.apply(file)
        assert status(by_hand)["state"] == "current"
        assert migrate(by_hand, "--json").json["applied"] == []
        assert by_hand.schema() == database.schema()
    finally:
        by_hand.close()


def test_ten_at_once_apply_each_file_once(database: Database) -> None:
    processes = [start("db", "migrate", DATABASE_URL=database.url) for _ in range(10)]
    lines = [line for process in processes for line in finish(process).out.splitlines()]
    assert sorted(line for line in lines if "nothing to do" not in line) == sorted(APPLIED)
    assert status(database)["state"] == "current"


def wait_for_turn(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    assert process.stderr.readline().endswith("waiting for another migration to end\n")


WORKS_LONG = """
CREATE FUNCTION work() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS
  'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END';
CREATE TRIGGER work BEFORE INSERT ON schema_migrations FOR EACH ROW EXECUTE FUNCTION work();
"""
"""A file takes as long as somebody else has a lock."""


def test_after_one_that_is_killed_the_next_waits_for_what_its_server_still_does(database: Database) -> None:
    for file in SCHEMA_FILES[:-1]:
        database.apply(file)
    database.run(WORKS_LONG)
    holder = database.session()
    holder.run("SELECT pg_advisory_lock(1)")
    killed = start("db", "migrate", DATABASE_URL=database.url)
    until(database.waits_for_lock, "a migration that waits")
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    following = start("db", "migrate", DATABASE_URL=database.url)
    wait_for_turn(following)
    holder.close()
    finish(following)
    assert status(database)["state"] == "current"
    assert database.run("SELECT count(*) FROM schema_migrations").strip() == str(len(NAMES))


def test_one_that_waits_says_so(database: Database) -> None:
    holder = database.session()
    holder.run("SELECT pg_advisory_lock(x'4475726147726170'::bigint)")
    process = start("db", "migrate", DATABASE_URL=database.url)
    wait_for_turn(process)
    holder.close()
    assert finish(process).out.splitlines() == APPLIED


@pytest.fixture
def guides_database() -> Iterator[Database]:
    """A database under the names that are the defaults, on a server of its own."""
    own = Cluster(programs(15))
    yield Database(own, "appuser", "apppass")
    own.close()


def test_the_variables_have_the_guides_defaults(guides_database: Database) -> None:
    port = str(guides_database.port)
    guides_database.superuser("ALTER DATABASE appuser RENAME TO appdb")
    assert duragraph("db", "migrate", DB_PORT=port).out.splitlines() == APPLIED
    guides_database.superuser("CREATE ROLE me LOGIN PASSWORD 'mine'")
    guides_database.superuser("CREATE DATABASE elsewhere OWNER me")
    named = {"DB_HOST": "127.0.0.1", "DB_PORT": port, "DB_USER": "me", "DB_PASSWORD": "mine", "DB_NAME": "elsewhere"}
    assert duragraph("db", "migrate", **named).out.splitlines() == APPLIED


def test_a_wrong_password_is_told_without_it(database: Database) -> None:
    wrong = database.url.replace(database.password, "open-sesame")
    said = duragraph("db", "migrate", code=UNAUTHORIZED, DATABASE_URL=wrong)
    assert f'password authentication failed for user "{database.name}"' in said.err
    assert "Check DB_USER and DB_PASSWORD, or those in DATABASE_URL" in said.err
    assert "open-sesame" not in said.out + said.err


def test_a_server_that_does_not_answer_is_told() -> None:
    port = str(free_port())
    said = duragraph("db", "migrate", code=UNREACHABLE, DB_HOST="127.0.0.1", DB_PORT=port)
    assert f"appdb at 127.0.0.1:{port}: " in said.err and "Connection refused" in said.err
    assert "Check that PostgreSQL answers there" in said.err
    said = duragraph("db", "status", code=UNREACHABLE, DATABASE_URL="postgresql://me:s3cret@nowhere.invalid/data")
    assert "nowhere.invalid is not known" in said.err and "s3cret" not in said.err


def test_a_database_that_is_not_there_is_told(database: Database) -> None:
    said = duragraph("db", "migrate", code=NOT_FOUND, DATABASE_URL=database.url + "_not")
    assert f'database "{database.name}_not" does not exist' in said.err


@pytest.mark.parametrize("url", ["mysql://me:s3cret@host/data", "s3cret", "postgresql://me:s3cret%zz@host/data"])
def test_a_wrong_url_is_told_without_what_it_holds(url: str) -> None:
    for said in (
        duragraph("db", "migrate", code=USAGE, DATABASE_URL=url),
        duragraph("db", "status", "--database-url", url, code=USAGE),
    ):
        assert said.err and "s3cret" not in said.err


def test_somebody_who_does_not_own_the_database_is_told_whom_to_ask(database: Database, cluster: Cluster) -> None:
    guest = Database(cluster)
    try:
        url = guest.url.removesuffix(guest.name) + database.name
        said = duragraph("db", "migrate", code=UNAUTHORIZED, DATABASE_URL=url)
        assert "permission denied for schema public" in said.err and "owner of the database" in said.err
    finally:
        guest.close()


def refused(database: Database, state: str, *words: str) -> None:
    before = database.run("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1")
    assert status(database, CONFLICT)["state"] == state
    said = migrate(database, code=CONFLICT)
    assert not said.out and all(word in said.err for word in words), said.err
    assert (
        database.run("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1") == before
    )


def test_a_database_of_the_original_is_refused(database: Database) -> None:
    database.run("CREATE TABLE runs (id uuid PRIMARY KEY, thread_id uuid NOT NULL, input jsonb)")
    database.run("CREATE TABLE task_assignments (id bigserial PRIMARY KEY, run_id uuid NOT NULL)")
    refused(database, "original", "the original DuraGraph", "Make an empty database", "`duragraph db migrate`")


def test_a_newer_schema_is_refused(database: Database) -> None:
    migrate(database)
    database.run("INSERT INTO schema_migrations VALUES (999, '999_future.sql', 999)")
    refused(database, "newer", "schema 999 of a newer release", "Run the `duragraph` of that release")
