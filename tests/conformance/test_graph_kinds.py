"""Every kind of graph that a project may have."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import SyncLangGraphClient

from answers import of, stream
from processes import Server, until


@pytest.mark.oldest
def test_functional_graphs_remember(client: SyncLangGraphClient, server: Server, thread: str) -> None:
    assert client.runs.wait(thread, "functional", input={"numbers": [1, 2]}) == {"total": 6, "answer": None}
    assert client.runs.wait(thread, "functional", input={"numbers": [3]}) == {"total": 12, "answer": None}
    asked = client.runs.wait(thread, "functional", input={"numbers": [4], "ask": True})
    assert asked["__interrupt__"][0]["value"] == {"question": "Is 20 right?"}
    assert client.threads.get(thread)["status"] == "interrupted"
    assert client.runs.wait(thread, "functional", command={"resume": "yes"}) == {"total": 20, "answer": "yes"}
    nodes = [node for node, on, _, _ in server.project.journal.entries() if on == thread]
    assert nodes.count("double:4") == 1  # a task whose result is saved is not repeated


@pytest.mark.oldest
def test_tasks_of_functional_graphs_are_streamed(http: httpx.Client, thread: str) -> None:
    _, frames = stream(http, thread, assistant_id="functional", input={"numbers": [1, 2]}, stream_mode=["updates", "values"])
    updates = of(frames, "updates")
    assert sorted(str(u) for u in updates[:2]) == ["{'double': 2}", "{'double': 4}"]
    assert updates[2:] == [{"graph": {"total": 6, "answer": None}}]
    assert of(frames, "values")[-1] == {"total": 6, "answer": None}


@pytest.mark.oldest
def test_sends_run_once_each(client: SyncLangGraphClient, server: Server, thread: str) -> None:
    result = client.runs.wait(thread, "sends", input={"items": list(range(20))})
    assert result["results"] == [n * n for n in range(20)] and result["total"] == 2470
    nodes = [node for node, on, _, _ in server.project.journal.entries() if on == thread]
    assert sorted(nodes) == sorted(["summary", *(f"work:{n}" for n in range(20))])
    step = next(s for s in client.threads.get_history(thread) if "work" in s["next"])
    assert step["next"] == ["work"] * 20
    assert [task["path"][:2] for task in step["tasks"]] == [["__pregel_push", n] for n in range(20)]  # type: ignore[typeddict-item]
    assert [task["result"] for task in step["tasks"]] == [{"results": [n * n]} for n in range(20)]


@pytest.mark.parametrize(("way", "steps"), [("left", ["router", "left"]), ("right", ["router", "right"])])
def test_nodes_that_choose_the_next(client: SyncLangGraphClient, thread: str, way: str, steps: list[str]) -> None:
    assert client.runs.wait(thread, "commands", input={"way": way}) == {"way": way, "steps": steps}


@pytest.mark.oldest
def test_factories(client: SyncLangGraphClient, server: Server, thread: str) -> None:
    assert client.runs.wait(thread, "factory_config", input={"name": "x"})["said"] == "hello x"
    greeting = {"configurable": {"greeting": "moin"}}
    assert client.runs.wait(thread, "factory_config", input={"name": "y"}, config=greeting)["said"] == "moin y"
    client.threads.update_state(thread, {"said": "mine"})
    assert client.threads.get_state(thread)["values"]["said"] == "mine"
    assert client.runs.wait(thread, "async_factory", input={})["open"] is True
    run = client.runs.list(thread)[0]["run_id"]
    nodes = server.project.journal.nodes
    until(lambda: "factory.exit" in nodes(run), "the end of the factory")
    assert nodes(run) == ["factory.enter", "use", "factory.exit"]


def test_a_factory_is_told_whether_it_executes(client: SyncLangGraphClient, thread: str) -> None:
    seen = client.runs.wait(thread, "factory_runtime", input={}, config={"configurable": {"tag": "T"}}, context={"c": 1})
    assert seen["seen"] == {
        "tag": "T",
        "access_context": "threads.create_run",
        "has_store": True,
        "executing": True,
        "context": {"c": 1},
    }
    assert client.assistants.get_schemas("factory_runtime")["output_schema"]["properties"].keys() == {"seen"}


@pytest.mark.oldest
def test_private_channels_and_schemas(client: SyncLangGraphClient, http: httpx.Client, thread: str) -> None:
    _, frames = stream(http, thread, assistant_id="private_state", input={"question": "abc"}, stream_mode=["updates"])
    assert of(frames, "updates") == [{"think": {"secret": "cba"}}, {"speak": {"answer": "<cba>"}}]
    schemas: Any = client.assistants.get_schemas("private_state")
    assert set(schemas["input_schema"]["properties"]) == {"question"}
    assert set(schemas["output_schema"]["properties"]) == {"answer"}
    assert {"question", "answer"} <= set(schemas["state_schema"]["properties"])


@pytest.mark.oldest
def test_values_that_are_not_json(client: SyncLangGraphClient, thread: str) -> None:
    expected = {
        "name": "X",
        "when": "2024-02-29T12:30:00+00:00",
        "day": "2024-02-29",
        "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, "x")),
        "tags": ["one"],
        "colour": "blue",
        "point": {"x": 3, "y": 0},
    }
    values = client.runs.wait(thread, "pydantic_state", input={"name": "x"})
    assert values.items() >= expected.items()
    assert client.threads.get_state(thread)["values"] == values == client.threads.get(thread)["values"]
    assert [s["values"].get("colour") for s in client.threads.get_history(thread)] == ["blue", "blue", None, None]  # type: ignore[union-attr]


def test_pydantic_refuses_bad_input(client: SyncLangGraphClient, thread: str) -> None:
    failed = client.runs.wait(thread, "pydantic_state", input={"name": ""}, raise_error=False)
    assert failed["__error__"]["error"] == "ValidationError" and "name" in failed["__error__"]["message"]
    assert client.threads.get(thread)["status"] == "error"


@pytest.mark.oldest
def test_graphs_and_clients_share_the_store(client: SyncLangGraphClient, thread: str) -> None:
    user = uuid.uuid4().hex
    client.store.put_item(["memories", user], key="client", value={"kind": "client"})
    found = client.runs.wait(thread, "store_graph", input={"user": user, "text": "hello"})
    assert found["sync_found"] == ["hello", "sync"]
    assert found["async_found"] == ["async", "client", "sync"]
    assert found["namespaces"] == [["memories", user]]
    items = client.store.search_items(["memories", user])["items"]
    assert {item["key"]: item["value"].get("text") for item in items} == {"client": None, "sync": "hello", "async": "hello"}
    assert client.store.get_item(["memories", user], key="gone") is None


def test_many_runs_at_once(server: Server) -> None:
    import asyncio

    from langgraph_sdk import get_client

    async def one(number: int) -> Any:
        client = get_client(url=server.url)
        values = await client.runs.wait(None, "counter", input={"count": number}, context={"step": 1000})
        return values["count"]  # type: ignore[index, call-overload]

    async def everybody() -> list[Any]:
        return await asyncio.gather(*[one(number) for number in range(40)])

    assert asyncio.run(everybody()) == [1000 + number for number in range(40)]


def test_a_retry_may_succeed(client: SyncLangGraphClient, thread: str, tmp_path: Any) -> None:
    fixed = tmp_path / "fixed"
    failed = client.runs.wait(thread, "raises", input={"unless": str(fixed)}, raise_error=False)
    assert failed["__error__"]["message"] == "Boo!"
    fixed.touch()
    assert client.runs.wait(thread, "raises", input=None)["result"] == "fine"
    assert client.threads.get(thread)["error"] is None
    assert [run["status"] for run in client.runs.list(thread)] == ["success", "error"]
