"""A project with one graph whose import fails: it says why, and the other graph serves."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from answers import problem
from processes import Server, until

REASON = "a_package_that_is_not_installed"


@pytest.fixture(scope="module")
def broken(make_server: Any) -> Server:
    server: Server = make_server("graphs_broken")
    return server


@pytest.fixture
def http_broken(broken: Server) -> Any:
    with httpx.Client(base_url=broken.url, timeout=60, trust_env=False) as made:
        yield made


def test_the_good_one_serves(http_broken: httpx.Client) -> None:
    answer = http_broken.post("/runs/wait", json={"assistant_id": "good", "input": {"text": "hello"}})
    assert answer.json() == {"text": "HELLO"}
    assert http_broken.get("/assistants/good/schemas").json()["graph_id"] == "good"


def test_the_broken_one_is_shown(http_broken: httpx.Client, broken: Server) -> None:
    (worker,) = http_broken.get("/api/v1/workers").json()["workers"]
    errors = {graph["graph_id"]: graph["error"] for graph in worker["graphs"]}
    assert errors.keys() == {"good", "broken"} and errors["good"] is None
    error = errors["broken"]
    assert error["error"] == "ModuleNotFoundError" and REASON in error["message"]
    assert "broken.py" in error["traceback"] and "line 3" in error["traceback"]
    until(lambda: REASON in broken.log and "broken.py" in broken.log, "the traceback in the output")


def test_requests_for_the_broken_one_are_told_why(http_broken: httpx.Client) -> None:
    thread = http_broken.post("/threads", json={}).json()["thread_id"]
    body = {"assistant_id": "broken", "input": {}}
    for method, path in (
        ("POST", f"/threads/{thread}/runs"),
        ("POST", f"/threads/{thread}/runs/wait"),
        ("POST", f"/threads/{thread}/runs/stream"),
        ("POST", "/runs/wait"),
        ("GET", "/assistants/broken/schemas"),
        ("GET", "/assistants/broken/graph"),
        ("GET", "/assistants/broken/subgraphs"),
    ):
        answer = http_broken.request(method, path, json=body if method == "POST" else None)
        refusal = problem(answer, 503)
        assert "broken.py:3: ModuleNotFoundError" in refusal["detail"] and REASON in refusal["detail"], path
        (place,) = refusal["errors"]
        assert place["place"] == "broken.py:3" and 'broken.py", line 3' in place["message"], path
        assert "retry-after" in answer.headers
    assert http_broken.get(f"/threads/{thread}/runs").json() == []


def test_both_are_listed(http_broken: httpx.Client) -> None:
    found = http_broken.post("/assistants/search", json={}).json()
    assert {assistant["graph_id"] for assistant in found} == {"good", "broken"}
