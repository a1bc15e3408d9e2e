"""Threads and their state by the Python client."""

from __future__ import annotations

import uuid

import httpx
import pytest
from langgraph_sdk.client import SyncLangGraphClient

from answers import refused


def test_create_get_patch_delete(client: SyncLangGraphClient, http: httpx.Client) -> None:
    key = str(uuid.uuid4())
    made = client.threads.create(thread_id=key, metadata={"a": 1})
    assert (made["thread_id"], made["status"], made["values"], made["interrupts"]) == (key, "idle", None, {})
    with refused(409):
        client.threads.create(thread_id=key)
    assert client.threads.create(thread_id=key, if_exists="do_nothing")["metadata"] == {"a": 1}
    assert client.threads.update(key, metadata={"b": 2})["metadata"] == {"a": 1, "b": 2}
    assert http.patch(f"/threads/{key}", json={"metadata": {}}, headers={"Prefer": "return=minimal"}).status_code == 204
    client.threads.delete(key)
    with refused(404):
        client.threads.get(key)


def test_search_and_count(client: SyncLangGraphClient) -> None:
    tag = uuid.uuid4().hex
    ids = [client.threads.create(metadata={"tag": tag, "n": n})["thread_id"] for n in range(3)]
    assert client.threads.count(metadata={"tag": tag}) == 3
    found = client.threads.search(metadata={"tag": tag}, sort_by="created_at", sort_order="asc")
    assert [t["thread_id"] for t in found] == ids
    assert [t["thread_id"] for t in client.threads.search(ids=[ids[1]])] == [ids[1]]
    client.runs.wait(ids[0], "three_nodes", input={"steps": []})
    assert client.threads.get(ids[0])["metadata"]["graph_id"] == "three_nodes"
    busy = client.threads.search(metadata={"tag": tag}, status="busy")
    assert busy == []
    newest = client.threads.search(metadata={"tag": tag}, limit=1)
    assert newest[0]["thread_id"] == ids[0]


@pytest.mark.oldest
def test_state_and_history(client: SyncLangGraphClient, thread: str) -> None:
    empty = client.threads.get_state(thread)
    assert (empty["values"], empty["next"], empty["tasks"]) == ({}, [], [])
    client.runs.wait(thread, "three_nodes", input={"steps": []}, metadata={"mine": "yes"})
    history = client.threads.get_history(thread)
    assert [s["metadata"]["step"] for s in history] == [3, 2, 1, 0, -1]
    assert history[-1]["next"] == ["__start__"]
    assert history[0]["next"] == [] and history[0] == client.threads.get_state(thread)
    for newer, older in zip(history, history[1:]):
        assert newer["parent_checkpoint"]["checkpoint_id"] == older["checkpoint"]["checkpoint_id"]
    task = history[1]["tasks"][0]
    assert set(task) == {"id", "name", "path", "error", "interrupts", "checkpoint", "state", "result"}
    assert client.threads.get_state(thread, checkpoint_id=history[2]["checkpoint"]["checkpoint_id"]) == history[2]
    assert client.threads.get_state(thread, checkpoint=history[2]["checkpoint"]) == history[2]
    before = client.threads.get_history(thread, before=history[1]["checkpoint"], limit=2)
    assert before == history[2:4]
    assert len(client.threads.get_history(thread, metadata={"mine": "yes"})) == 5
    assert client.threads.get_history(thread, metadata={"mine": "no"}) == []
    with refused(404):
        client.threads.get_state(thread, checkpoint_id="1f000000-0000-6000-8000-000000000000")


@pytest.mark.oldest
def test_update_state(client: SyncLangGraphClient, thread: str) -> None:
    with pytest.raises(httpx.HTTPStatusError) as no_graph:
        client.threads.update_state(thread, {"steps": ["x"]})
    assert no_graph.value.response.status_code == 400
    client.runs.wait(thread, "three_nodes", input={"steps": []})
    made = client.threads.update_state(thread, {"steps": ["mine"]}, as_node="a")
    state = client.threads.get_state(thread)
    assert state["checkpoint"]["checkpoint_id"] == made["checkpoint"]["checkpoint_id"]
    assert state["values"]["steps"][-1] == "mine" and state["next"] == ["b"]
    assert client.threads.get(thread)["status"] == "interrupted"
    client.threads.update_state(thread, None, as_node="__end__")
    assert client.threads.get_state(thread)["next"] == []
    assert len(client.threads.get_history(thread)) == 7


def test_copies_are_apart(client: SyncLangGraphClient, thread: str) -> None:
    client.runs.wait(thread, "three_nodes", input={"steps": []})
    copy = client.threads.copy(thread)["thread_id"]
    mine, theirs = client.threads.get_history(thread), client.threads.get_history(copy)
    assert [s["values"] for s in mine] == [s["values"] for s in theirs]
    assert {s["checkpoint"]["thread_id"] for s in theirs} == {copy}
    client.runs.wait(copy, "three_nodes", input={"steps": []})
    assert len(client.threads.get_history(thread)) == 5
    assert client.runs.list(copy) != [] and len(client.runs.list(thread)) == 1


def test_interrupts_of_subgraphs(client: SyncLangGraphClient, thread: str) -> None:
    client.runs.wait(thread, "subgraph", input={"ask": True})
    assert client.threads.get(thread)["status"] == "interrupted"
    flat = client.threads.get_state(thread)
    assert flat["tasks"][0]["state"] is None
    nested = client.threads.get_state(thread, subgraphs=True)
    inner = nested["tasks"][0]["state"]
    assert inner["next"] and inner["checkpoint"]["checkpoint_ns"].startswith(nested["next"][0] + ":")
    history = client.threads.get_history(thread, checkpoint=flat["tasks"][0]["checkpoint"])
    assert history and history[0]["checkpoint"]["checkpoint_ns"] == inner["checkpoint"]["checkpoint_ns"]
