"""Cancelling runs whose worker obeys, cannot obey, or does not answer."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from processes import Api, DevServer, Journal, MakeProject, WorkerProgram, assert_consecutive, until

GRACE = 5.0


@pytest.fixture(scope="module")
def cluster(make_project: MakeProject) -> DevServer:
    project = make_project()
    server = DevServer(project, "--no-worker")
    WorkerProgram(project, server.url)
    return server


@pytest.fixture
def server(cluster: DevServer) -> Iterator[DevServer]:
    cluster.wait_workers(1)
    yield cluster


def cancel(api: Api, thread_id: str, run_id: str, action: str = "interrupt") -> float:
    """Cancels and waits until the run has stopped; returns the seconds it took."""
    began = time.monotonic()
    answer = api.http.post(f"/threads/{thread_id}/runs/{run_id}/cancel", params={"wait": 1, "action": action})
    assert answer.is_success, answer.text
    return time.monotonic() - began


def assert_serves(api: Api, journal: Journal) -> None:
    thread_id = api.thread()
    run_id = api.start(thread_id, "three_nodes", {"steps": []})
    assert api.join(thread_id, run_id)["steps"] == ["a", "b", "c"]
    assert journal.nodes(run_id) == ["a", "b", "c"]


def test_wait_answers_when_the_run_has_stopped(server: DevServer) -> None:
    project, api = server.project, server.api
    gate, thread_id = project.gate(), api.thread()
    run_id = api.start(thread_id, "slow", {"gate": str(gate)})
    project.journal.wait(run_id, "second")
    assert cancel(api, thread_id, run_id) < GRACE
    assert api.run(run_id)["status"] == "interrupted"
    gate.touch()
    assert api.state(thread_id)["next"] == ["second"]
    assert_consecutive(api.frames(thread_id, run_id))
    assert_serves(api, project.journal)
    assert project.journal.nodes(run_id) == ["first", "second"]
    assert api.state(thread_id)["values"]["steps"] == ["first"]


def test_a_rollback_leaves_nothing(server: DevServer) -> None:
    project, api = server.project, server.api
    gate, thread_id = project.gate(), api.thread()
    first = api.start(thread_id, "three_nodes", {"steps": []})
    api.join(thread_id, first)
    before = api.history(thread_id)
    run_id = api.start(thread_id, "slow", {"gate": str(gate)})
    project.journal.wait(run_id, "second")
    assert cancel(api, thread_id, run_id, "rollback") < GRACE
    assert api.http.get(f"/threads/{thread_id}/runs/{run_id}").status_code == 404
    assert api.history(thread_id) == before
    gate.touch()
    assert_serves(api, project.journal)
    assert api.history(thread_id) == before


def test_a_sync_node_that_runs_on_changes_nothing(server: DevServer) -> None:
    project, api = server.project, server.api
    gate, thread_id = project.gate(), api.thread()
    run_id = api.start(thread_id, "sync_sleeper", {"gate": str(gate)})
    project.journal.wait(run_id, "sleep")
    took = cancel(api, thread_id, run_id)
    assert took < GRACE + 4
    assert api.run(run_id)["status"] == "interrupted"
    state, frames = api.state(thread_id), api.frames(thread_id, run_id)
    gate.touch()
    until(
        lambda: "late.refused" in project.journal.nodes(run_id),
        lambda: f"the refusal; {project.journal.nodes(run_id)}",
    )
    assert_serves(api, project.journal)
    assert project.journal.nodes(run_id) == ["sleep", "late", "late.refused"]
    assert api.state(thread_id) == state and "woke" not in state["values"]
    assert api.frames(thread_id, run_id) == frames
    item = api.http.get("/store/items", params={"namespace": "late", "key": thread_id})
    assert item.status_code == 404 or item.json() is None


def test_wait_answers_when_the_worker_is_dead(server: DevServer) -> None:
    project, api = server.project, server.api
    gate, thread_id = project.gate(), api.thread()
    run_id = api.start(thread_id, "slow", {"gate": str(gate)})
    worker = project.journal.wait(run_id, "second")
    api.wait_next(thread_id, "second")
    os.kill(worker, signal.SIGSTOP)
    took = cancel(api, thread_id, run_id)
    print(f"cancelled {took:.3f} s after it was asked")
    assert took < GRACE + 4
    assert api.run(run_id)["status"] == "interrupted"
    state = api.state(thread_id)
    os.kill(worker, signal.SIGCONT)
    # A worker that serves a later run has read before it that this one is over.
    server.wait_workers(1)
    assert_serves(api, project.journal)
    gate.touch()
    assert_serves(api, project.journal)
    assert api.state(thread_id) == state
    assert "third" not in project.journal.nodes(run_id)
    # The thread is free for the next run.
    again = api.start(thread_id, "three_nodes", {"steps": []})
    assert api.join(thread_id, again)["steps"] == ["first", "a", "b", "c"]


def test_a_run_that_nobody_has_begun_is_cancelled_at_once(server: DevServer) -> None:
    api, thread_id = server.api, server.api.thread()
    run_id = api.start(thread_id, "slow", {}, after_seconds=600)
    assert cancel(api, thread_id, run_id) < 2
    assert api.run(run_id)["status"] == "interrupted"
    assert api.get(f"/threads/{thread_id}")["status"] == "idle"
