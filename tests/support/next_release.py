"""The release after this one: the same program with a schema that has more in it (tests/next_release)."""

from __future__ import annotations

from pathlib import Path

from processes import ROOT, binary


def next_program() -> str:
    """The one that was built with the program under test, else the newest."""
    built = [Path(str(binary())).with_name("duragraph_next"), *ROOT.glob("build/*/bin/duragraph_next")]
    found = [path for path in built if path.exists()]
    assert found, "there is no duragraph_next: build one"
    return str(found[0] if found[0] is built[0] else max(found, key=lambda path: path.stat().st_mtime))


def next_schema() -> Path:
    """Its deploy/sql."""
    return Path(next_program()).parents[1] / "tests" / "next_release" / "sql"
