"""The wire itself: methods, prefixes, bodies and their limits, and the one error body."""

from __future__ import annotations

import json
import socket
import uuid
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import SyncLangGraphClient

from answers import problem
from processes import Server


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/threads", {"POST"}),
        ("POST", "/threads/{id}", {"GET", "HEAD", "PATCH", "DELETE"}),
        ("DELETE", "/threads/{id}/state", {"GET", "HEAD", "POST", "PATCH"}),
        ("DELETE", "/threads/{id}/runs", {"GET", "HEAD", "POST"}),
        ("PATCH", "/threads/{id}/runs/{id}", {"GET", "HEAD", "DELETE"}),
        ("GET", "/threads/{id}/runs/{id}/cancel", {"POST"}),
        ("PUT", "/assistants/agent", {"GET", "HEAD", "PATCH", "DELETE"}),
        ("POST", "/store/items", {"GET", "HEAD", "PUT", "DELETE"}),
        ("POST", "/ok", {"GET", "HEAD"}),
        ("POST", "/api/v1/workers", {"GET", "HEAD"}),
    ],
)
def test_wrong_methods(http: httpx.Client, method: str, path: str, allowed: set[str]) -> None:
    answer = http.request(method, path.replace("{id}", str(uuid.uuid4())))
    problem(answer, 405)
    shown = {each.strip() for each in answer.headers["allow"].split(",")} - {"OPTIONS"}
    assert shown | {"HEAD"} == allowed | {"HEAD"}


def test_heads(http: httpx.Client) -> None:
    answer = http.head("/ok")
    assert answer.status_code == 200 and answer.content == b""
    assert http.options("/threads").status_code in (200, 204, 405)


def test_both_prefixes_are_one_server(http: httpx.Client, thread: str) -> None:
    for path in (f"/threads/{thread}", "/assistants/agent", f"/threads/{thread}/state"):
        assert http.get(f"/api/v1{path}").json() == http.get(path).json()
    body = {"assistant_id": "three_nodes", "input": {"steps": []}}
    assert http.post(f"/api/v1/threads/{thread}/runs/wait", json=body).json() == {"steps": ["a", "b", "c"]}
    plain = problem(http.get(f"/threads/{uuid.uuid4()}"), 404)
    ours = problem(http.get(f"/api/v1/threads/{uuid.uuid4()}"), 404)
    assert "error" not in plain and (ours["error"], ours["message"]) == (ours["code"], ours["detail"])
    problem(http.get("/workers"), 404)


def test_problem_json_when_asked_for(http: httpx.Client) -> None:
    answer = http.get("/nothing", headers={"Accept": "application/problem+json"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem(http.get("/nothing"), 404)["title"] == "Not Found"


def test_a_client_without_a_content_type(http: httpx.Client) -> None:
    for kind in ("text/plain;charset=UTF-8", "application/json", ""):
        answer = http.post("/threads", content=b'{"metadata":{"a":1}}', headers={"Content-Type": kind} if kind else {})
        assert answer.json()["metadata"] == {"a": 1}
    assert http.post("/threads").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        *("/threads", "/threads/search", "/threads/count", "/assistants", "/assistants/search", "/assistants/count"),
        *("/runs", "/runs/wait", "/runs/stream", "/runs/batch", "/runs/cancel", "/store/items/search"),
        *("/store/namespaces", "/threads/{id}/runs", "/threads/{id}/runs/wait", "/threads/{id}/runs/stream"),
        *("/threads/{id}/state", "/threads/{id}/history", "/threads/{id}/state/checkpoint"),
        *("/assistants/agent/versions", "/assistants/agent/latest"),
    ],
)
def test_no_path_takes_a_bad_body(http: httpx.Client, thread: str, path: str) -> None:
    path = path.replace("{id}", thread)
    for content, status in (
        (b'{"a": }', 400),
        (b'{"a": 1} x', 400),
        (b'{"a": "\xc3\x28"}', 400),
        (b'{"a": "\xed\xa0\x80"}', 400),
        (b'{"a": NaN}', 400),
        (b'{"a":' + b"[" * 513 + b"]" * 513 + b"}", 400),
        (rb'{"a": "x\u0000y"}', 422),
        (rb'{"\u0000": 1}', 422),
        (b'{"a": 1e400}', 422),
        (b'{"a": -1e309}', 422),
        (b'"text"', 422),
    ):
        body = problem(http.post(path, content=content), status)
        assert len(body["detail"]) > 10, body


