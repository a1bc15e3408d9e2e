"""The files of deploy/sql, applied by hand as the deployment guide says."""

from __future__ import annotations

from pathlib import Path

import pytest

from postgres import SCHEMA_FILES, Database


def apply_twice(database: Database) -> None:
    for file in SCHEMA_FILES:
        database.apply(file)
    made = database.schema(), database.applied()
    for file in SCHEMA_FILES:
        database.apply(file)
    assert (database.schema(), database.applied()) == made
    assert database.run("SELECT name FROM schema_migrations ORDER BY version").split() == [f.name for f in SCHEMA_FILES]
    columns = database.run("SELECT attname FROM pg_attribute WHERE attrelid = 'runs'::regclass").split()
    assert {"version", "lease_epoch"} <= set(columns)


def test_their_owner_applies_them_twice_with_psql(database: Database) -> None:
    apply_twice(database)


def test_their_owner_applies_them_twice_on_other_versions(other_database: Database) -> None:
    apply_twice(other_database)


@pytest.mark.parametrize("file", SCHEMA_FILES, ids=lambda file: file.name)
def test_each_is_one_transaction_that_stops_at_an_error(file: Path) -> None:
    text = file.read_text()
    begin, end = text.index("\nBEGIN;\n"), text.index("\nCOMMIT;\n")
    assert "\\set ON_ERROR_STOP on" in text[:begin]
    assert not text[end:].removeprefix("\nCOMMIT;\n").strip()
