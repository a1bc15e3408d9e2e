"""Runs by the Python client: creating, waiting, cancelling, double texting, resuming and forking."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import SyncLangGraphClient

from answers import refused
from processes import until

SYSTEM = {"steps": []}


def wait_running(client: SyncLangGraphClient, thread: str, run: str) -> None:
    until(lambda: client.runs.get(thread, run)["status"] == "running", "the run's start")


@pytest.mark.oldest
def test_wait_gives_the_values(client: SyncLangGraphClient, thread: str) -> None:
    assert client.runs.wait(thread, "three_nodes", input=SYSTEM) == {"steps": ["a", "b", "c"]}
    assert client.threads.get(thread)["status"] == "idle"
    (run,) = client.runs.list(thread)
    assert (run["status"], run["multitask_strategy"]) == ("success", "enqueue")
    assert run["kwargs"]["input"] == SYSTEM
    assert client.runs.join(thread, run["run_id"]) == {"steps": ["a", "b", "c"]}


def test_create_runs_in_the_background(client: SyncLangGraphClient, thread: str, http: httpx.Client) -> None:
    made = http.post(f"/threads/{thread}/runs", json={"assistant_id": "three_nodes", "input": SYSTEM})
    run = made.json()
    assert made.headers["content-location"] == f"/threads/{thread}/runs/{run['run_id']}"
    assert client.runs.join(thread, run["run_id"]) == {"steps": ["a", "b", "c"]}
    client.runs.delete(thread, run["run_id"])
    with refused(404):
        client.runs.get(thread, run["run_id"])


@pytest.mark.oldest
def test_interrupt_and_resume(client: SyncLangGraphClient, thread: str) -> None:
    asked = client.runs.wait(thread, "human", input={"topic": "cats"})
    assert len(asked["__interrupt__"]) == 1
    record = client.threads.get(thread)
    assert record["status"] == "interrupted"
    (waiting,) = record["interrupts"].values()
    assert waiting[0]["id"] == asked["__interrupt__"][0]["id"]
    first = client.runs.list(thread)[0]
    assert first["status"] == "success"
    done = client.runs.wait(thread, "human", command={"resume": "yes"})
    assert done["answer"] == "yes"
    assert client.threads.get(thread)["status"] == "idle"
    assert client.threads.get(thread)["interrupts"] == {}


def test_several_interrupts_are_answered_by_id(client: SyncLangGraphClient, thread: str) -> None:
    client.runs.wait(thread, "two_interrupts", input={})
    interrupts = [i for task in client.threads.get_state(thread)["tasks"] for i in task["interrupts"]]
    assert len(interrupts) == 2
    client.runs.wait(thread, "two_interrupts", command={"resume": {i["id"]: f"to {n}" for n, i in enumerate(interrupts)}})
    assert client.threads.get(thread)["status"] == "idle"


def test_breakpoints(client: SyncLangGraphClient, thread: str) -> None:
    client.runs.wait(thread, "three_nodes", input=SYSTEM, interrupt_before=["b"])
    assert client.threads.get_state(thread)["next"] == ["b"]
    assert client.threads.get(thread)["status"] == "interrupted"
    client.runs.wait(thread, "three_nodes", input=None, interrupt_after=["b"])
    assert client.threads.get_state(thread)["next"] == ["c"]
    assert client.runs.wait(thread, "three_nodes", input=None) == {"steps": ["a", "b", "c"]}


def test_fork_from_a_checkpoint(client: SyncLangGraphClient, thread: str) -> None:
    client.runs.wait(thread, "three_nodes", input=SYSTEM)
    middle = next(s for s in client.threads.get_history(thread) if s["next"] == ["b"])
    client.runs.wait(thread, "three_nodes", input=None, checkpoint=middle["checkpoint"])
    assert client.threads.get_state(thread)["values"] == {"steps": ["a", "b", "c"]}
    parents = [s["parent_checkpoint"] for s in client.threads.get_history(thread, limit=20) if s["parent_checkpoint"]]
    children = [p for p in parents if p["checkpoint_id"] == middle["checkpoint"]["checkpoint_id"]]
    assert len(children) == 2


def test_a_failing_graph(client: SyncLangGraphClient, thread: str) -> None:
    failed = client.runs.wait(thread, "raises", input={}, raise_error=False)
    assert failed == {"__error__": {"error": "CustomError", "message": "Boo!"}}
    assert client.threads.get(thread)["status"] == "error"
    assert client.runs.list(thread)[0]["status"] == "error"
    with pytest.raises(Exception, match="CustomError: Boo!"):
        client.runs.wait(thread, "raises", input={})


def test_recursion_limit(client: SyncLangGraphClient, thread: str) -> None:
    failed = client.runs.wait(thread, "recursion", input={}, config={"recursion_limit": 3}, raise_error=False)
    assert failed["__error__"]["error"] == "GraphRecursionError"


def test_cancel(client: SyncLangGraphClient, thread: str, tmp_path: Path) -> None:
    run = client.runs.create(thread, "slow", input={"gate": str(tmp_path / "never")})["run_id"]
    wait_running(client, thread, run)
    client.runs.cancel(thread, run, wait=True)
    assert client.runs.get(thread, run)["status"] == "interrupted"
    client.runs.cancel(thread, run)


def test_cancel_by_rollback(client: SyncLangGraphClient, thread: str, tmp_path: Path) -> None:
    run = client.runs.create(thread, "slow", input={"gate": str(tmp_path / "never")})["run_id"]
    wait_running(client, thread, run)
    client.runs.cancel(thread, run, wait=True, action="rollback")
    with refused(404):
        client.runs.get(thread, run)
    assert client.threads.get_history(thread) == []
    assert client.threads.get(thread)["status"] == "idle"


def test_reject(client: SyncLangGraphClient, thread: str, tmp_path: Path) -> None:
    run = client.runs.create(thread, "slow", input={"gate": str(tmp_path / "gate")})["run_id"]
    with refused(409):
        client.runs.create(thread, "slow", input={}, multitask_strategy="reject")
    with refused(409):
        client.threads.update_state(thread, {})
    (tmp_path / "gate").touch()
    client.runs.join(thread, run)
    assert client.runs.get(thread, run)["status"] == "success"


def test_enqueue_keeps_the_order(client: SyncLangGraphClient, thread: str, tmp_path: Path) -> None:
    first = client.runs.create(thread, "slow", input={"gate": str(tmp_path / "gate")})["run_id"]
    later = [client.runs.create(thread, "counter", input={})["run_id"] for _ in range(2)]
    assert [client.runs.get(thread, run)["status"] for run in later] == ["pending", "pending"]
    (tmp_path / "gate").touch()
    client.runs.join(thread, later[-1])
    assert [client.runs.get(thread, run)["status"] for run in (first, *later)] == ["success"] * 3


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
def test_interrupt_and_rollback(client: SyncLangGraphClient, thread: str, tmp_path: Path, strategy: Any) -> None:
    first = client.runs.create(thread, "slow", input={"gate": str(tmp_path / "never")})["run_id"]
    wait_running(client, thread, first)
    second = client.runs.create(thread, "three_nodes", input=SYSTEM, multitask_strategy=strategy)["run_id"]
    client.runs.join(thread, second)
    assert client.runs.get(thread, second)["status"] == "success"
    if strategy == "interrupt":
        assert client.runs.get(thread, first)["status"] == "interrupted"
    else:
        with refused(404):
            client.runs.get(thread, first)
        assert len(client.threads.get_history(thread)) == 5


def test_after_seconds(client: SyncLangGraphClient, thread: str) -> None:
    run = client.runs.create(thread, "three_nodes", input=SYSTEM, after_seconds=600)["run_id"]
    assert client.runs.get(thread, run)["status"] == "pending"
    assert client.runs.list(thread, status="pending")[0]["run_id"] == run
    client.runs.cancel(thread, run, wait=True)
    assert client.runs.get(thread, run)["status"] == "interrupted"
    client.runs.join(thread, run)
    began = time.monotonic()
    client.runs.wait(thread, "three_nodes", input=SYSTEM, after_seconds=1)
    assert time.monotonic() - began > 0.9


def test_missing_thread(client: SyncLangGraphClient) -> None:
    key = str(uuid.uuid4())
    with refused(404):
        client.runs.create(key, "three_nodes", input=SYSTEM)
    assert client.runs.wait(key, "three_nodes", input=SYSTEM, if_not_exists="create") == {"steps": ["a", "b", "c"]}


def test_stateless_and_batch(client: SyncLangGraphClient, http: httpx.Client) -> None:
    assert client.runs.wait(None, "three_nodes", input=SYSTEM) == {"steps": ["a", "b", "c"]}
    made = client.runs.create_batch([{"assistant_id": "three_nodes", "input": SYSTEM}] * 3)
    assert len({run["run_id"] for run in made}) == 3
    for run in made:
        assert client.runs.join(run["thread_id"], run["run_id"]) == {"steps": ["a", "b", "c"]}
    bad = http.post("/runs/batch", json=[{"assistant_id": "three_nodes"}, {"input": 1}])
    assert bad.status_code == 422 and "[1].assistant_id" in bad.json()["detail"]


def test_bulk_cancel(client: SyncLangGraphClient, thread: str) -> None:
    runs = [client.runs.create(thread, "three_nodes", input=SYSTEM, after_seconds=600)["run_id"] for _ in range(2)]
    client.runs.cancel_many(thread_id=thread, run_ids=[runs[0]])
    assert [client.runs.get(thread, run)["status"] for run in runs] == ["interrupted", "pending"]
    client.runs.cancel_many(thread_id=thread, run_ids=runs)
    assert client.runs.get(thread, runs[1])["status"] == "interrupted"


def test_config_and_context_reach_the_graph(client: SyncLangGraphClient, thread: str) -> None:
    one = client.runs.wait(thread, "counter", input={}, context={"step": 5})
    assert one["count"] == 5
    greeted = client.runs.wait(None, "factory_config", input={}, config={"configurable": {"greeting": "moin"}})
    assert "moin" in str(greeted)


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_durability(client: SyncLangGraphClient, thread: str, durability: Any) -> None:
    client.runs.wait(thread, "three_nodes", input=SYSTEM, durability=durability)
    assert len(client.threads.get_history(thread)) == (1 if durability == "exit" else 5)


@pytest.mark.parametrize(
    ("graph", "input"),
    [("sends", {"items": [1, 2, 3]}), ("commands", {}), ("functional", {}), ("factory_runtime", {}), ("async_factory", {}),
     ("private_state", {"question": "why"}), ("pydantic_state", {"name": "x"}), ("store_graph", {"user": "u", "text": "hello"})],
)
def test_kinds_of_graphs(client: SyncLangGraphClient, thread: str, graph: str, input: Any) -> None:
    result = client.runs.wait(thread, graph, input=input)
    assert "__error__" not in result
    state = client.threads.get_state(thread)
    assert state["checkpoint"]["checkpoint_id"]