def test_what_is_deep_and_large_but_allowed(client: SyncLangGraphClient, http: httpx.Client) -> None:
    deep = b'{"metadata":{"a":' + b"[" * 500 + b"]" * 500 + b"}}"
    made = http.post("/threads", content=deep)
    assert made.status_code == 200
    assert b"[" * 500 in http.get(f"/threads/{made.json()['thread_id']}").content
    large = {"steps": ["x" * (8 << 20)]}
    assert client.runs.wait(None, "three_nodes", input=large)["steps"] == [*large["steps"], "a", "b", "c"]


def test_numbers_survive_byte_for_byte(http: httpx.Client) -> None:
    numbers = b"[123456789012345678901234567890,-9223372036854775809,1.10,1e5,-0.0,0.1,1E-7,9007199254740993]"
    made = http.post("/threads", content=b'{"metadata":{"n":' + numbers + b"}}").json()
    assert b'"n":' + numbers in http.get(f"/threads/{made['thread_id']}").content
    found = http.post("/threads/search", content=b'{"metadata":{"n":[123456789012345678901234567890]}}')
    assert [t["thread_id"] for t in found.json()] == [made["thread_id"]]
    name = uuid.uuid4().hex
    item = b'{"namespace":["' + name.encode() + b'"],"key":"k","value":{"n":' + numbers + b"}}"
    assert http.put("/store/items", content=item).status_code == 204
    assert b'"n":' + numbers in http.get("/store/items", params={"namespace": name, "key": "k"}).content


def test_text_survives(client: SyncLangGraphClient) -> None:
    text = 'é ✓ 🎈 "quoted" \\ / \t\n\r \u2028 \x7f </script>'
    made = client.threads.create(metadata={text: text})
    assert client.threads.get(made["thread_id"])["metadata"] == {text: text}
    assert client.runs.wait(None, "private_state", input={"question": text})["answer"] == f"<{text[::-1]}>"


@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_over_the_limit(server: Server, chunked: bool) -> None:
    size = (32 << 20) + 1
    whole = b'{"metadata":{"a":"' + b"x" * size + b'"}}'

    def pieces() -> Any:
        for at in range(0, len(whole), 1 << 20):
            yield whole[at : at + (1 << 20)]

    with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as http:
        answer = http.post("/threads", content=pieces() if chunked else whole)
        assert str(32 << 20) in problem(answer, 413)["detail"]
        assert http.get("/ok").json() == {"ok": True}


def test_a_body_just_under_the_limit(http: httpx.Client) -> None:
    rest = len(b'{"metadata":{"a":""}}')
    answer = http.post("/threads", content=b'{"metadata":{"a":"' + b"x" * ((32 << 20) - rest) + b'"}}')
    assert answer.status_code == 200
    assert http.delete(f"/threads/{answer.json()['thread_id']}").status_code == 204


@pytest.mark.parametrize(
    "path",
    [
        *("/threads/x", "/threads/x/state", "/threads/x/history", "/threads/x/runs", "/threads/{id}/runs/x"),
        *("/threads/{id}/runs/x/join", "/threads/{id}/runs/x/stream", "/runs/x/stream", "/api/v1/runs/x"),
    ],
)
def test_ids_that_are_none(http: httpx.Client, thread: str, path: str) -> None:
    problem(http.get(path.replace("{id}", thread)), 422)


@pytest.mark.parametrize(
    "path",
    [
        *("/threads/{no}", "/threads/{no}/state", "/threads/{no}/history", "/threads/{no}/runs", "/assistants/{no}"),
        *("/assistants/nope", "/assistants/nope/graph", "/assistants/nope/schemas", "/assistants/nope/subgraphs"),
        *("/threads/{id}/runs/{no}", "/threads/{id}/runs/{no}/join", "/threads/{id}/runs/{no}/stream"),
        *("/runs/{no}/stream", "/api/v1/runs/{no}", "/api/v1/runs/{no}/why", "/threads/{no}/runs/{no}"),
    ],
)
def test_ids_that_nobody_has(http: httpx.Client, thread: str, path: str) -> None:
    problem(http.get(path.replace("{no}", str(uuid.uuid4())).replace("{id}", thread)), 404)


