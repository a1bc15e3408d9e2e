"""What a run waits for, as `GET /api/v1/runs/{id}/why` and `duragraph run get` tell it."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from processes import DevServer, MakeProject, WorkerProgram, binary, until


@pytest.fixture(scope="module")
def server(make_project: MakeProject) -> DevServer:
    return DevServer(make_project(), "--no-worker")


def why(server: DevServer, run_id: str) -> dict[str, Any]:
    """The reason, which both ways of asking must agree on."""
    reason = server.api.why(run_id)
    arguments = [str(binary()), "run", "get", run_id]
    environment = server.project.environment(DURAGRAPH_URL=server.url)
    shown = subprocess.run([*arguments, "--json"], env=environment, capture_output=True, text=True, timeout=30)
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["why"] == reason
    text = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=30).stdout
    assert reason["code"] in text and reason["message"] in text
    return reason


def test_every_reason(server: DevServer) -> None:
    project, api = server.project, server.api
    gate = project.gate()

    first_thread = api.thread()
    first = api.start(first_thread, "slow", {"gate": str(gate)})
    reason = why(server, first)
    assert reason["code"] == "no_worker" and reason["graph_id"] == "slow" and '"slow"' in reason["message"]

    WorkerProgram(project, server.url, "--n-jobs-per-worker", "1")
    project.journal.wait(first, "second")
    (worker,) = server.wait_workers()
    reason = why(server, first)
    assert reason["code"] == "running" and reason["session_id"] == worker["session_id"]

    other = api.start(api.thread(), "three_nodes", {"steps": []})
    reason = why(server, other)
    assert reason["code"] == "slots_busy" and reason["graph_id"] == "three_nodes"

    behind = api.start(first_thread, "three_nodes", {"steps": []}, multitask_strategy="enqueue")
    reason = why(server, behind)
    assert reason["code"] == "thread_busy" and reason["run_id"] == first and first in reason["message"]

    delayed = api.start(api.thread(), "three_nodes", {"steps": []}, after_seconds=3600)
    reason = why(server, delayed)
    assert reason["code"] == "delay" and reason["until"] > api.run(delayed)["created_at"]

    gate.touch()
    api.join(first_thread, behind)
    assert why(server, first)["code"] == "finished"
    until(lambda: api.run(other)["status"] == "success", "the run that waited for a slot")

    asking = api.thread()
    asked = api.start(asking, "human", {"topic": "tea"})
    api.join(asking, asked)
    reason = why(server, asked)
    assert reason["code"] == "person" and reason["thread_id"] == asking
