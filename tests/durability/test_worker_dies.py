"""A worker is killed in the middle of a run while another is ready: the run continues from its last checkpoint."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from processes import Api, DevServer, Journal, MakeProject, Project, WorkerProgram, assert_consecutive, attempts

WAITING_REDUCER = '''
import os, time
from journal import record

def joined(left, right):
    for gate in filter(os.path.isabs, right):
        record({}, "joined")
        while not os.path.exists(gate):
            time.sleep(0.01)
    return left + right

'''
"""Of three_nodes: a step that is a path is added when there is a file."""

TAKE_OVER = 5.0
"""Seconds within which another worker must have the run; meant are 2.5 on a quiet machine."""


@pytest.fixture(scope="module")
def cluster(make_project: MakeProject) -> DevServer:
    """A server with two workers, each of which its supervisor starts again when it is killed."""
    project = make_project()
    server = DevServer(project, "--no-worker")
    for _ in range(2):
        WorkerProgram(project, server.url)
    return server


@pytest.fixture
def server(cluster: DevServer) -> Iterator[DevServer]:
    """The cluster with both workers ready."""
    cluster.wait_workers(2)
    yield cluster


def kill_and_take_over(journal: Journal, run_id: str, node: str, durable: Callable[[], None] | None = None) -> float:
    """Kills the worker that executes the node, once `durable` returns; the seconds until another executes it."""
    victim = journal.wait(run_id, node)
    if durable:
        durable()
    began = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    other = journal.wait(run_id, node, times=2)
    took = time.monotonic() - began
    assert other != victim
    return took


def finish(api: Api, thread_id: str, run_id: str, gate: Path) -> dict[str, object]:
    gate.touch()
    result = api.join(thread_id, run_id)
    run = api.run(run_id)
    assert run["status"] == "success" and run["attempt"] == 2, run
    frames = api.frames(thread_id, run_id)
    assert_consecutive(frames)
    assert attempts(frames) == [1, 2]
    return dict(result)


@pytest.mark.parametrize("durability", ["async", "sync"])
def test_a_run_continues_from_its_last_checkpoint(
    server: DevServer, capsys: pytest.CaptureFixture[str], durability: str
) -> None:
    """With `sync` the checkpoint is durable before the next node begins, so the kill may come at any instant."""
    project, api = server.project, server.api
    gate, thread_id = project.gate(), api.thread()
    run_id = api.start(thread_id, "slow", {"gate": str(gate)}, durability=durability)
    durable = None if durability == "sync" else lambda: api.wait_next(thread_id, "second")
    took = kill_and_take_over(project.journal, run_id, "second", durable)
    with capsys.disabled():
        print(f"\n  taken over {took:.3f} s after the kill")
    assert took < TAKE_OVER
    assert finish(api, thread_id, run_id, gate)["steps"] == ["first", "second", "third"]
    assert project.journal.nodes(run_id) == ["first", "second", "second", "second.end", "third"]


def test_a_forked_run_repeats_nothing(server: DevServer) -> None:
    project, api = server.project, server.api
    gate, thread_id = project.gate(opened=True), api.thread()
    original = api.start(thread_id, "slow", {"gate": str(gate)})
    api.join(thread_id, original)
    (origin,) = [state for state in api.history(thread_id) if state["next"] == ["first"]]
    gate.unlink()
    forked = api.start(thread_id, "slow", None, checkpoint=origin["checkpoint"], durability="sync")
    assert kill_and_take_over(project.journal, forked, "second") < TAKE_OVER
    assert finish(api, thread_id, forked, gate)["steps"] == ["first", "second", "third"]
    assert project.journal.nodes(forked) == ["first", "second", "second", "second.end", "third"]
    # The fork is a branch of its own: it began at the origin, and the old branch is as it was.
    states = api.history(thread_id)
    children = [s for s in states if s["parent_checkpoint"] and s["parent_checkpoint"] == origin["checkpoint"]]
    forks = [s for s in states if s["metadata"]["source"] == "fork"]  # newer versions of the library write one
    assert len(children) == 2 and len(forks) <= 1 and len(states) == 5 + len(forks) + 3, states


def test_a_resumed_run_repeats_nothing(server: DevServer) -> None:
    project, api = server.project, server.api
    gate, thread_id = project.gate(), api.thread()
    asked = api.start(thread_id, "human", {"topic": "tea", "gate": str(gate)})
    assert api.join(thread_id, asked)["__interrupt__"]
    resumed = api.start(thread_id, "human", command={"resume": {"ok": True}}, durability="sync")
    assert kill_and_take_over(project.journal, resumed, "done") < TAKE_OVER
    assert finish(api, thread_id, resumed, gate)["result"] == "a plan for tea: {'ok': True}"
    assert project.journal.nodes(asked) == ["plan", "review"]
    assert project.journal.nodes(resumed) == ["review", "review.answered", "done", "done"]
    assert api.get(f"/threads/{thread_id}")["status"] == "idle"


def test_a_subgraph_repeats_nothing(server: DevServer) -> None:
    project, api = server.project, server.api
    gate, thread_id = project.gate(), api.thread()
    run_id = api.start(thread_id, "subgraph", {"gate": str(gate)}, durability="sync")
    assert kill_and_take_over(project.journal, run_id, "child_work") < TAKE_OVER
    steps = finish(api, thread_id, run_id, gate)["steps"]
    assert steps == ["before", "child_work", "child_ask:nobody asked", "after"]
    assert project.journal.nodes(run_id) == ["before", "child_work", "child_work", "child_ask", "after"]


def test_an_update_of_a_state_is_done_by_another_worker(project: Project) -> None:
    graph = project.path / "three_nodes.py"
    graph.write_text(WAITING_REDUCER + graph.read_text().replace("operator.add]", "joined]"))
    server = DevServer(project, "--no-worker")
    WorkerProgram(project, server.url)
    server.wait_workers()
    api, gate, thread_id = server.api, project.gate(), server.api.thread()
    api.join(thread_id, api.start(thread_id, "three_nodes", {"steps": []}))
    with ThreadPoolExecutor() as client:
        update = {"values": {"steps": [str(gate)]}, "as_node": "c"}
        answer = client.submit(api.post, f"/threads/{thread_id}/state", update)
        victim = project.journal.wait("-", "joined")
        os.kill(victim, signal.SIGKILL)
        assert project.journal.wait("-", "joined", times=2) != victim
        gate.touch()
        checkpoint = answer.result()["checkpoint"]
    state = api.state(thread_id)
    assert (state["values"]["steps"], state["checkpoint"]) == (["a", "b", "c", str(gate)], checkpoint)
    assert [s["metadata"]["source"] for s in api.history(thread_id)].count("update") == 1


def test_a_run_that_kills_its_workers_backs_off(project: Project) -> None:
    """The third attempt waits, `why` says what for, and a cancel ends it at once."""
    agent = project.path / "three_nodes.py"
    agent.write_text(agent.read_text().replace('record(config, "b")', 'record(config, "b"); os._exit(9)'))
    agent.write_text("import os\n" + agent.read_text())
    server = DevServer(project, "--no-worker")
    WorkerProgram(project, server.url)
    server.wait_workers()
    api, thread_id = server.api, server.api.thread()
    run_id = api.start(thread_id, "three_nodes", {"steps": []}, durability="sync")
    project.journal.wait(run_id, "b", times=2)
    # The worker is not back at once, so the second loss shows as a backoff before it shows as a missing worker.
    run = api.wait_status(run_id, "pending")
    assert run["attempt"] == 2
    assert api.why(run_id)["code"] in ("retry_backoff", "no_worker")
    api.post(f"/threads/{thread_id}/runs/{run_id}/cancel", params={"wait": 1})
    assert api.run(run_id)["status"] == "interrupted"
    assert project.journal.nodes(run_id) == ["a", "b", "b"]
