"""Databases on the versions of PostgreSQL that are supported."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from audit import assert_clean_postgres  # noqa: E402
from postgres import Cluster, Database, SharedCluster, programs  # noqa: E402
from processes import Project, migrate  # noqa: E402


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Debian's PostgreSQL."""
    shared = SharedCluster()
    yield shared
    shared.close()


@pytest.fixture(scope="session", params=[14, 18])
def other_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The oldest PostgreSQL that is supported, and the newest."""
    own = Cluster(programs(request.param))
    yield own
    own.close()


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    """An empty database."""
    made = Database(cluster)
    yield made
    made.close()


@pytest.fixture
def other_database(other_cluster: Cluster) -> Iterator[Database]:
    """An empty database on another version."""
    made = Database(other_cluster)
    yield made
    made.close()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    yield made
    made.close()


@pytest.fixture
def migrated(project: Project, database: Database) -> Iterator[Database]:
    """A database that has its tables, and in which everything fits together in the end."""
    migrate(project, database.url)
    yield database
    project.close()
    assert_clean_postgres(project, database.url)
