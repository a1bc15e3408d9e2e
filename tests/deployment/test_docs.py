"""The commands of docs/deployment.md, as somebody types them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import httpx
import pytest

from postgres import Database
from processes import ROOT, WORKER_TOKEN, Api, Project, binary, free_port, until

BLOCKS = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "docs" / "deployment.md").read_text(), re.S | re.M)
MIGRATE, BY_HAND, SERVE, WORKER = BLOCKS


@pytest.fixture
def shell(tmp_path: Path, database: Database) -> dict[str, str]:
    """The environment of the guide: the program on the path, the settings, a project at path/to/project."""
    program = binary()
    assert program
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "duragraph").symlink_to(program)
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    return {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "DB_HOST": database.host,
        "DB_PORT": str(database.port),
        "DB_USER": database.name,
        "DB_PASSWORD": database.password,
        "DB_NAME": database.name,
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
        "DURAGRAPH_WORKER_TOKEN": WORKER_TOKEN,
    }


def run(block: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-euc", block], cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("tables", [MIGRATE, BY_HAND], ids=["db migrate", "by hand"])
def test_a_run_is_played(tmp_path: Path, shell: dict[str, str], tables: str) -> None:
    project = Project(tmp_path / "path" / "to")
    run(tables, tmp_path, shell)
    assert "has the schema" in run("duragraph db status", tmp_path, shell)
    environment = project.environment(**shell)
    environment["PATH"] = f"{tmp_path / 'bin'}:{environment['PATH']}"
    started = [
        subprocess.Popen(["bash", "-euc", f"exec {block}"], cwd=tmp_path, env=environment) for block in (SERVE, WORKER)
    ]
    try:
        api = Api(f"http://127.0.0.1:{shell['PORT']}")
        until(lambda: served(api), "a worker that is connected")
        thread_id = api.thread()
        assert api.join(thread_id, api.start(thread_id, "three_nodes", {"steps": []}))["steps"] == ["a", "b", "c"]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(30)
        project.close()


def served(api: Api) -> bool:
    try:
        return any(worker["connected"] for worker in api.workers())
    except (httpx.HTTPError, AssertionError):  # it is starting
        return False
