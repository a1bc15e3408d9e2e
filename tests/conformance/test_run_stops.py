"""Runs that are cancelled, rolled back, deleted or overtaken."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import SyncLangGraphClient

from answers import problem, refused
from processes import Server, until

STEPS: dict[str, Any] = {"steps": []}


def held(client: SyncLangGraphClient, thread: str, gate: Path, **options: Any) -> str:
    """Starts a run that waits in its second node; its id, once the checkpoint of the first one is there."""
    run = client.runs.create(thread, "slow", input={"gate": str(gate)}, **options)["run_id"]
    until(lambda: client.threads.get_state(thread)["next"] == ["second"], "the second node")
    return str(run)


def status(client: SyncLangGraphClient, thread: str, run: str) -> str:
    return client.runs.get(thread, run)["status"]


@pytest.mark.oldest
def test_interrupted_work_is_kept(client: SyncLangGraphClient, server: Server, thread: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    run = held(client, thread, gate)
    client.runs.cancel(thread, run, wait=True)
    assert status(client, thread, run) == "interrupted"
    state = client.threads.get_state(thread)
    assert (state["values"]["steps"], state["next"]) == (["first"], ["second"])
    assert client.threads.get(thread)["status"] == "interrupted"
    gate.touch()
    assert client.runs.wait(thread, "slow", input=None)["steps"] == ["first", "second", "third"]
    assert server.project.journal.nodes(run) == ["first", "second"]
    assert client.threads.get(thread)["status"] == "idle"


def test_answers_of_a_cancel(http: httpx.Client, client: SyncLangGraphClient, thread: str, tmp_path: Path) -> None:
    run = held(client, thread, tmp_path / "never")
    path = f"/threads/{thread}/runs/{run}/cancel"
    problem(http.post(path, params={"action": "explode"}), 422)
    assert status(client, thread, run) == "running"
    first = http.post(path)
    assert (first.status_code, first.content) == (202, b"")
    assert first.headers["location"] == f"/threads/{thread}/runs/{run}/join"
    for wait in ("1", "true"):
        waited = http.post(path, params={"wait": wait})
        assert (waited.status_code, waited.content) == (204, b"")
        assert status(client, thread, run) == "interrupted"
    assert http.post(path, params={"wait": "0"}).status_code == 202
    problem(http.post(f"/threads/{thread}/runs/{uuid.uuid4()}/cancel"), 404)
    joined = client.runs.join(thread, run)
    assert joined["steps"] == ["first"]


def test_a_pending_run_is_cancelled_at_once(client: SyncLangGraphClient, thread: str) -> None:
    run = client.runs.create(thread, "three_nodes", input=STEPS, after_seconds=3600)["run_id"]
    assert client.threads.get(thread)["status"] == "busy"
    client.runs.cancel(thread, run)
    assert status(client, thread, run) == "interrupted"
    assert client.threads.get(thread)["status"] == "idle"
    other = client.runs.create(thread, "three_nodes", input=STEPS, after_seconds=3600)["run_id"]
    client.runs.cancel(thread, other, action="rollback")
    with refused(404):
        client.runs.get(thread, other)
    assert client.threads.get_history(thread) == []


def test_rollback_keeps_what_was_before(client: SyncLangGraphClient, thread: str, tmp_path: Path) -> None:
    client.runs.wait(thread, "slow", input={})
    history = client.threads.get_history(thread)
    run = held(client, thread, tmp_path / "never")
    assert len(client.threads.get_history(thread)) == len(history) + 3
    client.runs.cancel(thread, run, wait=True, action="rollback")
    with refused(404):
        client.runs.get(thread, run)
    assert client.threads.get_history(thread) == history
    record = client.threads.get(thread)
    assert (record["status"], record["values"]) == ("idle", history[0]["values"])


def asked(client: SyncLangGraphClient, thread: str, gate: Path) -> dict[str, Any]:
    """The thread's state, stopped at a question whose answer leads to a node that waits for the gate."""
    client.runs.wait(thread, "human", input={"topic": "x", "gate": str(gate)})
    return shown(client, thread)


def shown(client: SyncLangGraphClient, thread: str) -> dict[str, Any]:
    """What the API shows of where a thread stands."""
    record = client.threads.get(thread)
    return {
        "state": client.threads.get_state(thread),
        "nested": client.threads.get_state(thread, subgraphs=True),
        "history": client.threads.get_history(thread),
        "thread": [record[key] for key in ("status", "values", "interrupts")],
    }


