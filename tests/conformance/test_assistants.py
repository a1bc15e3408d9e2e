"""Assistants by the Python client."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import SyncLangGraphClient

from answers import problem, refused

NAMESPACE = uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")


@pytest.mark.oldest
def test_every_graph_has_an_assistant(client: SyncLangGraphClient) -> None:
    found = client.assistants.search(metadata={"created_by": "system"}, graph_id="agent")
    assert [a["assistant_id"] for a in found] == [str(uuid.uuid5(NAMESPACE, "agent"))]
    assert found[0]["name"] == "agent"
    assert found[0]["version"] == 1
    assert client.assistants.get("agent") == found[0]


def test_create_and_if_exists(client: SyncLangGraphClient) -> None:
    made_id = str(uuid.uuid4())
    made = client.assistants.create(
        "agent", assistant_id=made_id, name="Mine", metadata={"k": 1}, config={"configurable": {"x": "y"}}
    )
    assert (made["assistant_id"], made["name"], made["version"]) == (made_id, "Mine", 1)
    assert client.assistants.create("agent", assistant_id=made_id, if_exists="do_nothing") == made
    with refused(409):
        client.assistants.create("agent", assistant_id=made_id)
    with refused(404):
        client.assistants.create("no_such_graph")


def test_versions_are_never_used_twice(client: SyncLangGraphClient) -> None:
    made = client.assistants.create("agent", name="one", metadata={"a": 1})
    key = made["assistant_id"]
    second = client.assistants.update(key, name="two", metadata={"b": 2})
    assert (second["version"], second["metadata"]) == (2, {"a": 1, "b": 2})
    assert client.assistants.set_latest(key, 1)["name"] == "one"
    assert client.assistants.get(key)["version"] == 1
    assert client.assistants.update(key, name="three")["version"] == 3
    assert [v["version"] for v in client.assistants.get_versions(key)] == [3, 2, 1]
    with refused(404):
        client.assistants.set_latest(key, 9)


def test_search_pages_and_counts(client: SyncLangGraphClient, http: httpx.Client) -> None:
    tag = uuid.uuid4().hex
    made = [client.assistants.create("agent", name=f"Pager {n}", metadata={"tag": tag}) for n in range(3)]
    assert client.assistants.count(metadata={"tag": tag}) == 3
    page = http.post("/assistants/search", json={"metadata": {"tag": tag}, "limit": 2})
    assert page.headers["x-pagination-total"] == "3"
    assert page.headers["x-pagination-next"] == "2"
    assert [a["assistant_id"] for a in page.json()] == [a["assistant_id"] for a in reversed(made[1:])]
    rest = http.post("/assistants/search", json={"metadata": {"tag": tag}, "limit": 2, "offset": 2})
    assert len(rest.json()) == 1 and "x-pagination-next" not in rest.headers
    by_name = client.assistants.search(metadata={"tag": tag}, name="pager 1", select=["name"])
    assert by_name == [{"name": "Pager 1"}]
    client.assistants.delete(made[0]["assistant_id"])
    assert client.assistants.count(metadata={"tag": tag}) == 2
    with refused(404):
        client.assistants.get(made[0]["assistant_id"])


@pytest.mark.oldest
def test_graph_and_schemas(client: SyncLangGraphClient) -> None:
    graph = client.assistants.get_graph("three_nodes")
    ids = [node["id"] for node in graph["nodes"]]
    assert ids[0] == "__start__" and ids[-1] == "__end__" and len(ids) == 5
    assert {"source", "target"} <= set(graph["edges"][0])
    schemas = client.assistants.get_schemas("three_nodes")
    assert schemas["graph_id"] == "three_nodes"
    assert schemas["input_schema"]["type"] == "object"
    assert set(schemas) >= {"input_schema", "output_schema", "state_schema", "config_schema", "context_schema"}


def test_subgraphs(client: SyncLangGraphClient) -> None:
    found = client.assistants.get_subgraphs("subgraph")
    assert len(found) == 1
    (schemas,) = found.values()
    assert {"input_schema", "input"} <= set(schemas)
    shallow = {node["id"] for node in client.assistants.get_graph("subgraph")["nodes"]}
    deep = {node["id"] for node in client.assistants.get_graph("subgraph", xray=True)["nodes"]}
    assert len(deep) > len(shallow)


def test_unknown_graph_names_those_that_exist(http: httpx.Client) -> None:
    answer = http.post("/runs/wait", json={"assistant_id": "nope", "input": {}})
    assert answer.status_code == 404
    assert 'No assistant found for "nope"' in answer.json()["detail"]
    assert "three_nodes" in answer.json()["detail"]


def test_versions_keep_what_they_held(client: SyncLangGraphClient, http: httpx.Client) -> None:
    key = client.assistants.create("agent", name="one", metadata={"v": 1}, description="first")["assistant_id"]
    same = http.patch(f"/assistants/{key}", json={})
    assert (same.json()["version"], same.json()["name"]) == (2, "one")
    changed = client.assistants.update(key, graph_id="counter", context={"step": 3}, description="third", metadata={"v": 3})
    assert (changed["version"], changed["graph_id"], changed["context"]) == (3, "counter", {"step": 3})
    versions = client.assistants.get_versions(key)
    assert [(v["version"], v["graph_id"], v["description"]) for v in versions] == [
        (3, "counter", "third"),
        (2, "agent", "first"),
        (1, "agent", "first"),
    ]
    assert client.assistants.get_versions(key, limit=1, offset=1) == versions[1:2]
    assert [v["version"] for v in client.assistants.get_versions(key, metadata={"v": 1})] == [2, 1]
    back = client.assistants.set_latest(key, 1)
    assert (back["version"], back["graph_id"], back["metadata"]) == (1, "agent", {"v": 1})
    assert len(client.assistants.get_versions(key)) == 3
    problem(http.post(f"/assistants/{key}/latest", json={}), 422)
    problem(http.patch(f"/assistants/{key}", json={"graph_id": "nope"}), 404)
    assert client.assistants.get(key) == back


def test_deleting_with_threads(client: SyncLangGraphClient, http: httpx.Client) -> None:
    kept, gone = (client.assistants.create("counter")["assistant_id"] for _ in range(2))
    threads = []
    for assistant in (kept, gone):
        threads.append(client.threads.create()["thread_id"])
        client.runs.wait(threads[-1], assistant, input={})
    client.assistants.delete(kept)
    assert client.threads.get(threads[0])["values"] == {"count": 1}
    http.delete(f"/assistants/{gone}", params={"delete_threads": "true"})
    problem(http.get(f"/threads/{threads[1]}"), 404)
    for assistant in (kept, gone):
        problem(http.get(f"/assistants/{assistant}"), 404)
        problem(http.delete(f"/assistants/{assistant}"), 404)
        problem(http.post(f"/assistants/{assistant}/versions", json={}), 404)


def test_a_graph_keeps_its_own(client: SyncLangGraphClient, http: httpx.Client) -> None:
    own = client.assistants.get("counter")["assistant_id"]
    for name in ("counter", own):
        assert '"counter" has this assistant by itself' in problem(http.delete(f"/assistants/{name}"), 409)["detail"]
    found = client.assistants.search(metadata={"created_by": "system"}, graph_id="counter")
    assert [assistant["assistant_id"] for assistant in found] == [own]


@pytest.mark.parametrize(
    "body",
    [{}, {"graph_id": 3}, {"graph_id": "agent", "assistant_id": "x"}, {"graph_id": "agent", "if_exists": "maybe", "name": 1}],
)
def test_wrong_assistants(http: httpx.Client, body: dict[str, Any]) -> None:
    places = {"graph_id"} if body.get("graph_id") != "agent" else set(body) - {"graph_id"}
    assert {e["place"] for e in problem(http.post("/assistants", json=body), 422)["errors"]} == places


@pytest.mark.parametrize(
    ("config", "places"),
    [
        ({"tags": 5, "metadata": 5}, {"config.tags", "config.metadata"}),
        ({"recursion_limit": "x", "configurable": []}, {"config.recursion_limit", "config.configurable"}),
        ({"recursion_limit": -1, "callbacks": []}, {"config.recursion_limit", "config.callbacks"}),
        ([], {"config"}),
    ],
)
def test_configs_of_assistants_are_those_of_runs(http: httpx.Client, config: Any, places: set[str]) -> None:
    created = http.post("/assistants", json={"graph_id": "agent", "config": config})
    patched = http.patch("/assistants/agent", json={"config": config})
    for answer in (created, patched):
        assert {error["place"] for error in problem(answer, 422)["errors"]} == places


def test_order_of_assistants(http: httpx.Client, client: SyncLangGraphClient) -> None:
    tag = uuid.uuid4().hex
    for name, graph in (("b", "human"), ("c", "agent"), ("a", "slow")):
        client.assistants.create(graph, name=name, metadata={"tag": tag})

    def found(**body: Any) -> list[str]:
        return [a["name"] for a in http.post("/assistants/search", json={"metadata": {"tag": tag}, **body}).json()]

    assert found() == ["a", "c", "b"]
    assert found(sort_by="name", sort_order="asc") == ["a", "b", "c"]
    assert found(sort_by="graph_id", sort_order="asc") == ["c", "b", "a"]
    assert found(sort_by="created_at", sort_order="asc") == ["b", "c", "a"]
    assert found(graph_id="human") == ["b"] and found(name="A") == ["a"]
    problem(http.post("/assistants/search", json={"sort_by": "config"}), 422)
    wrong = problem(http.post("/assistants/search", json={"select": ["name", "colour"]}), 422)
    assert [error["place"] for error in wrong["errors"]] == ["select"] and "colour" in wrong["detail"]
