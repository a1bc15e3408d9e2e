"""Projects, servers and workers that end with the test or module that uses them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from audit import assert_clean  # noqa: E402
from processes import MakeProject, Project  # noqa: E402


@pytest.fixture(scope="module")
def make_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeProject]:
    """Makes projects whose processes are killed, and whose databases are checked, at the end of the module."""
    made: list[Project] = []

    def make(graphs: str = "graphs") -> Project:
        made.append(Project(tmp_path_factory.mktemp("project"), graphs))
        return made[-1]

    yield make
    for project in made:
        project.close()
    for project in made:
        assert_clean(project)


@pytest.fixture
def project(make_project: MakeProject) -> Iterator[Project]:
    """A project for one test. What the test leaves in its database is checked."""
    made = make_project()
    yield made
    made.close()
    assert_clean(made)
