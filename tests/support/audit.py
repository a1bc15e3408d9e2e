"""`duragraph verify` and `duragraph rebuild` on a project's database."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from processes import Project, binary

CLEAN, FINDINGS = 0, 1


def database(project: Project) -> Path:
    return project.path / ".duragraph" / "duragraph.db"


def run(project: Project, command: str, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(binary()), command, str(project.path), *arguments],
        env=project.environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def verify(project: Project, code: int = CLEAN) -> dict[str, Any]:
    """What `duragraph verify` says of the project's database, which is clean unless `code` says otherwise."""
    return dict(json.loads(run(project, "verify", "--json", code=code).stdout))


def rebuild(project: Project, *arguments: str) -> dict[str, Any]:
    return dict(json.loads(run(project, "rebuild", "--json", *arguments).stdout)["tables"])


def assert_clean(project: Project) -> None:
    """Whatever the project's processes did, and however they ended, everything in its database fits together."""
    if database(project).exists():
        verify(project)


def assert_clean_postgres(project: Project, database_url: str, **environment: str) -> None:
    """The same for a server's database on PostgreSQL."""
    _of_postgres(project, "verify", "--database-url", database_url, **environment)


def rebuild_postgres(project: Project, database_url: str, **environment: str) -> dict[str, Any]:
    """What was rebuilt in each of its tables. No instance may serve it."""
    environment["DATABASE_URL"] = database_url
    return dict(json.loads(_of_postgres(project, "rebuild", "--postgres", "--json", **environment))["tables"])


def _of_postgres(project: Project, command: str, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [environment.get("DURAGRAPH_BIN") or str(binary()), command, *arguments],
        env=project.environment(**environment),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == CLEAN, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
