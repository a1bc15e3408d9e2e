"""What cannot be meant is refused, and every such field is named."""

from __future__ import annotations

import socket
import uuid
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import SyncLangGraphClient

from answers import problem, refused
from processes import Server


def places(answer: httpx.Response) -> list[str]:
    return [error["place"] for error in problem(answer, 422)["errors"]]


@pytest.mark.parametrize(
    ("path", "body", "wrong"),
    [
        ("/store/items/search", {"filter": {"x": {"$foo": 1}}}, ["filter.x"]),
        ("/store/items/search", {"filter": {"a": {"b": {"$eq": 1, "c": 2}}}, "query": 5}, ["filter.a.b", "query"]),
        ("/store/items/search", {"namespace_prefix": "a", "limit": 0}, ["namespace_prefix", "limit"]),
        ("/store/namespaces", {"prefix": 5, "suffix": [1], "max_depth": 0}, ["prefix", "suffix", "max_depth"]),
        ("/runs/cancel", {"status": "x"}, ["status"]),
        ("/runs/cancel", {}, ["status"]),
        ("/runs/cancel", {"run_ids": ["x"]}, ["run_ids", "thread_id"]),
        ("/runs/cancel?action=x", {"run_ids": [], "status": "all"}, ["status", "action"]),
        ("/threads/search", {"ids": "x"}, ["ids"]),
    ],
)
def test_bodies(http: httpx.Client, path: str, body: dict[str, Any], wrong: list[str]) -> None:
    assert places(http.post(path, json=body)) == wrong


def test_ids_of_checkpoints(http: httpx.Client, thread: str) -> None:
    assert places(http.get(f"/threads/{thread}/state/zz")) == ["checkpoint_id"]
    assert places(http.get(f"/threads/{thread}/state/zz", params={"subgraphs": "x"})) == ["subgraphs", "checkpoint_id"]
    body: dict[str, Any] = {"checkpoint": {"checkpoint_id": "zz"}}
    for path in ("state/checkpoint", "state", "history", "runs"):
        answer = http.post(f"/threads/{thread}/{path}", json={"assistant_id": "agent", **body})
        assert places(answer) == ["checkpoint.checkpoint_id"], path
    assert places(http.post(f"/threads/{thread}/state", json={"checkpoint_id": "zz"})) == ["checkpoint_id"]


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/threads/{id}/state", "subgraphs"),
        ("GET", "/threads/{id}/state/{no}", "subgraphs"),
        ("DELETE", "/assistants/agent", "delete_threads"),
        ("GET", "/assistants/agent/subgraphs", "recurse"),
        ("POST", "/threads/{id}/runs/{no}/cancel", "wait"),
        ("GET", "/threads/{id}/runs/{no}/join", "cancel_on_disconnect"),
    ],
)
def test_flags(http: httpx.Client, thread: str, method: str, path: str, name: str) -> None:
    path = path.replace("{id}", thread).replace("{no}", str(uuid.uuid4()))
    for word in ("banana", "2", "tru"):
        assert places(http.request(method, path, params={name: word})) == [name]


@pytest.mark.parametrize("word", ["maybe", "-1", "1.5"])
def test_a_drawing_says_which_depths_it_has(http: httpx.Client, word: str) -> None:
    (error,) = problem(http.get("/assistants/agent/graph", params={"xray": word}), 422)["errors"]
    assert error == {"place": "xray", "message": "must be true, false or a depth from 0 to 1000"}


@pytest.mark.parametrize("word", ["true", "True", "1", "yes", "on", "false", "False", "0", "no", "off", ""])
def test_flags_as_other_servers_take_them(http: httpx.Client, thread: str, word: str) -> None:
    assert http.get(f"/threads/{thread}/state", params={"subgraphs": word}).status_code == 200


def test_ids_in_either_case(http: httpx.Client, client: SyncLangGraphClient) -> None:
    upper = str(uuid.uuid4()).upper()
    made = http.post("/threads", json={"thread_id": upper}).json()["thread_id"]
    assert made == upper.lower()
    run = client.runs.create(upper, client.assistants.get("three_nodes")["assistant_id"].upper(), input={"steps": []})
    assert client.runs.join(upper, run["run_id"].upper()) == {"steps": ["a", "b", "c"]}
    place = client.threads.get_state(made)["checkpoint"]
    for path, body in (
        ("state/checkpoint", {"checkpoint": place | {"checkpoint_id": str(place["checkpoint_id"]).upper()}}),
        ("state/checkpoint", {"checkpoint": {"thread_id": upper}}),
    ):
        assert http.post(f"/threads/{upper}/{path}", json=body).json()["values"] == {"steps": ["a", "b", "c"]}
    found = http.post("/threads/search", json={"ids": [upper]}).json()
    assert [each["thread_id"] for each in found] == [made]


def test_an_empty_list_of_ids_is_nothing(http: httpx.Client, thread: str) -> None:
    assert http.post("/threads/search", json={"ids": []}).json() == []
    assert http.post("/threads/count", json={"ids": []}).json() == 0
    assert http.post("/runs/cancel", json={"thread_id": thread, "run_ids": []}).status_code == 204


def test_cancels_of_what_does_not_exist(http: httpx.Client, client: SyncLangGraphClient, thread: str) -> None:
    run = client.runs.create(thread, "three_nodes", input={"steps": []}, after_seconds=600)["run_id"]
    for key, ids in ((str(uuid.uuid4()), [run]), (thread, [run, str(uuid.uuid4())])):
        problem(http.post("/runs/cancel", json={"thread_id": key, "run_ids": ids}), 404)
    assert client.runs.get(thread, run)["status"] == "pending"
    assert "the run is pending" in problem(http.delete(f"/threads/{thread}/runs/{run}"), 409)["detail"]
    assert http.post("/runs/cancel", json={"thread_id": thread, "run_ids": [run.upper()]}).status_code == 204
    assert client.runs.get(thread, run)["status"] == "interrupted"
    with refused(404):
        client.runs.get(thread, str(uuid.uuid4()))


@pytest.mark.parametrize(
    "path",
    [
        "/threads/search",
        "/threads/count",
        "/assistants/search",
        "/assistants/count",
        "/threads/{id}/state/checkpoint",
        "/threads/{id}/runs/stream",
        "/api/v1/runs/batch",
    ],
)
def test_a_word_of_a_path_is_no_id(http: httpx.Client, thread: str, path: str) -> None:
    answer = http.get(path.replace("{id}", thread))
    assert "GET is not allowed" in problem(answer, 405)["detail"]
    assert answer.headers["allow"] == "POST"


def raw(server: Server, request: bytes) -> httpx.Response:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as wire:
        wire.sendall(request)
        received = b""
        while part := wire.recv(65536):
            received += part
    head, _, content = received.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines[1:])]
    return httpx.Response(int(lines[0].split()[1]), headers=headers, content=content)


def test_heads_over_the_limit(server: Server) -> None:
    end = b"Host: localhost\r\nConnection: close\r\n\r\n"
    for request in (
        b"GET /ok HTTP/1.1\r\nX-Large: " + b"x" * 100_000 + b"\r\n" + end,
        b"GET /ok?" + b"x" * 100_000 + b" HTTP/1.1\r\n" + end,
    ):
        assert problem(raw(server, request), 431)["title"] == "Request Header Fields Too Large"


def test_refusals_say_what_was_asked(server: Server) -> None:
    end = b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert "BREW is not allowed" in problem(raw(server, b"BREW /ok" + end), 405)["detail"]
    assert problem(raw(server, b"GET //nothing/here" + end), 404)["detail"].endswith(" //nothing/here")
