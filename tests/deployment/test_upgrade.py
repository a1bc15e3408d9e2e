"""Two adjacent releases and one database: how it gets from the schema of one to that of the other, and who serves it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from audit import assert_clean_postgres, rebuild_postgres
from nats_server import NatsServer
from next_release import next_program, next_schema
from postgres import SCHEMA_FILES, Cluster, Database
from processes import Program, Project, ServeServer, migrate, until

FAILED, CONFLICT = 1, 5
NEXT = {"DURAGRAPH_BIN": next_program()}
NEXT_FILES = sorted(next_schema().glob("*.sql"))
UPGRADE = sorted((next_schema() / "upgrade").glob("*.sql"))[-1]
NUMBER = int(UPGRADE.name.split("_")[0])

MakeDatabase = Callable[[], Database]


@pytest.fixture
def make_database(cluster: Cluster) -> Iterator[MakeDatabase]:
    made: list[Database] = []

    def make() -> Database:
        made.append(Database(cluster))
        return made[-1]

    yield make
    for database in made:
        database.close()


@pytest.fixture(scope="module")
def nats() -> Iterator[NatsServer]:
    server = NatsServer()
    yield server
    server.close()


def said(project: Project, database: Database, *command: str, code: int = 0, **environment: str) -> str:
    """What a command said, which ended with that code."""
    done = Program(project, *command, DATABASE_URL=database.url, **environment)
    assert done.wait() == code, done.output
    return done.output


def state(project: Project, database: Database, code: int = 0, **environment: str) -> tuple[str, int]:
    found: dict[str, Any] = json.loads(said(project, database, "db", "status", "--json", code=code, **environment))
    return found["state"], found["schema"]


def test_upgraded_and_new_databases_are_the_same(project: Project, make_database: MakeDatabase) -> None:
    upgraded, new, upgraded_by_hand, new_by_hand = (make_database() for _ in range(4))
    migrate(project, upgraded.url)
    before = upgraded.dump()
    assert migrate(project, upgraded.url, **NEXT) == f"applied {UPGRADE.name}\n"
    assert migrate(project, new.url, **NEXT).splitlines() == [f"applied {file.name}" for file in NEXT_FILES]
    for file in (*SCHEMA_FILES, UPGRADE):
        upgraded_by_hand.apply(file)
    for file in NEXT_FILES:
        new_by_hand.apply(file)
    assert upgraded.dump() != before
    for database in (upgraded, new, upgraded_by_hand, new_by_hand):
        assert database.dump() == new.dump()
        assert state(project, database, **NEXT) == ("current", NUMBER)
        assert state(project, database) == ("next", NUMBER)
        applied = database.applied()
        for program in (NEXT, {}):
            assert "nothing to do" in migrate(project, database.url, **program)
        assert database.applied() == applied
    # By hand either may be repeated.
    for file in (UPGRADE, *NEXT_FILES, UPGRADE):
        upgraded_by_hand.apply(file)
    assert upgraded_by_hand.dump() == new.dump()
    assert state(project, upgraded_by_hand, **NEXT) == ("current", NUMBER)


def test_whole_files_of_the_next_release_do_not_upgrade(project: Project, database: Database) -> None:
    migrate(project, database.url)
    for file in NEXT_FILES:
        database.apply(file)
    assert state(project, database, FAILED, **NEXT) == ("older", NUMBER - 1)
    assert migrate(project, database.url, **NEXT) == f"applied {UPGRADE.name}\n"


def test_a_database_that_was_half_made_by_the_release_before(project: Project, make_database: MakeDatabase) -> None:
    half, new = make_database(), make_database()
    for file in SCHEMA_FILES[:2]:
        half.apply(file)
    rest = [file.name for file in (*NEXT_FILES[2:], UPGRADE)]
    assert migrate(project, half.url, **NEXT).splitlines() == [f"applied {name}" for name in rest]
    migrate(project, new.url, **NEXT)
    assert half.dump() == new.dump()
    assert state(project, half, **NEXT) == ("current", NUMBER)


def test_ten_at_once_upgrade_once(project: Project, database: Database) -> None:
    migrate(project, database.url)
    processes = [Program(project, "db", "migrate", DATABASE_URL=database.url, **NEXT) for _ in range(10)]
    assert [process.wait() for process in processes] == [0] * 10, [process.output for process in processes]
    lines = [line for process in processes for line in process.output.splitlines() if "applied" in line]
    assert lines == [f"applied {UPGRADE.name}"]


def test_one_that_waits_for_its_turn_does_not_hold_up_who_has_it(project: Project, database: Database) -> None:
    migrate(project, database.url)
    writer = database.session()
    writer.run("BEGIN")
    writer.run("LOCK TABLE runs IN ROW EXCLUSIVE MODE")
    first = Program(project, "db", "migrate", DATABASE_URL=database.url, **NEXT)
    # CREATE INDEX CONCURRENTLY waits for the end of transactions that write, and then of statements that have begun.
    until(database.waits_for_lock, "an upgrade that waits")
    second = Program(project, "db", "migrate", DATABASE_URL=database.url, **NEXT)
    second.wait_output(lambda output: "waiting for another migration to end" in output)
    writer.close()
    assert (first.wait(), second.wait()) == (0, 0), first.output + second.output
    assert f"applied {UPGRADE.name}" in first.output and "nothing to do" in second.output


def test_an_upgrade_whose_text_was_changed_is_found(project: Project, database: Database) -> None:
    migrate(project, database.url)
    migrate(project, database.url, **NEXT)
    database.run(f"UPDATE schema_migrations SET checksum = repeat('0', 64) WHERE version = {NUMBER}")
    assert state(project, database, CONFLICT, **NEXT) == ("altered", NUMBER)
    assert f"another text of {UPGRADE.name}" in said(project, database, "db", "migrate", code=CONFLICT, **NEXT)


def test_each_release_serves_its_schema_and_the_next(project: Project, database: Database) -> None:
    migrate(project, database.url)
    assert "Run `duragraph db migrate`" in said(project, database, "serve", "--port", "0", code=FAILED, **NEXT)
    migrate(project, database.url, **NEXT)
    for program in ({}, NEXT):
        serve = ServeServer(project, database.url, worker=False, **program)
        assert serve.api.get("/health")["checks"]["database"]["schema"] == NUMBER
        serve.stop()
    database.run(f"INSERT INTO schema_migrations VALUES ({NUMBER + 1}, '{NUMBER + 1}_later.sql', {NUMBER + 1})")
    assert state(project, database, **NEXT) == ("next", NUMBER + 1)
    words = said(project, database, "serve", "--port", "0", code=FAILED)
    assert f"schema {NUMBER + 1} of a newer release" in words and "Run the `duragraph` of that release" in words


def test_one_that_was_away_while_the_schema_went_on_ends(project: Project, database: Database) -> None:
    migrate(project, database.url)
    serve = ServeServer(project, database.url, worker=False)
    later = NUMBER + 1
    database.run(f"INSERT INTO schema_migrations VALUES ({later}, '{later}_later.sql', {later})")
    for pid in database.lock_holders():
        database.run(f"SELECT pg_terminate_backend({pid})")
    assert serve.wait() == FAILED
    assert f"schema {later} of a newer release" in serve.output


def test_nobody_waits_for_an_upgrade_that_waits(project: Project, database: Database, nats: NatsServer) -> None:
    migrate(project, database.url)
    serve = ServeServer(project, database.url, NATS_URL=nats.url)
    serve.wait_workers()
    reader = database.session()
    reader.run("BEGIN")
    reader.run("LOCK TABLE threads IN ACCESS SHARE MODE")
    upgrade = Program(project, "db", "migrate", DATABASE_URL=database.url, **NEXT)
    upgrade.wait_output(lambda output: "waiting for those who use the tables" in output)
    for _ in range(3):
        serve.play()
    reader.close()
    assert upgrade.wait() == 0, upgrade.output
    serve.play()
    serve.stop()
    for program in (NEXT, {}):
        assert_clean_postgres(project, database.url, **program)


def test_rows_of_the_next_schema_are_rebuilt_by_its_release(project: Project, database: Database) -> None:
    migrate(project, database.url, **NEXT)
    refused = said(project, database, "rebuild", "--postgres", code=CONFLICT)
    assert "Rebuild it with the `duragraph` of that release" in refused
    rebuild_postgres(project, database.url, **NEXT)
