"""The everyday calls: make a thread, start a run, wait for it, stream it."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import SyncLangGraphClient

from answers import names, of, problem, refused, stream
from processes import parse_sse, until

STEPS: dict[str, Any] = {"steps": []}
DONE = {"steps": ["a", "b", "c"]}


@pytest.mark.oldest
def test_life_of_a_thread(client: SyncLangGraphClient, http: httpx.Client) -> None:
    key = str(uuid.uuid4())
    made = client.threads.create(thread_id=key, metadata={"a": 1})
    assert (made["thread_id"], made["status"], made["values"], made["interrupts"]) == (key, "idle", None, {})
    assert client.threads.get(key) == made
    with refused(409):
        client.threads.create(thread_id=key)
    assert client.threads.create(thread_id=key, if_exists="do_nothing", metadata={"b": 2}) == made
    assert client.threads.update(key, metadata={"b": 2})["metadata"] == {"a": 1, "b": 2}
    minimal = http.patch(f"/threads/{key}", json={"metadata": {"c": 3}}, headers={"Prefer": "return=minimal"})
    assert (minimal.status_code, minimal.content) == (204, b"")
    assert client.threads.get(key)["metadata"] == {"a": 1, "b": 2, "c": 3}
    client.threads.delete(key)
    with refused(404):
        client.threads.get(key)
    assert uuid.UUID(client.threads.create()["thread_id"]).version == 7


@pytest.mark.oldest
def test_wait(client: SyncLangGraphClient, thread: str) -> None:
    assert client.runs.wait(thread, "three_nodes", input=STEPS) == DONE
    assert client.threads.get(thread)["status"] == "idle"
    (run,) = client.runs.list(thread)
    assert (run["status"], run["multitask_strategy"]) == ("success", "enqueue")
    assert client.runs.join(thread, run["run_id"]) == DONE


@pytest.mark.oldest
def test_in_the_background(client: SyncLangGraphClient, http: httpx.Client, thread: str) -> None:
    made = http.post(f"/threads/{thread}/runs", json={"assistant_id": "three_nodes", "input": STEPS})
    run = made.json()["run_id"]
    assert made.headers["content-location"] == f"/threads/{thread}/runs/{run}"
    assert made.headers["location"] == f"/threads/{thread}/runs/{run}/stream"
    assert client.runs.join(thread, run) == DONE


@pytest.mark.oldest
def test_head_of_a_stream(http: httpx.Client, thread: str) -> None:
    headers, frames = stream(http, thread)
    run = frames[0][2]["run_id"]
    assert frames[0] == ("0", "metadata", {"run_id": run, "attempt": 1})
    assert [len(values["messages"]) for values in of(frames, "values")] == [1, 2, 3, 4]
    assert names(frames) == ["metadata", "values", "values", "values", "values"]
    assert headers["content-type"] == "text/event-stream"
    assert headers["content-location"] == f"/threads/{thread}/runs/{run}"
    assert headers["location"] == f"/threads/{thread}/runs/{run}/stream"
    assert headers["cache-control"] == "no-cache, no-transform"
    assert headers["x-accel-buffering"] == "no"


def test_sdk_streams_may_be_joined_again(client: SyncLangGraphClient, thread: str) -> None:
    parts = list(client.runs.stream(thread, "three_nodes", input=STEPS, stream_mode=["values", "updates"], stream_resumable=True))
    again = list(client.runs.join_stream(thread, parts[0].data["run_id"], last_event_id="-1"))
    assert len(parts) == 8 and [(p.event, p.data) for p in again] == [(p.event, p.data) for p in parts]


def test_a_client_that_leaves_may_cancel(
    http: httpx.Client, client: SyncLangGraphClient, thread: str, tmp_path: Path
) -> None:
    body = {"assistant_id": "slow", "input": {"gate": str(tmp_path / "never")}, "on_disconnect": "cancel"}
    for path in ("stream", "wait"):
        with http.stream("POST", f"/threads/{thread}/runs/{path}", json=body) as answer:
            run = answer.headers["content-location"].rpartition("/")[2]
        until(lambda run=run: client.runs.get(thread, run)["status"] == "interrupted", "the cancel")


def test_a_missing_thread(client: SyncLangGraphClient, http: httpx.Client) -> None:
    key = str(uuid.uuid4())
    body = {"assistant_id": "three_nodes", "input": STEPS}
    for path in ("", "/wait", "/stream"):
        problem(http.post(f"/threads/{key}/runs{path}", json=body), 404)
    assert client.runs.wait(key, "three_nodes", input=STEPS, if_not_exists="create") == DONE
    client.threads.delete(key)
    assert client.runs.wait(key, "three_nodes", input=STEPS, if_not_exists="create") == DONE, "the id is free again"
    assert client.threads.get(key)["metadata"]["graph_id"] == "three_nodes"


def test_a_delayed_run(client: SyncLangGraphClient, thread: str) -> None:
    began = time.monotonic()
    assert client.runs.wait(thread, "three_nodes", input=STEPS, after_seconds=1) == DONE
    assert 0.95 < time.monotonic() - began


@pytest.mark.oldest
@pytest.mark.parametrize(("durability", "kept"), [("sync", 5), ("async", 5), ("exit", 1)])
def test_durability(http: httpx.Client, client: SyncLangGraphClient, thread: str, durability: str, kept: int) -> None:
    body = {"assistant_id": "three_nodes", "input": STEPS, "durability": durability}
    _, frames = stream(http, thread, **body, stream_mode=["values"])
    assert of(frames, "values")[-1] == DONE
    assert len(client.threads.get_history(thread)) == kept
    assert client.threads.get_state(thread)["values"] == DONE


@pytest.mark.parametrize(("during", "kept"), [(False, 1), (True, 5)])
def test_the_old_name_of_durability(http: httpx.Client, thread: str, during: bool, kept: int) -> None:
    body = {"assistant_id": "three_nodes", "input": STEPS, "checkpoint_during": during}
    assert http.post(f"/threads/{thread}/runs/wait", json=body).json() == DONE
    assert len(http.get(f"/threads/{thread}/history").json()) == kept


def test_with_exit_a_question_is_kept(client: SyncLangGraphClient, thread: str) -> None:
    asked = client.runs.wait(thread, "human", input={"topic": "x"}, durability="exit")
    assert asked["__interrupt__"] and client.threads.get(thread)["status"] == "interrupted"
    assert client.runs.wait(thread, "human", command={"resume": "yes"}, durability="exit")["answer"] == "yes"


def test_stateless_runs(client: SyncLangGraphClient) -> None:
    assert client.runs.wait(None, "three_nodes", input=STEPS) == DONE
    parts = list(client.runs.stream(None, "three_nodes", input=STEPS, stream_mode="updates"))
    assert [part.event for part in parts] == ["metadata", "updates", "updates", "updates"]


def test_a_steady_heartbeat(http: httpx.Client, thread: str, tmp_path: Path) -> None:
    """While nothing happens a stream gives a comment, and a wait an empty line, every 5 s."""
    gate = tmp_path / "gate"
    body = {"assistant_id": "slow", "input": {"gate": str(gate)}}
    began = time.monotonic()
    with http.stream("POST", f"/threads/{thread}/runs/wait", json=body) as waiting:
        path = waiting.headers["content-location"] + "/stream"
        with http.stream("GET", path, headers={"Last-Event-ID": "-1"}) as streaming:
            lines = streaming.iter_lines()
            assert any(line == ": heartbeat" for line in lines)
            assert 4.5 < time.monotonic() - began < 20
            chunks = waiting.iter_raw()
            assert next(chunks) == b"\n"
            gate.touch()
            rest = b"".join(chunks)
            assert of(list(parse_sse(lines)), "values")[-1]["steps"] == ["first", "second", "third"]
    assert httpx.Response(200, content=rest).json()["steps"] == ["first", "second", "third"]
