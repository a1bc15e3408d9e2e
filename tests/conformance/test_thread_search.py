"""Finding threads, their life beside their runs, and copies."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import SyncLangGraphClient

from answers import problem, refused
from processes import until


@pytest.fixture(scope="module")
def zoo(server: Any) -> Iterator[dict[str, Any]]:
    """One thread of each status, all with the same tag: idle (without and with values), interrupted, error, busy."""
    from langgraph_sdk import get_sync_client

    client = get_sync_client(url=server.url)
    tag = uuid.uuid4().hex
    made = {
        name: client.threads.create(metadata={"tag": tag, "kind": {"name": name}, "list": [name, 1]})["thread_id"]
        for name in ("empty", "idle", "interrupted", "error", "busy")
    }
    client.runs.wait(made["idle"], "three_nodes", input={"steps": []})
    client.runs.wait(made["interrupted"], "human", input={"topic": tag})
    client.runs.wait(made["error"], "raises", input={}, raise_error=False)
    waiting = client.runs.create(made["busy"], "counter", input={}, after_seconds=3600)["run_id"]
    yield {"tag": tag, **made}
    client.runs.cancel(made["busy"], waiting, wait=True)


@pytest.mark.parametrize(
    ("status", "expected"),
    [("idle", {"empty", "idle"}), ("interrupted", {"interrupted"}), ("error", {"error"}), ("busy", {"busy"})],
)
def test_by_status(client: SyncLangGraphClient, zoo: dict[str, Any], status: Any, expected: set[str]) -> None:
    found = client.threads.search(metadata={"tag": zoo["tag"]}, status=status)
    assert {t["thread_id"] for t in found} == {zoo[name] for name in expected}
    assert {t["status"] for t in found} == {status}
    assert client.threads.count(metadata={"tag": zoo["tag"]}, status=status) == len(expected)


def test_by_metadata(client: SyncLangGraphClient, zoo: dict[str, Any]) -> None:
    def found(**metadata: Any) -> set[str]:
        return {t["thread_id"] for t in client.threads.search(metadata={"tag": zoo["tag"], **metadata})}

    assert found(kind={"name": "idle"}) == {zoo["idle"]}
    assert found(list=["error"]) == {zoo["error"]}
    assert found(list=[1, "busy"]) == {zoo["busy"]}
    assert found(graph_id="human") == {zoo["interrupted"]}
    assert found(kind={"name": "nobody"}) == set()
    assert found(kind="idle") == set()


def test_by_values(client: SyncLangGraphClient, zoo: dict[str, Any]) -> None:
    def found(values: Any) -> set[str]:
        return {t["thread_id"] for t in client.threads.search(metadata={"tag": zoo["tag"]}, values=values)}

    assert found({"topic": zoo["tag"]}) == {zoo["interrupted"]}
    assert found({"steps": ["a", "b"]}) == {zoo["idle"]}
    assert found({"steps": ["x"]}) == set()
    assert client.threads.count(metadata={"tag": zoo["tag"]}, values={"prepared": True}) == 1


def test_by_ids(client: SyncLangGraphClient, zoo: dict[str, Any]) -> None:
    wanted = [zoo["idle"], zoo["error"], str(uuid.uuid4())]
    assert {t["thread_id"] for t in client.threads.search(ids=wanted)} == set(wanted[:2])


def test_order_and_pages(http: httpx.Client, zoo: dict[str, Any]) -> None:
    def page(**body: Any) -> httpx.Response:
        answer = http.post("/threads/search", json={"metadata": {"tag": zoo["tag"]}, **body})
        assert answer.status_code == 200, answer.text
        return answer

    def ids(answer: httpx.Response) -> list[str]:
        return [t["thread_id"] for t in answer.json()]

    made = [zoo[name] for name in ("empty", "idle", "interrupted", "error", "busy")]
    assert ids(page(sort_by="created_at", sort_order="asc")) == made
    assert ids(page(sort_by="created_at")) == made[::-1]
    assert ids(page(sort_by="thread_id", sort_order="asc")) == sorted(made)
    statuses = [t["status"] for t in page(sort_by="status", sort_order="asc").json()]
    assert statuses == sorted(statuses)
    for field in ("updated_at", "state_updated_at"):
        times = [t[field] for t in page(sort_by=field).json()]
        assert times == sorted(times, reverse=True) and len(set(times)) > 3
    assert page().json() == page(sort_by="updated_at", sort_order="desc").json()

    first = page(sort_by="created_at", limit=2)
    assert (first.headers["x-pagination-total"], first.headers["x-pagination-next"]) == ("5", "2")
    last = page(sort_by="created_at", limit=2, offset=4)
    assert ids(last) == made[:1]
    assert last.headers["x-pagination-total"] == "5" and "x-pagination-next" not in last.headers
    assert page(offset=5).json() == []


@pytest.mark.parametrize(
    "body",
    [
        *({"limit": 0}, {"limit": 1001}, {"offset": -1}, {"status": "lost"}, {"sort_by": "metadata"}),
        *({"metadata": [1]}, {"ids": 1}, {"ids": ["x"]}),
    ],
)
def test_wrong_searches(http: httpx.Client, body: dict[str, Any]) -> None:
    answer = problem(http.post("/threads/search", json=body), 422)
    assert [error["place"] for error in answer["errors"]] == list(body)


def test_shape_of_a_thread(client: SyncLangGraphClient, zoo: dict[str, Any]) -> None:
    keys = {
        *("thread_id", "created_at", "updated_at", "state_updated_at", "metadata", "config"),
        *("status", "values", "interrupts", "error"),
    }
    for name in ("empty", "idle", "interrupted", "error", "busy"):
        assert set(client.threads.get(zoo[name])) == keys
    idle = client.threads.get(zoo["idle"])
    assistant = client.assistants.get("three_nodes")["assistant_id"]
    assert idle["metadata"]["graph_id"] == "three_nodes" and idle["metadata"]["assistant_id"] == assistant
    assert (idle["values"], idle["interrupts"], idle["error"]) == ({"steps": ["a", "b", "c"]}, {}, None)


def test_metadata_is_merged_shallowly(client: SyncLangGraphClient) -> None:
    made = client.threads.create(metadata={"a": {"x": 1}, "b": 1})
    changed = client.threads.update(made["thread_id"], metadata={"a": {"y": 2}, "c": None})
    assert changed["metadata"] == {"a": {"y": 2}, "b": 1, "c": None}
    assert changed["updated_at"] > made["updated_at"] and changed["created_at"] == made["created_at"]
    with refused(404):
        client.threads.update(str(uuid.uuid4()), metadata={})


def test_deleting_takes_everything_along(client: SyncLangGraphClient, thread: str, tmp_path: Path) -> None:
    client.runs.wait(thread, "three_nodes", input={"steps": []})
    done = client.runs.list(thread)[0]["run_id"]
    running = client.runs.create(thread, "slow", input={"gate": str(tmp_path / "never")})["run_id"]
    until(lambda: client.runs.get(thread, running)["status"] == "running", "the run's start")
    client.threads.delete(thread)
    for run in (done, running):
        with refused(404):
            client.runs.get(thread, run)
    for read in (client.threads.get, client.threads.get_state, client.threads.get_history, client.threads.delete):
        with refused(404):
            read(thread)
    again = client.threads.create(thread_id=thread)
    assert (again["values"], again["status"]) == (None, "idle")
    assert client.threads.get_history(thread) == []
    assert client.runs.wait(thread, "three_nodes", input={"steps": []}) == {"steps": ["a", "b", "c"]}


def test_a_copy_is_equal_and_apart(client: SyncLangGraphClient, thread: str, http: httpx.Client) -> None:
    client.threads.update(thread, metadata={"mine": "yes"})
    client.runs.wait(thread, "subgraph", input={"ask": True})
    made = client.threads.copy(thread)
    copy = made["thread_id"]
    assert copy != thread and made["metadata"]["mine"] == "yes" and made["status"] == "interrupted"
    assert client.runs.list(copy) == []

    def plain(key: str) -> list[Any]:
        states = http.post(f"/threads/{key}/history", json={"limit": 100}).text
        nested = http.get(f"/threads/{key}/state", params={"subgraphs": "true"}).text
        return [json.loads(text.replace(key, "THREAD")) for text in (states, nested)]

    assert plain(copy) == plain(thread)
    assert client.runs.wait(copy, "subgraph", command={"resume": "yes"})["steps"][-1] == "after"
    assert client.threads.get(thread)["status"] == "interrupted"
    assert client.threads.get_state(thread)["next"] == ["child"]
    assert client.runs.wait(thread, "subgraph", command={"resume": "no"})["steps"][-2] == "child_ask:no"
    assert client.threads.get_state(copy)["values"]["steps"][-2] == "child_ask:yes"
    problem(http.post(f"/threads/{uuid.uuid4()}/copy"), 409)