def test_messages_that_clients_look_for(http: httpx.Client) -> None:
    missing = str(uuid.uuid4())
    assert f"Thread with ID {missing} not found" in problem(http.get(f"/threads/{missing}"), 404)["detail"]
    assert "Assistant not found" in problem(http.get(f"/assistants/{missing}"), 404)["detail"]


@pytest.mark.parametrize("xray", ["true", "True", "1", "false", "0"])
def test_depths_of_a_drawing(http: httpx.Client, xray: str) -> None:
    drawn = http.get("/assistants/subgraph/graph", params={"xray": xray}).json()
    nodes = {node["id"] for node in drawn["nodes"]}
    inside = {"__start__", "before", "child:child_work", "child:child_ask", "after", "__end__"}
    flat = {"__start__", "before", "child", "after", "__end__"}
    assert nodes == (inside if xray in ("true", "True", "1") else flat)
    kinds = {node["id"]: node["type"] for node in drawn["nodes"]}
    assert kinds["__start__"] == kinds["__end__"] == "schema" and kinds["before"] == "runnable"


def test_conditional_edges(http: httpx.Client) -> None:
    problem(http.get("/assistants/agent/graph", params={"xray": "deep"}), 422)
    edges = http.get("/assistants/agent/graph").json()["edges"]
    assert {(e["source"], e["target"], e.get("conditional", False)) for e in edges} == {
        ("__start__", "agent", False),
        ("agent", "tool", True),
        ("agent", "__end__", True),
        ("tool", "agent", False),
    }


def test_schemas_of_subgraphs(http: httpx.Client) -> None:
    for path in ("/assistants/subgraph/subgraphs", "/assistants/subgraph/subgraphs/child"):
        found = http.get(path, params={"recurse": "true"}).json()
        assert set(found) == {"child"}
        assert {"input_schema", "output_schema", "state_schema", "config_schema", "context_schema"} <= set(found["child"])
        assert {"input", "output", "state", "config"} <= set(found["child"])
    assert http.get("/assistants/subgraph/subgraphs/nobody").json() == {}
    context = http.get("/assistants/counter/schemas").json()["context_schema"]
    assert context["properties"]["step"] == {"default": 1, "title": "Step", "type": "integer"}


def test_metrics(http: httpx.Client) -> None:
    def requests() -> float:
        lines = http.get("/metrics").text.splitlines()
        wanted = 'duragraph_http_requests_total{'
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(wanted) and 'route="/ok"' in line)

    before = requests()
    for _ in range(3):
        http.get("/ok")
    assert requests() == before + 3
    answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE duragraph_http_requests_total counter" in answer.text


def test_metrics_tell_of_queues_and_workers(http: httpx.Client) -> None:
    def values() -> dict[str, float]:
        lines = http.get("/metrics").text.splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}

    before = values()
    assert http.post("/runs/wait", json={"assistant_id": "three_nodes", "input": {"steps": []}}).json() == {"steps": ["a", "b", "c"]}
    after = values()
    for counter in ("runs_created_total", "runs_started_total", 'runs_ended_total{state="completed"}'):
        assert after["duragraph_" + counter] == before.get("duragraph_" + counter, 0) + 1
    assert after["duragraph_store_commits_total"] >= after["duragraph_store_transactions_total"]
    assert after["duragraph_store_commits_total"] > before["duragraph_store_commits_total"]
    for queue in ("store_queued_commits", "store_queued_bytes", "store_queued_reads", "connections"):
        assert after[f"duragraph_{queue}"] <= after[f"duragraph_{queue}_max"]
    assert 1 <= after["duragraph_workers"] <= after["duragraph_websockets"] <= after["duragraph_connections"]
    assert after['duragraph_runs{state="queued"}'] == 0 == after['duragraph_safety_net_total{net="dispatch"}']

    summary = http.get("/metrics", params={"format": "json"}).json()
    assert set(summary) == {"workers", "queue"}
    workers = summary["workers"]
    assert workers["active"] + workers["available"] == workers["max"] >= 1
    assert summary["queue"] == {"n_pending": 0, "n_running": 0}
    assert http.get("/metrics", params={"format": "xml"}).status_code == 422


