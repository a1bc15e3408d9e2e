"""Readers that come, leave and come back: heads, joins, cancels and disconnects."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import SyncLangGraphClient

from answers import HELLO, join, names, of, problem, stream
from processes import GUARD, Frame, parse_sse, until


class Background(threading.Thread):
    """Reads a stream to its end; `frames` grows as it reads."""

    def __init__(self, http: httpx.Client, method: str, path: str, **request: Any) -> None:
        super().__init__(daemon=True)
        self.frames: list[Frame] = []
        self.headers: httpx.Headers | None = None
        self._request = lambda: http.stream(method, path, **request)
        self.start()

    def run(self) -> None:
        with self._request() as answer:
            assert answer.status_code == 200, answer.read()
            self.headers = answer.headers
            for frame in parse_sse(answer.iter_lines()):
                self.frames.append(frame)

    def end(self) -> list[Frame]:
        self.join(GUARD)
        assert not self.is_alive(), f"the stream has not ended: {self.frames}"
        return self.frames


def slow(client: SyncLangGraphClient, thread: str, gate: Path, **options: Any) -> str:
    """Starts a run that is held in its second node until the gate exists; its id, once it is held."""
    options = {"stream_mode": ["values", "updates", "custom"]} | options
    run = client.runs.create(thread, "slow", input={"gate": str(gate)}, **options)["run_id"]
    until(lambda: client.threads.get_state(thread)["next"] == ["second"], "the second node")
    return str(run)


def test_the_head_comes_before_the_first_frame(http: httpx.Client, client: SyncLangGraphClient, thread: str) -> None:
    run = client.runs.create(thread, "three_nodes", input={"steps": []}, after_seconds=600)["run_id"]
    path = f"/threads/{thread}/runs/{run}/stream"
    reader = Background(http, "GET", path, headers={"Last-Event-ID": "0"})
    until(lambda: reader.headers is not None, "the head")
    assert reader.headers is not None and reader.headers["content-type"] == "text/event-stream"
    assert (reader.headers["location"], reader.headers["content-location"]) == (path, path.removesuffix("/stream"))
    assert client.runs.get(thread, run)["status"] == "pending" and reader.frames == []
    problem(http.get(path, headers={"Last-Event-ID": "1"}), 422)
    client.runs.cancel(thread, run, wait=True)
    assert reader.end() == []


def test_a_cancel_ends_the_stream_without_an_error(
    http: httpx.Client, client: SyncLangGraphClient, thread: str, tmp_path: Path
) -> None:
    body = {"assistant_id": "slow", "input": {"gate": str(tmp_path / "never")}, "stream_mode": ["updates", "custom"]}
    reader = Background(http, "POST", f"/threads/{thread}/runs/stream", json=body)
    until(lambda: {"node": "second"} in of(reader.frames, "custom"), "the second node")
    run = reader.frames[0][2]["run_id"]
    other = Background(http, "GET", f"/threads/{thread}/runs/{run}/stream", headers={"Last-Event-ID": "-1"})
    client.runs.cancel(thread, run, wait=True)
    frames = reader.end()
    assert names(frames) == ["metadata", "custom", "updates", "custom"]
    assert other.end() == frames
    assert client.runs.get(thread, run)["status"] == "interrupted"


@pytest.mark.oldest
def test_a_late_reader_gets_the_rest(
    http: httpx.Client, client: SyncLangGraphClient, thread: str, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    run = slow(client, thread, gate)
    path = f"/threads/{thread}/runs/{run}/stream"
    early = Background(http, "GET", path, headers={"Last-Event-ID": "-1"})
    until(lambda: {"node": "second"} in of(early.frames, "custom"), "the second node's part")
    seen = len(early.frames)
    late = Background(http, "GET", path, headers={"Last-Event-ID": early.frames[2][0]})
    gate.touch()
    whole = early.end()
    assert late.end() == whole[3:]
    assert join(http, path, str(seen - 1)) == whole[seen:]
    assert [frame[0] for frame in whole] == [str(n) for n in range(len(whole))]
    assert [data["node"] for data in of(whole, "custom")] == ["first", "second", "third"]
    assert of(whole, "values")[-1]["steps"] == ["first", "second", "third"]
    assert names(whole)[-1] == "values"


def test_a_join_may_ask_for_less(http: httpx.Client, client: SyncLangGraphClient, thread: str) -> None:
    _, frames = stream(
        http, thread, assistant_id="subgraph", input={}, stream_mode=["values", "updates", "custom"], stream_subgraphs=True
    )
    run = frames[0][2]["run_id"]
    path = f"/threads/{thread}/runs/{run}/stream"

    def only(*modes: str) -> list[Frame]:
        return [f for f in frames if f[1].split("|")[0] in ("metadata", *modes)]

    assert len([f for f in only("updates") if "|" in f[1]]) == 2
    assert join(http, path, "-1", stream_mode="updates") == only("updates")
    assert join(http, path, "-1", stream_mode='["updates","custom"]') == only("updates", "custom")
    assert join(http, path, "-1", stream_mode=["updates", "custom"]) == only("updates", "custom")
    assert join(http, path, "-1", stream_mode="updates,custom") == only("updates", "custom")
    after = list(client.runs.join_stream(thread, run, stream_mode=["values"], last_event_id=frames[4][0]))
    assert [(p.event, p.data) for p in after] == [f[1:] for f in frames[5:] if f[1].startswith("values")]


def test_joining_twice_is_byte_equal(http: httpx.Client, thread: str) -> None:
    _, frames = stream(http, thread, stream_mode=["messages", "debug", "events"])
    path = f"/threads/{thread}/runs/{frames[0][2]['run_id']}/stream"
    first, second = (http.get(path, headers={"Last-Event-ID": "-1"}).content for _ in range(2))
    assert first == second and len(first) > 5000
    for block in first.decode().strip().split("\n\n"):
        assert [line.split(":")[0] for line in block.split("\n")] == ["id", "event", "data"]


def test_join_of_a_run_that_is_over(http: httpx.Client, client: SyncLangGraphClient, thread: str) -> None:
    client.runs.wait(thread, "raises", input={}, raise_error=False)
    run = client.runs.list(thread)[0]["run_id"]
    error = {"error": "CustomError", "message": "Boo!"}
    assert client.runs.join(thread, run) == {"__error__": error}
    assert join(http, f"/threads/{thread}/runs/{run}/stream", "-1")[-1][1:] == ("error", error)


def test_wait_and_join_tell_where_to_come_back(http: httpx.Client, thread: str) -> None:
    body = {"assistant_id": "three_nodes", "input": {"steps": []}}
    waited = http.post(f"/threads/{thread}/runs/wait", json=body)
    where = waited.headers["location"]
    assert waited.headers["content-type"] == "application/json"
    assert where == waited.headers["content-location"] + "/join"
    joined = http.get(where)
    assert joined.json() == waited.json() == {"steps": ["a", "b", "c"]}
    assert joined.headers["location"] == where
    stateless = http.post("/runs/wait", json=body)
    assert stateless.headers["content-location"].startswith("/runs/")
    assert http.get(stateless.headers["location"]).json() == {"steps": ["a", "b", "c"]}
    created = http.post("/runs", json=body)
    assert created.headers["content-location"] == f"/runs/{created.json()['run_id']}"


def test_a_client_that_leaves_changes_nothing(
    http: httpx.Client, client: SyncLangGraphClient, thread: str, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    body = {"assistant_id": "slow", "input": {"gate": str(gate)}}
    with http.stream("POST", f"/threads/{thread}/runs/stream", json=body) as answer:
        frame = next(iter(parse_sse(answer.iter_lines())))
    gate.touch()
    assert client.runs.join(thread, frame[2]["run_id"])["steps"] == ["first", "second", "third"]
    assert client.runs.get(thread, frame[2]["run_id"])["status"] == "success"


@pytest.mark.parametrize("what", ["stream", "join"])
def test_a_joined_client_that_leaves_may_cancel(
    http: httpx.Client, client: SyncLangGraphClient, thread: str, tmp_path: Path, what: str
) -> None:
    run = slow(client, thread, tmp_path / "never")
    path = f"/threads/{thread}/runs/{run}/{what}"
    with http.stream("GET", path, params={"cancel_on_disconnect": "true"}) as answer:
        assert answer.status_code == 200
    until(lambda: client.runs.get(thread, run)["status"] == "interrupted", "the cancel")


def test_places_that_no_run_has(http: httpx.Client, client: SyncLangGraphClient, thread: str) -> None:
    client.runs.wait(thread, "three_nodes", input={"steps": []})
    run = client.runs.list(thread)[0]["run_id"]
    path = f"/threads/{thread}/runs/{run}/stream"
    last = int(join(http, path, "-1")[-1][0])
    for wrong in ("x", "1.5", "-2", "99", str(last + 1)):
        problem(http.get(path, headers={"Last-Event-ID": wrong}), 422)
    assert join(http, path, str(last)) == []
    answer = problem(http.get(path, params={"stream_mode": "values,bogus", "cancel_on_disconnect": "x"}), 422)
    assert [error["place"] for error in answer["errors"]] == ["stream_mode", "cancel_on_disconnect"]
    other = client.threads.create()["thread_id"]
    problem(http.get(f"/threads/{other}/runs/{run}/stream"), 404)
    problem(http.get(f"/threads/{other}/runs/{run}/join"), 404)


def test_many_streams_at_once(server: Any, client: SyncLangGraphClient, thread: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    run = slow(client, thread, gate)
    path = f"/threads/{thread}/runs/{run}/stream"
    limits = httpx.Limits(max_connections=None)
    with httpx.Client(base_url=server.url, timeout=60, trust_env=False, limits=limits) as http:
        readers = [Background(http, "GET", path, headers={"Last-Event-ID": str(n % 3)}) for n in range(60)]
        until(lambda: all(reader.frames for reader in readers), "a first frame for each")
        gate.touch()
        ends = [reader.end() for reader in readers]
    for n in range(3):
        same = ends[n::3]
        assert same[0][0][0] == str(n + 1) and all(frames == same[0] for frames in same)
    assert len({str(end[-1]) for end in ends}) == 1


def test_sdk_async_clients(server: Any) -> None:
    import asyncio

    from langgraph_sdk import get_client

    async def one(number: int) -> list[Any]:
        client = get_client(url=server.url)
        thread = await client.threads.create()
        parts = [
            part
            async for part in client.runs.stream(
                thread["thread_id"], "agent", input=HELLO, stream_mode=["values", "messages-tuple"]
            )
        ]
        assert parts[-1].data["messages"][-1]["content"] == "end"
        return [part.event for part in parts]

    async def all_of_them() -> list[list[Any]]:
        return await asyncio.gather(*[one(number) for number in range(20)])

    sequences = asyncio.run(all_of_them())
    assert len(sequences) == 20 and all(events == sequences[0] for events in sequences)
    assert sequences[0].count("values") == 4
