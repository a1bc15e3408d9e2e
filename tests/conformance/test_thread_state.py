"""Reading and writing a thread's state: at checkpoints, in subgraphs, as a node."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import SyncLangGraphClient

from answers import problem, refused

STATE = {"values", "next", "tasks", "metadata", "created_at", "checkpoint", "parent_checkpoint", "interrupts"}


@pytest.fixture
def done(client: SyncLangGraphClient, thread: str) -> str:
    """A thread on which three_nodes has run."""
    client.runs.wait(thread, "three_nodes", input={"steps": []})
    return thread


def test_shapes_of_states(client: SyncLangGraphClient, thread: str) -> None:
    assert set(client.threads.get_state(thread)) == STATE
    client.runs.wait(thread, "human", input={"topic": "x"}, metadata={"mine": "yes"})
    for state in client.threads.get_history(thread):
        assert set(state) == STATE
        assert set(state["checkpoint"]) == {"thread_id", "checkpoint_ns", "checkpoint_id"}
        assert state["metadata"]["graph_id"] == "human" and state["metadata"]["mine"] == "yes"
        for task in state["tasks"]:
            assert set(task) == {"id", "name", "path", "error", "interrupts", "checkpoint", "state", "result"}
            assert task["path"] == ["__pregel_pull", task["name"]]


def test_values_that_a_graph_does_not_take(http: httpx.Client, done: str) -> None:
    bodies: tuple[tuple[str, dict[str, Any]], ...] = (
        ("values", {"values": {"steps": 5}, "as_node": "a"}),
        ("as_node", {"values": {"steps": ["x"]}, "as_node": "nobody"}),
    )
    for place, body in bodies:
        answer = problem(http.post(f"/threads/{done}/state", json=body), 422)
        assert "the values cannot be applied: " in answer["detail"] and "Error: " in answer["detail"], body
        assert [error["place"] for error in answer["errors"]] == [place], body
    assert http.post(f"/threads/{done}/state", json={"values": {"steps": ["x"]}, "as_node": "a"}).status_code == 200


def test_results_of_tasks_are_in_the_history(client: SyncLangGraphClient, done: str) -> None:
    history = client.threads.get_history(done)
    assert [[(t["name"], t["result"]) for t in s["tasks"]] for s in history[:4]] == [
        [],
        [("c", {"steps": ["c"]})],
        [("b", {"steps": ["b"]})],
        [("a", {"steps": ["a"]})],
    ]
    assert history[-1]["tasks"][0]["name"] == "__start__"
    assert history[-1]["parent_checkpoint"] is None


def test_an_error_is_kept_in_its_task(client: SyncLangGraphClient, thread: str) -> None:
    client.runs.wait(thread, "raises", input={}, raise_error=False)
    (task,) = client.threads.get_state(thread)["tasks"]
    assert task["name"] == "fail" and "Boo!" in task["error"] and "CustomError" in task["error"]


def test_history_is_byte_equal_when_read_again(http: httpx.Client, client: SyncLangGraphClient, thread: str) -> None:
    client.runs.wait(thread, "two_interrupts", input={})
    client.runs.wait(thread, "agent", input={"messages": [{"role": "user", "content": "hi"}]})
    first, second = (http.post(f"/threads/{thread}/history", json={}).content for _ in range(2))
    assert first == second
    assert http.get(f"/threads/{thread}/history").content == first


def test_pages_of_history(http: httpx.Client, client: SyncLangGraphClient, done: str) -> None:
    history = client.threads.get_history(done)
    place = history[1]["checkpoint"]
    assert client.threads.get_history(done, limit=2) == history[:2]
    assert client.threads.get_history(done, before=place["checkpoint_id"]) == history[2:]
    assert client.threads.get_history(done, before=place, limit=1) == history[2:3]
    assert client.threads.get_history(done, before={"configurable": place}) == history[2:]
    query = {"limit": 2, "before": place["checkpoint_id"]}
    assert http.get(f"/threads/{done}/history", params=query).json() == history[2:4]
    run = client.runs.list(done)[0]["run_id"]
    assert client.threads.get_history(done, metadata={"run_id": run, "step": 1}) == [history[2]]
    assert client.threads.get_history(done, checkpoint={"checkpoint_id": place["checkpoint_id"]})[0] == history[1]
    client.runs.wait(done, "three_nodes", input={"steps": []})
    assert len(client.threads.get_history(done, limit=20)) == 10
    assert client.threads.get_history(done, limit=20, metadata={"run_id": run}) == history
    for limit in (0, 1001, "two"):
        problem(http.post(f"/threads/{done}/history", json={"limit": limit}), 422)
    for wrong in ("x", 5, {}, {"configurable": {}}, [place["checkpoint_id"]]):
        answer = problem(http.post(f"/threads/{done}/history", json={"before": wrong}), 422)
        assert [error["place"] for error in answer["errors"]] == ["before"]
    problem(http.get(f"/threads/{done}/history", params={"before": "x"}), 422)


def test_three_ways_to_a_checkpoint(http: httpx.Client, client: SyncLangGraphClient, done: str) -> None:
    wanted = client.threads.get_history(done)[2]
    place = wanted["checkpoint"]
    assert http.get(f"/threads/{done}/state/{place['checkpoint_id']}").json() == wanted
    for subgraphs in (False, True, "false", "true"):
        body = {"checkpoint": place, "subgraphs": subgraphs}
        assert http.post(f"/threads/{done}/state/checkpoint", json=body).json() == wanted
    problem(http.post(f"/threads/{done}/state/checkpoint", json={"checkpoint": "x"}), 422)
    unknown = "1f000000-0000-6000-8000-000000000000"
    problem(http.get(f"/threads/{done}/state/{unknown}"), 404)


@pytest.mark.oldest
def test_update_as_each_node(client: SyncLangGraphClient, done: str) -> None:
    for node, following in (("__start__", ["a"]), ("a", ["b"]), ("b", ["c"]), ("c", [])):
        made = client.threads.update_state(done, {"steps": [f"as {node}"]}, as_node=node)
        state = client.threads.get_state(done)
        assert state["checkpoint"] == {k: v for k, v in made["checkpoint"].items() if k != "checkpoint_map"}
        assert (state["next"], state["metadata"]["source"]) == (following, "update")
        assert state["values"]["steps"][-1] == f"as {node}"
        assert client.threads.get(done)["values"] == state["values"]
    assert client.threads.get(done)["status"] == "idle"
    assert len(client.threads.get_history(done, limit=20)) == 9


def test_the_graph_goes_on_from_an_update(client: SyncLangGraphClient, done: str) -> None:
    client.threads.update_state(done, {"steps": ["mine"]}, as_node="b")
    assert client.runs.wait(done, "three_nodes", input=None)["steps"] == ["a", "b", "c", "mine", "c"]


def test_update_at_a_checkpoint_forks(client: SyncLangGraphClient, done: str) -> None:
    middle = next(s for s in client.threads.get_history(done) if s["next"] == ["b"])
    made = client.threads.update_state(done, {"steps": ["mine"]}, checkpoint=middle["checkpoint"])
    state = client.threads.get_state(done)
    assert state["checkpoint"]["checkpoint_id"] == made["checkpoint"]["checkpoint_id"]
    assert state["parent_checkpoint"] == middle["checkpoint"]
    assert (state["values"], state["next"]) == ({"steps": ["a", "mine"]}, ["b"])
    assert client.runs.wait(done, "three_nodes", input=None) == {"steps": ["a", "mine", "b", "c"]}


def test_updates_by_messages_and_overwrites(client: SyncLangGraphClient, thread: str) -> None:
    client.runs.wait(thread, "agent", input={"messages": [{"role": "user", "content": "hi", "id": "m1"}]})
    client.threads.update_state(thread, {"messages": [{"role": "user", "content": "ho", "id": "m1"}]}, as_node="tool")
    messages = client.threads.get_state(thread)["values"]["messages"]
    assert [m["content"] for m in messages] == ["ho", "begin", "tool_call__begin", "end"]
    client.threads.update_state(thread, {"messages": [{"type": "remove", "id": "m1", "content": ""}]}, as_node="tool")
    assert len(client.threads.get_state(thread)["values"]["messages"]) == 3


def test_updates_that_cannot_be(http: httpx.Client, client: SyncLangGraphClient, done: str) -> None:
    before = client.threads.get_history(done)
    refusal = http.post(f"/threads/{done}/state", json={"values": {"steps": []}, "as_node": "nobody"})
    assert "nobody" in problem(refusal, 422)["detail"]
    answer = problem(http.post(f"/threads/{done}/state", json={"values": 3, "as_node": 4}), 422)
    assert {error["place"] for error in answer["errors"]} == {"values", "as_node"}
    unknown = {"checkpoint_id": "1f000000-0000-6000-8000-000000000000"}
    assert http.post(f"/threads/{done}/state", json={"values": {}, "checkpoint": unknown}).status_code in (404, 422)
    for path, extra in (("state", {"values": {}}), ("state/checkpoint", {}), ("history", {})):
        foreign = extra | {"checkpoint": {"thread_id": str(uuid.uuid4())}}
        answer = problem(http.post(f"/threads/{done}/{path}", json=foreign), 422)
        assert [error["place"] for error in answer["errors"]] == ["checkpoint.thread_id"]
    assert client.threads.get_history(done) == before
    assert client.threads.get(done)["status"] == "idle"


def test_updates_of_a_graph_that_nobody_has(http: httpx.Client, client: SyncLangGraphClient) -> None:
    thread = client.threads.create(graph_id="nobody")["thread_id"]
    answer = problem(http.post(f"/threads/{thread}/state", json={"values": {}}), 404)
    assert "nobody" in answer["detail"] and "three_nodes" in answer["detail"]


def test_two_parallel_questions(client: SyncLangGraphClient, thread: str) -> None:
    told = client.runs.wait(thread, "two_interrupts", input={})
    state = client.threads.get_state(thread)
    assert sorted(i["id"] for i in told["__interrupt__"]) == sorted(i["id"] for i in state["interrupts"])
    assert sorted(state["next"]) == ["ask_a", "ask_b"]
    record = client.threads.get(thread)
    assert {task["id"]: task["interrupts"] for task in state["tasks"]} == record["interrupts"]
    assert sorted(i["value"]["question"] for i in state["interrupts"]) == ["a?", "b?"]
    assert len({i["id"] for i in state["interrupts"]}) == 2
    by_name = {task["name"]: task["interrupts"][0]["id"] for task in state["tasks"]}
    answers = {by_name["ask_a"]: 1, by_name["ask_b"]: 2}
    assert client.runs.wait(thread, "two_interrupts", command={"resume": answers})["result"] == "a=1 b=2"


def test_one_of_two_questions_may_be_answered_first(client: SyncLangGraphClient, thread: str) -> None:
    client.runs.wait(thread, "two_interrupts", input={})
    by_name = {t["name"]: t["interrupts"][0]["id"] for t in client.threads.get_state(thread)["tasks"]}
    told = client.runs.wait(thread, "two_interrupts", command={"resume": {by_name["ask_b"]: 2}})
    assert told["answers"] == ["b=2"] and [i["id"] for i in told["__interrupt__"]] == [by_name["ask_a"]]
    assert client.runs.join(thread, client.runs.list(thread)[0]["run_id"]) == told
    state = client.threads.get_state(thread)
    assert (state["values"], state["next"]) == ({"answers": ["b=2"]}, ["ask_a"])
    assert client.threads.get_state(thread, subgraphs=True) == state
    assert client.threads.get_history(thread)[0]["values"] == {"answers": []}
    record = client.threads.get(thread)
    assert record["status"] == "interrupted"
    assert [i["id"] for waiting in record["interrupts"].values() for i in waiting] == [by_name["ask_a"]]
    assert client.runs.wait(thread, "two_interrupts", command={"resume": {by_name["ask_a"]: 1}})["result"] == "a=1 b=2"


@pytest.mark.oldest
def test_states_of_subgraphs(http: httpx.Client, client: SyncLangGraphClient, thread: str) -> None:
    client.runs.wait(thread, "subgraph", input={"ask": True})
    (task,) = client.threads.get_state(thread)["tasks"]
    assert task["checkpoint"]["checkpoint_ns"] == f"child:{task['id']}" and task["state"] is None
    (nested,) = client.threads.get_state(thread, subgraphs=True)["tasks"]
    inner = nested["state"]
    assert nested["checkpoint"] is None and nested["interrupts"] == task["interrupts"]
    assert (inner["next"], inner["values"]["steps"]) == (["child_ask"], ["before", "child_work"])
    assert inner["tasks"][0]["interrupts"] == task["interrupts"]

    history = client.threads.get_history(thread, checkpoint=task["checkpoint"])
    assert [s["next"] for s in history] == [["child_ask"], ["child_work"], ["__start__"]]
    assert {s["checkpoint"]["checkpoint_ns"] for s in history} == {f"child:{task['id']}"}
    assert history[0]["checkpoint"]["checkpoint_id"] == inner["checkpoint"]["checkpoint_id"]
    alone = client.threads.get_state(thread, checkpoint=inner["checkpoint"])
    assert (alone["values"], alone["next"]) == (inner["values"], inner["next"])
    newest = {"thread_id": thread, "checkpoint_ns": f"child:{task['id']}"}
    assert client.threads.get_state(thread, checkpoint=newest)["checkpoint"] == alone["checkpoint"]
    assert len(client.threads.get_history(thread)) == 3  # those of the root alone


def test_update_inside_a_subgraph(client: SyncLangGraphClient, thread: str) -> None:
    client.runs.wait(thread, "subgraph", input={"ask": True})
    inner = client.threads.get_state(thread, subgraphs=True)["tasks"][0]["state"]
    client.threads.update_state(thread, {"steps": ["mine"]}, checkpoint=inner["checkpoint"], as_node="child_work")
    changed = client.threads.get_state(thread, subgraphs=True)["tasks"][0]["state"]
    assert changed["values"]["steps"] == ["before", "child_work", "mine"]
    assert client.runs.wait(thread, "subgraph", command={"resume": "yes"})["steps"] == [
        "before",
        "child_work",
        "mine",
        "child_ask:yes",
        "after",
    ]


def test_metadata_by_the_old_path(client: SyncLangGraphClient, http: httpx.Client, thread: str) -> None:
    assert http.patch(f"/threads/{thread}/state", json={"metadata": {"a": 1}}).status_code == 200
    assert client.threads.get(thread)["metadata"] == {"a": 1}


def test_no_state_while_a_run_waits(client: SyncLangGraphClient, done: str) -> None:
    run = client.runs.create(done, "three_nodes", input={"steps": []}, after_seconds=600)["run_id"]
    before: Any = client.threads.get_history(done)
    with refused(409):
        client.threads.update_state(done, {"steps": ["x"]})
    assert client.threads.get_history(done) == before
    client.runs.cancel(done, run, wait=True)
    assert client.threads.get(done)["status"] == "idle"
    client.threads.update_state(done, {"steps": ["x"]}, as_node="c")
    assert client.threads.get_state(done)["values"]["steps"][-1] == "x"
