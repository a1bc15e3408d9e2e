"""Streams: modes, order, numbers, coming back."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import SyncLangGraphClient

from answers import HELLO, join, names, stream
from processes import until


def test_heads_and_numbers(http: httpx.Client, thread: str) -> None:
    headers, frames = stream(http, thread)
    run = frames[0][2]["run_id"]
    assert frames[0] == ("0", "metadata", {"run_id": run, "attempt": 1})
    assert [frame[0] for frame in frames] == [str(n) for n in range(len(frames))]
    assert headers["content-type"] == "text/event-stream"
    assert headers["content-location"] == f"/threads/{thread}/runs/{run}"
    assert headers["location"] == f"/threads/{thread}/runs/{run}/stream"
    assert headers["cache-control"] == "no-cache, no-transform"
    assert headers["x-accel-buffering"] == "no"


@pytest.mark.oldest
def test_values(http: httpx.Client, thread: str) -> None:
    _, frames = stream(http, thread, stream_mode=["values"])
    assert set(names(frames)) == {"metadata", "values"}
    assert [len(data["messages"]) for _, event, data in frames if event == "values"] == [1, 2, 3, 4]


@pytest.mark.oldest
def test_updates(http: httpx.Client, thread: str) -> None:
    _, frames = stream(http, thread, stream_mode=["updates"])
    assert [list(data)[0] for _, event, data in frames if event == "updates"] == ["agent", "tool", "agent"]


@pytest.mark.oldest
def test_message_tuples(http: httpx.Client, thread: str) -> None:
    _, frames = stream(http, thread, stream_mode=["messages-tuple"])
    assert set(names(frames)) == {"metadata", "messages"}
    spoken = [data[0] for _, event, data in frames if event == "messages"]
    assert "".join(m["content"] for m in spoken if m["type"] == "AIMessageChunk") == "beginend"
    assert [data[1]["langgraph_node"] for _, event, data in frames if event == "messages"][0] == "agent"


def test_accumulated_messages(http: httpx.Client, thread: str) -> None:
    _, frames = stream(http, thread, stream_mode=["messages"])
    assert set(names(frames)) == {"metadata", "messages/metadata", "messages/partial", "messages/complete"}
    assert names(frames)[-1] == "messages/complete"
    partial = [data[0]["content"] for _, event, data in frames if event == "messages/partial"]
    assert partial[:5] == ["b", "be", "beg", "begi", "begin"]


def test_events(http: httpx.Client, thread: str) -> None:
    _, frames = stream(http, thread, stream_mode=["events"])
    kinds = {data["event"] for _, event, data in frames if event == "events"}
    assert {"on_chain_start", "on_chain_end", "on_chat_model_start", "on_chat_model_stream", "on_chat_model_end"} <= kinds


def test_debug_tasks_and_checkpoints_agree_with_history(
    http: httpx.Client, client: SyncLangGraphClient, thread: str
) -> None:
    _, frames = stream(http, thread, stream_mode=["debug", "tasks", "checkpoints"])
    shown = [data["payload"] for _, event, data in frames if event == "debug" and data["type"] == "checkpoint"]
    history = list(reversed(client.threads.get_history(thread)))
    assert [p["checkpoint"]["checkpoint_id"] for p in shown] == [s["checkpoint"]["checkpoint_id"] for s in history]
    assert names(frames).count("tasks") == 6
    assert names(frames).count("checkpoints") == len(history)


def test_custom(http: httpx.Client, thread: str) -> None:
    _, frames = stream(http, thread, assistant_id="custom_stream", input={}, stream_mode=["custom"])
    assert set(names(frames)) == {"metadata", "custom"}


def test_subgraphs(http: httpx.Client, thread: str) -> None:
    body = {"assistant_id": "subgraph", "input": {}, "stream_mode": ["updates"]}
    _, without = stream(http, thread, **body)
    assert set(names(without)) == {"metadata", "updates"}
    _, frames = stream(http, thread, **body, stream_subgraphs=True)
    inner = {name for name in names(frames) if "|" in name}
    assert len(inner) == 1 and next(iter(inner)).startswith("updates|child:")


def test_error_is_the_last_frame(http: httpx.Client, thread: str) -> None:
    _, frames = stream(http, thread, assistant_id="raises", input={})
    assert frames[-1][1:] == ("error", {"error": "CustomError", "message": "Boo!"})


def test_coming_back_gives_what_was_missed(http: httpx.Client, thread: str) -> None:
    headers, frames = stream(http, thread, stream_mode=["values", "messages-tuple", "updates"])
    where = headers["location"]
    assert join(http, where, "-1") == frames
    assert join(http, where) == frames
    assert join(http, where, "3") == frames[4:]
    assert join(http, where, frames[-1][0]) == []
    only = join(http, where, "-1", stream_mode=["values", "updates"])
    assert only == [f for f in frames if f[1] != "messages"]
    assert join(http, f"/runs/{frames[0][2]['run_id']}/stream", "-1") == frames
    assert http.get(where, headers={"Last-Event-ID": "x"}).status_code == 422


def test_many_readers_see_the_same(http: httpx.Client, thread: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    run = http.post(
        f"/threads/{thread}/runs", json={"assistant_id": "slow", "input": {"gate": str(gate)}, "stream_mode": ["values", "updates"]}
    ).json()["run_id"]
    seen: list[list[Any]] = []

    def read() -> None:
        seen.append(join(http, f"/threads/{thread}/runs/{run}/stream", "-1"))

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    gate.touch()
    for reader in readers:
        reader.join(30)
    assert len(seen) == 4 and all(frames == seen[0] for frames in seen)
    assert len(seen[0]) > 3


def test_heartbeats(http: httpx.Client, thread: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    body = {"assistant_id": "slow", "input": {"gate": str(gate)}}
    with http.stream("POST", f"/threads/{thread}/runs/stream", json=body) as response:
        lines = response.iter_lines()
        assert any(line == ": heartbeat" for line in lines)
        gate.touch()
        assert any(line == "event: values" for line in lines)


def test_a_client_that_leaves_cancels(http: httpx.Client, client: SyncLangGraphClient, thread: str, tmp_path: Path) -> None:
    body = {"assistant_id": "slow", "input": {"gate": str(tmp_path / "never")}, "on_disconnect": "cancel"}
    with http.stream("POST", f"/threads/{thread}/runs/stream", json=body) as response:
        next(response.iter_lines())
    until(lambda: client.runs.list(thread)[0]["status"] == "interrupted", "the cancel")


def test_sdk_stream_with_resumption(client: SyncLangGraphClient, thread: str) -> None:
    parts = list(client.runs.stream(thread, "agent", input=HELLO, stream_mode=["values", "updates"], stream_resumable=True))
    run = parts[0].data["run_id"]
    again = list(client.runs.join_stream(thread, run, last_event_id="-1"))
    assert [(p.event, p.data) for p in again] == [(p.event, p.data) for p in parts]
