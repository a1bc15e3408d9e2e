"""The memory store, the system's own paths, CORS, and what bad input gets."""

from __future__ import annotations

import uuid

import httpx
import pytest
from langgraph_sdk.client import SyncLangGraphClient


@pytest.mark.oldest
def test_store(client: SyncLangGraphClient) -> None:
    root = uuid.uuid4().hex
    assert client.store.get_item([root, "a"], key="k") is None
    client.store.put_item([root, "a"], key="k", value={"n": 1, "kind": "x"})
    first = client.store.get_item([root, "a"], key="k")
    assert first["value"] == {"n": 1, "kind": "x"} and first["namespace"] == [root, "a"]
    client.store.put_item([root, "a"], key="k", value={"n": 2, "kind": "x"})
    second = client.store.get_item([root, "a"], key="k")
    assert second["updated_at"] > first["updated_at"] and second["created_at"] == first["created_at"]
    client.store.put_item([root, "b"], key="l", value={"n": 5, "kind": "y"})
    found = client.store.search_items([root], filter={"n": {"$gt": 3}})["items"]
    assert [item["key"] for item in found] == ["l"]
    assert len(client.store.search_items([root])["items"]) == 2
    spaces = client.store.list_namespaces(prefix=[root])["namespaces"]
    assert sorted(spaces) == [[root, "a"], [root, "b"]]
    client.store.delete_item([root, "a"], key="k")
    assert client.store.get_item([root, "a"], key="k") is None


def test_store_refuses_bad_namespaces(http: httpx.Client) -> None:
    put = {"key": "k", "value": {}}
    assert http.put("/store/items", json={"namespace": [], **put}).status_code == 400
    assert http.put("/store/items", json={"namespace": ["a.b"], **put}).status_code == 422
    assert http.put("/store/items", json={"namespace": [""], **put}).status_code == 422


def test_system(http: httpx.Client) -> None:
    for prefix in ("", "/api/v1"):
        assert http.get(f"{prefix}/ok").json() == {"ok": True}
        assert http.get(f"{prefix}/info").json()["flags"]["assistants"] is True
    health = http.get("/health").json()
    assert health["status"] == "healthy" and set(health["checks"]["database"]) == {"status", "latency_ms", "schema"}
    assert "duragraph_http_requests_total" in http.get("/metrics").text
    workers = http.get("/api/v1/workers").json()["workers"]
    assert workers[0]["language"] == "python" and all(g["error"] is None for g in workers[0]["graphs"])


def test_cors(http: httpx.Client) -> None:
    ask = {"Origin": "https://smith.langchain.com", "Access-Control-Request-Headers": "x-api-key"}
    flight = http.options("/threads", headers=ask | {"Access-Control-Request-Private-Network": "true"})
    assert flight.headers["access-control-allow-private-network"] == "true"
    assert flight.headers["access-control-allow-headers"] == "x-api-key"
    shown = http.get("/ok", headers={"Origin": "http://localhost:3000"})
    assert shown.headers["access-control-allow-origin"] == "http://localhost:3000"
    exposed = {name.strip() for name in shown.headers["access-control-expose-headers"].split(",")}
    assert {"Content-Location", "Location", "X-Pagination-Total", "X-Pagination-Next"} <= exposed
    assert "access-control-allow-origin" not in http.get("/ok", headers={"Origin": "https://evil.example"}).headers
    assert http.post("/threads", json={}, headers={"Origin": "https://evil.example"}).status_code == 403
    assert http.get("/ok", headers={"Host": "evil.example"}).status_code == 403


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b'{"metadata": {"a": "\xff"}}', 400),
        (b'{"metadata": ' + b'{"a":' * 600 + b"1" + b"}" * 600 + b"}", 400),
        (rb'{"metadata": {"a": "\u0000"}}', 422),
        (b'{"metadata": {"a": 1e400}}', 422),
        (b"[]", 422),
        (b'{"metadata": 3, "thread_id": "x"}', 422),
    ],
)
def test_bad_bodies(http: httpx.Client, content: bytes, status: int) -> None:
    answer = http.post("/threads", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert {"type", "title", "status", "detail", "code", "request_id"} <= set(body) and body["status"] == status


def test_every_bad_field_is_named(http: httpx.Client) -> None:
    answer = http.post("/threads", json={"metadata": 3, "thread_id": "x", "if_exists": "maybe"})
    assert {e["place"] for e in answer.json()["errors"]} == {"metadata", "thread_id", "if_exists"}


def test_too_large(http: httpx.Client) -> None:
    answer = http.post("/threads", content=b'{"metadata": {"a": "' + b"x" * (33 << 20) + b'"}}')
    assert answer.status_code == 413


def test_unknown_and_invalid_ids(http: httpx.Client, thread: str) -> None:
    nobody = str(uuid.uuid4())
    for path in (f"/threads/{nobody}", f"/threads/{nobody}/state", f"/threads/{thread}/runs/{nobody}", f"/assistants/{nobody}"):
        assert http.get(path).status_code == 404, path
    assert http.get("/threads/x").status_code == 422
    wrong = http.put("/threads", json={})
    assert wrong.status_code == 405 and wrong.headers["allow"] == "POST"
    assert http.get("/nothing").status_code == 404


def test_big_numbers_come_back_as_sent(http: httpx.Client) -> None:
    text = b'{"metadata":{"big":123456789012345678901234567890,"f":1.10}}'
    made = http.post("/threads", content=text)
    assert b'"big":123456789012345678901234567890,"f":1.10' in http.get(f"/threads/{made.json()['thread_id']}").content


def test_webhooks_are_refused(http: httpx.Client, thread: str) -> None:
    answer = http.post(f"/threads/{thread}/runs", json={"assistant_id": "agent", "webhook": "http://x"})
    assert answer.status_code == 422 and "webhook" in answer.json()["detail"]