def test_health_and_info(http: httpx.Client) -> None:
    health = http.get("/health").json()
    assert set(health) == {"status", "version", "instance", "checks"}
    database = health["checks"]["database"]
    assert set(database) == {"status", "latency_ms", "schema"} and database["status"] == "healthy"
    assert isinstance(database["latency_ms"], (int, float)) and isinstance(database["schema"], int)
    info = http.get("/info").json()
    assert info["version"] == health["version"] and info["langgraph_py_version"]
    assert info["flags"]["assistants"] is True and info["flags"]["crons"] is False
    assert http.get("/ok", params={"check_db": "1"}).json() == {"ok": True}


def test_foreign_names_are_refused(http: httpx.Client) -> None:
    for host in ("evil.example", "localhost.evil.example", "192.168.1.5:2024", "127.0.0.1.evil.example", "[::2]"):
        for method, path in (("GET", "/ok"), ("GET", "/threads/x"), ("POST", "/threads")):
            problem(http.request(method, path, headers={"Host": host}), 403)
    for host in ("localhost", "LOCALHOST:99", "127.0.0.1", "[::1]:2024", "app.localhost:3000"):
        assert http.get("/ok", headers={"Host": host}).status_code == 200, host


def test_foreign_pages_cannot_act(http: httpx.Client) -> None:
    for origin in ("https://evil.example", "null", "https://smith.langchain.com.evil.example", "http://localhost.evil.example"):
        for method, path in (("POST", "/threads"), ("DELETE", f"/threads/{uuid.uuid4()}"), ("PUT", "/store/items")):
            problem(http.request(method, path, headers={"Origin": origin}, json={}), 403)
        assert "access-control-allow-origin" not in http.get("/ok", headers={"Origin": origin}).headers
        flight = http.options("/threads", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
        assert "access-control-allow-origin" not in flight.headers
    for origin in ("http://localhost:3000", "http://127.0.0.1:5173", "https://smith.langchain.com", "http://[::1]:1"):
        made = http.post("/threads", json={}, headers={"Origin": origin})
        assert made.status_code == 200 and made.headers["access-control-allow-origin"] == origin
        assert "origin" in made.headers["vary"].lower()
        wrong = http.post("/threads", content=b"{", headers={"Origin": origin})
        assert wrong.status_code == 400 and wrong.headers["access-control-allow-origin"] == origin


def test_streams_have_cors_headers_too(http: httpx.Client, thread: str) -> None:
    body = {"assistant_id": "three_nodes", "input": {"steps": []}}
    answer = http.post(f"/threads/{thread}/runs/stream", json=body, headers={"Origin": "http://localhost:3000"})
    assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
    exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert {"content-location", "location", "x-pagination-total", "x-pagination-next"} <= exposed


def test_garbage_closes_only_its_own_connection(server: Server, http: httpx.Client) -> None:
    for garbage in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\0" * 5000):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
            raw.sendall(garbage)
            raw.shutdown(socket.SHUT_WR)
            received = b""
            while part := raw.recv(4096):
                received += part
        assert received == b"" or received.startswith(b"HTTP/1.1 4"), received
    assert http.get("/ok").status_code == 200


def test_one_connection_serves_many_requests(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        line = b"GET /ok HTTP/1.1\r\nHost: localhost\r\n\r\n"
        raw.sendall(line * 20)
        received = b""
        while received.count(b'{"ok":true}') < 20:
            part = raw.recv(65536)
            assert part, received
            received += part
    assert received.count(b"HTTP/1.1 200") == 20


def test_store_searches(client: SyncLangGraphClient, http: httpx.Client) -> None:
    root = uuid.uuid4().hex
    for n in range(5):
        value = {"n": n, "even": n % 2 == 0, "name": f"item {n}", "deep": {"n": n}}
        client.store.put_item([root, "a" if n < 3 else "b", str(n)], key=f"k{n}", value=value)

    def keys(prefix: list[str], **options: Any) -> list[str]:
        return sorted(item["key"] for item in client.store.search_items(prefix, **options)["items"])

    assert keys([root]) == ["k0", "k1", "k2", "k3", "k4"]
    assert keys([root, "b"]) == ["k3", "k4"]
    assert keys([root, "a", "1"]) == ["k1"]
    assert keys([root[:-1]]) == []
    assert keys([root], filter={"even": True}) == ["k0", "k2", "k4"]
    assert keys([root], filter={"deep": {"n": 3}}) == ["k3"]
    for operator, found in (
        *(("$eq", [2]), ("$ne", [0, 1, 3, 4]), ("$gt", [3, 4])),
        *(("$gte", [2, 3, 4]), ("$lt", [0, 1]), ("$lte", [0, 1, 2])),
    ):
        assert keys([root], filter={"n": {operator: 2}}) == [f"k{n}" for n in found], operator
    assert keys([root], filter={"n": {"$gt": 1, "$lt": 4}, "even": True}) == ["k2"]
    pages = [keys([root], limit=2, offset=offset) for offset in (0, 2, 4, 6)]
    assert [len(page) for page in pages] == [2, 2, 1, 0] and len({key for page in pages for key in page}) == 5
    item = client.store.search_items([root, "a", "1"])["items"][0]
    assert set(item) == {"namespace", "key", "value", "created_at", "updated_at", "score"}
    assert item["score"] is None  # type: ignore[typeddict-item]
    problem(http.post("/store/items/search", json={"namespace_prefix": [root], "limit": 0}), 422)


def test_store_namespaces(client: SyncLangGraphClient) -> None:
    root = uuid.uuid4().hex
    for namespace in ([root, "a", "x"], [root, "a", "y"], [root, "b", "x"], [root, "b", "x", "deep"]):
        client.store.put_item(namespace, key="k", value={})

    def listed(**options: Any) -> list[list[str]]:
        return client.store.list_namespaces(prefix=[root, *options.pop("more", [])], **options)["namespaces"]

    assert listed() == [[root, "a", "x"], [root, "a", "y"], [root, "b", "x"], [root, "b", "x", "deep"]]
    assert listed(suffix=["x"]) == [[root, "a", "x"], [root, "b", "x"]]
    assert listed(max_depth=2) == [[root, "a"], [root, "b"]]
    assert listed(more=["b"]) == [[root, "b", "x"], [root, "b", "x", "deep"]]
    assert listed(limit=1, offset=1) == [[root, "a", "y"]]
    client.store.delete_item([root, "a", "y"], key="k")
    assert listed(more=["a"]) == [[root, "a", "x"]]
    client.store.delete_item([root, "a", "y"], key="k")  # what is gone may be deleted again


def test_store_refusals(http: httpx.Client) -> None:
    good: dict[str, Any] = {"namespace": ["refusals"], "key": "k", "value": {}}
    for change, places in (
        ({"key": None}, {"key"}),
        ({"value": [1]}, {"value"}),
        ({"value": None}, {"value"}),
        ({"key": 3, "value": "x"}, {"key", "value"}),
        ({"namespace": [1]}, {"namespace"}),
        ({"namespace": ["a.b"], "key": 3}, {"namespace", "key"}),
        ({"namespace": [], "key": None}, {"namespace", "key"}),
        ({"index": 5}, {"index"}),
        ({"index": True, "value": None}, {"index", "value"}),
        ({"ttl": 5}, {"ttl"}),
    ):
        answer = problem(http.put("/store/items", json=good | change), 422)
        assert {error["place"] for error in answer["errors"]} == places, json.dumps(change)
    assert "must be an object" in problem(http.put("/store/items", json=good | {"value": None}), 422)["detail"]
    problem(http.put("/store/items", json=good | {"namespace": ["langgraph", "x"]}), 422)
    problem(http.get("/store/items", params={"namespace": "refusals"}), 422)
    assert http.get("/store/items", params={"namespace": "refusals", "key": "k"}).content == b"null"