def answered(client: SyncLangGraphClient, thread: str, answer: str, **options: Any) -> str:
    """Starts a run with an answer; its id, once it waits for the gate."""
    command = {"resume": answer, "update": {"plan": f"plan of {answer}"}}
    run = client.runs.create(thread, "human", command=command, **options)["run_id"]
    until(lambda: client.threads.get_state(thread)["next"] == ["done"], "the node after the answer")
    return str(run)


@pytest.mark.oldest
def test_rollback_takes_an_answer_back(client: SyncLangGraphClient, thread: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    before = asked(client, thread, gate)
    run = answered(client, thread, "approve")
    client.runs.cancel(thread, run, wait=True, action="rollback")
    assert shown(client, thread) == before
    gate.touch()
    assert client.runs.wait(thread, "human", command={"resume": "reject"})["result"] == "a plan for x: reject"


def test_another_answer_may_roll_the_first_one_back(
    client: SyncLangGraphClient, thread: str, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    asked(client, thread, gate)
    first = answered(client, thread, "approve")
    second = client.runs.create(thread, "human", command={"resume": "reject"}, multitask_strategy="rollback")
    gate.touch()
    assert client.runs.join(thread, second["run_id"])["result"] == "a plan for x: reject"
    with refused(404):
        client.runs.get(thread, first)


def test_deleting_a_run_takes_its_answer_back(client: SyncLangGraphClient, thread: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    before = asked(client, thread, gate)
    gate.touch()
    client.runs.wait(thread, "human", command={"resume": "approve"})
    client.runs.delete(thread, client.runs.list(thread)[0]["run_id"])
    assert shown(client, thread) == before
    assert client.runs.wait(thread, "human", command={"resume": "reject"})["result"] == "a plan for x: reject"


def test_a_finished_run_stays_finished(client: SyncLangGraphClient, thread: str) -> None:
    client.runs.wait(thread, "three_nodes", input=STEPS)
    run = client.runs.list(thread)[0]
    client.runs.cancel(thread, run["run_id"], wait=True)
    client.runs.cancel(thread, run["run_id"], wait=True, action="rollback")
    assert client.runs.get(thread, run["run_id"]) == run
    assert len(client.threads.get_history(thread)) == 5


def test_deleting_runs(client: SyncLangGraphClient, thread: str, tmp_path: Path) -> None:
    client.runs.wait(thread, "three_nodes", input=STEPS)
    done = client.runs.list(thread)[0]["run_id"]
    client.runs.delete(thread, done)
    with refused(404):
        client.runs.get(thread, done)
    with refused(404):
        client.runs.delete(thread, done)
    running = held(client, thread, tmp_path / "gate")
    with refused(409):
        client.runs.delete(thread, running)
    (tmp_path / "gate").touch()
    assert client.runs.join(thread, running)["steps"][-1] == "third"


def test_bulk_cancel_of_some(http: httpx.Client, client: SyncLangGraphClient, thread: str, tmp_path: Path) -> None:
    running = held(client, thread, tmp_path / "never")
    waiting = [client.runs.create(thread, "three_nodes", input=STEPS)["run_id"] for _ in range(3)]
    client.runs.cancel_many(thread_id=thread, run_ids=waiting[:2])
    assert [status(client, thread, run) for run in waiting] == ["interrupted", "interrupted", "pending"]
    assert status(client, thread, running) == "running"
    client.runs.cancel_many(thread_id=thread, run_ids=[waiting[2]], action="rollback")
    with refused(404):
        client.runs.get(thread, waiting[2])
    for wrong in ({"status": "running", "thread_id": thread}, {}, {"status": "lost"}, {"run_ids": 4}):
        problem(http.post("/runs/cancel", json=wrong), 422)
    assert status(client, thread, running) == "running"
    answer = http.post("/runs/cancel", json={"thread_id": thread, "run_ids": [running]})
    assert (answer.status_code, answer.content) == (204, b"")
    until(lambda: status(client, thread, running) == "interrupted", "the cancel")


def test_bulk_cancel_by_status(make_server: Any, tmp_path: Path) -> None:
    from langgraph_sdk import get_sync_client

    client = get_sync_client(url=make_server().url)  # of its own: it cancels everybody's runs
    threads = [client.threads.create()["thread_id"] for _ in range(3)]
    runs = [held(client, thread, tmp_path / "never") for thread in threads[:2]]
    waiting = client.runs.create(threads[0], "three_nodes", input=STEPS)["run_id"]
    delayed = client.runs.create(threads[2], "three_nodes", input=STEPS, after_seconds=3600)["run_id"]
    client.runs.cancel_many(status="pending")
    assert (status(client, threads[0], waiting), status(client, threads[2], delayed)) == ("interrupted",) * 2
    assert [status(client, thread, run) for thread, run in zip(threads, runs, strict=False)] == ["running"] * 2
    client.runs.cancel_many(status="all")
    for thread, run in zip(threads, runs, strict=False):
        until(lambda thread=thread, run=run: status(client, thread, run) == "interrupted", "the cancel")


@pytest.mark.oldest
def test_enqueued_runs_keep_their_order(
    client: SyncLangGraphClient, server: Server, thread: str, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    first = held(client, thread, gate)
    later = [client.runs.create(thread, "three_nodes", input=STEPS)["run_id"] for _ in range(5)]
    gate.touch()
    client.runs.join(thread, later[-1])
    order = [run for _, on, run, _ in server.project.journal.entries() if on == thread]
    assert list(dict.fromkeys(order)) == [first, *later]
    squeezed = [run for n, run in enumerate(order) if n == 0 or order[n - 1] != run]
    assert squeezed == [first, *later]  # one after the other
    assert client.threads.get_state(thread)["values"]["steps"][-15:] == ["a", "b", "c"] * 5


def test_interrupting_keeps_the_partial_work(client: SyncLangGraphClient, thread: str, tmp_path: Path) -> None:
    first = held(client, thread, tmp_path / "never")
    queued = client.runs.create(thread, "three_nodes", input=STEPS)["run_id"]
    second = client.runs.create(thread, "three_nodes", input=STEPS, multitask_strategy="interrupt")["run_id"]
    assert client.runs.join(thread, second)["steps"] == ["first", "a", "b", "c"]
    assert [status(client, thread, run) for run in (first, queued, second)] == ["interrupted", "interrupted", "success"]


def test_rolling_back_leaves_no_trace(client: SyncLangGraphClient, thread: str, tmp_path: Path) -> None:
    first = held(client, thread, tmp_path / "never")
    second = client.runs.create(thread, "three_nodes", input=STEPS, multitask_strategy="rollback")["run_id"]
    assert client.runs.join(thread, second) == {"steps": ["a", "b", "c"]}
    with refused(404):
        client.runs.get(thread, first)
    assert [run["run_id"] for run in client.runs.list(thread)] == [second]
    assert {s["metadata"]["run_id"] for s in client.threads.get_history(thread)} == {second}  # type: ignore[index]


def test_a_rejected_run_is_not_made(client: SyncLangGraphClient, http: httpx.Client, thread: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    first = held(client, thread, gate)
    body = {"assistant_id": "three_nodes", "input": STEPS, "multitask_strategy": "reject"}
    for path in ("", "/wait", "/stream"):
        assert "already running" in problem(http.post(f"/threads/{thread}/runs{path}", json=body), 409)["detail"]
    assert [run["run_id"] for run in client.runs.list(thread)] == [first]
    gate.touch()
    assert client.runs.join(thread, first)["steps"] == ["first", "second", "third"]
    assert http.post(f"/threads/{thread}/runs/wait", json=body).json()["steps"][-1] == "c"


def test_a_sync_node_that_runs_on_changes_nothing(
    client: SyncLangGraphClient, server: Server, thread: str, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    run = client.runs.create(thread, "sync_sleeper", input={"gate": str(gate)}, stream_mode=["custom"])["run_id"]
    server.project.journal.wait(run, "sleep")
    client.runs.cancel(thread, run, wait=True)
    assert status(client, thread, run) == "interrupted"
    history = client.threads.get_history(thread)
    gate.touch()
    server.project.journal.wait(run, "late.refused")
    assert client.store.get_item(["late"], key=thread) is None
    assert client.threads.get_history(thread) == history and client.threads.get(thread)["status"] == "interrupted"
    assert [part.event for part in client.runs.join_stream(thread, run, last_event_id="-1")] == ["metadata"]
