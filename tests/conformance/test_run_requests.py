"""What a run's request holds, and how it reaches the graph."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import SyncLangGraphClient

from answers import HELLO, of, problem, refused, stream

STEPS: dict[str, Any] = {"steps": []}
LATER = 3600


def test_shape_of_a_run(client: SyncLangGraphClient, thread: str) -> None:
    run = client.runs.create(
        thread,
        "three_nodes",
        input=STEPS,
        metadata={"mine": "yes"},
        config={"tags": ["t"], "recursion_limit": 7, "configurable": {"x": 1}},
        context={"c": 1},
        stream_mode=["values", "updates"],
        stream_subgraphs=True,
        stream_resumable=True,
        interrupt_before=["b"],
        multitask_strategy="interrupt",
        after_seconds=LATER,
    )
    keys = ("run_id", "thread_id", "assistant_id", "created_at", "updated_at", "status", "metadata", "kwargs")
    assert set(run) == {*keys, "multitask_strategy"}
    assert run == client.runs.get(thread, run["run_id"]) == client.runs.list(thread)[0]
    assert (run["status"], run["multitask_strategy"], run["metadata"]["mine"]) == ("pending", "interrupt", "yes")
    kwargs: Any = run["kwargs"]
    assert (kwargs["input"], kwargs["stream_mode"], kwargs["interrupt_before"]) == (STEPS, ["values", "updates"], ["b"])
    assert (kwargs["context"], kwargs["subgraphs"], kwargs["resumable"], kwargs["temporary"]) == ({"c": 1}, True, True, False)
    assert (kwargs["config"]["tags"], kwargs["config"]["recursion_limit"]) == (["t"], 7)
    configurable = kwargs["config"]["configurable"]
    assert configurable["x"] == 1 and configurable["graph_id"] == "three_nodes"
    for name in ("run_id", "thread_id", "assistant_id"):
        assert configurable[name] == run[name]  # type: ignore[literal-required]
    assert uuid.UUID(run["run_id"]).version == 7
    client.runs.cancel(thread, run["run_id"], wait=True)


def test_a_client_cannot_pose_as_the_server(client: SyncLangGraphClient, thread: str) -> None:
    given = {"thread_id": "x", "run_id": "y", "graph_id": "z", "__pregel_resuming": True, "langgraph_auth_user_id": "me"}
    run = client.runs.create(thread, "three_nodes", input=STEPS, config={"configurable": given}, after_seconds=LATER)
    configurable = run["kwargs"]["config"]["configurable"]
    assert (configurable["thread_id"], configurable["run_id"]) == (thread, run["run_id"])
    assert configurable["graph_id"] == "three_nodes"
    assert not {"__pregel_resuming", "langgraph_auth_user_id"} & set(configurable)
    client.runs.cancel(thread, run["run_id"], wait=True)


def test_metadata_reaches_the_graph_and_its_checkpoints(http: httpx.Client, client: SyncLangGraphClient) -> None:
    assistant = client.assistants.create("agent", metadata={"a": "assistant", "all": 1})
    thread = client.threads.create(metadata={"t": "thread", "all": 2})["thread_id"]
    _, frames = stream(
        http,
        thread,
        assistant_id=assistant["assistant_id"],
        metadata={"r": "run", "all": 3},
        config={"metadata": {"c": "config"}},
        stream_mode=["messages-tuple"],
    )
    wanted = {"a": "assistant", "t": "thread", "r": "run", "c": "config", "all": 3}
    assert of(frames, "messages")[0][1].items() >= wanted.items()
    for state in client.threads.get_history(thread):
        assert state["metadata"].items() >= wanted.items()  # type: ignore[union-attr]
    assert client.runs.list(thread)[0]["metadata"].items() >= {"a": "assistant", "r": "run", "all": 3}.items()
    assert client.threads.get(thread)["metadata"] == {
        "t": "thread",
        "all": 2,
        "graph_id": "agent",
        "assistant_id": assistant["assistant_id"],
    }


def test_an_assistants_settings_are_defaults(client: SyncLangGraphClient, thread: str) -> None:
    by_context = client.assistants.create("counter", context={"step": 7})["assistant_id"]
    assert client.runs.wait(None, by_context, input={})["count"] == 7
    assert client.runs.wait(None, by_context, input={}, context={"step": 2})["count"] == 2
    by_config = client.assistants.create("factory_config", config={"configurable": {"greeting": "moin"}})["assistant_id"]
    assert client.runs.wait(thread, by_config, input={"name": "x"})["said"] == "moin x"
    spoken = client.runs.wait(None, by_config, input={"name": "x"}, config={"configurable": {"greeting": "hej"}})
    assert spoken["said"] == "hej x"
    short = client.assistants.create("recursion", config={"recursion_limit": 2})["assistant_id"]
    failed = client.runs.wait(thread, short, input={}, raise_error=False)
    assert failed["__error__"]["error"] == "GraphRecursionError"
    assert client.threads.get_state(thread)["values"]["count"] == 2


def test_an_old_version_may_be_chosen(client: SyncLangGraphClient) -> None:
    key = client.assistants.create("counter", context={"step": 10})["assistant_id"]
    client.assistants.update(key, context={"step": 20})
    assert client.runs.wait(None, key, input={})["count"] == 20
    client.assistants.set_latest(key, 1)
    assert client.runs.wait(None, key, input={})["count"] == 10


def test_the_step_of_a_config_is_configurable(client: SyncLangGraphClient, thread: str) -> None:
    assert client.runs.wait(thread, "counter", input={}, config={"configurable": {"step": 5}})["count"] == 5
    assert client.runs.wait(thread, "counter", input={})["count"] == 6  # a run's own config does not stay


@pytest.mark.oldest
def test_goto(client: SyncLangGraphClient, thread: str) -> None:
    client.runs.wait(thread, "three_nodes", input=STEPS)
    assert client.runs.wait(thread, "three_nodes", command={"goto": "c"})["steps"] == ["a", "b", "c", "c"]
    sent = {"goto": {"node": "c", "input": {"steps": ["other"]}}}
    assert client.runs.wait(thread, "three_nodes", command=sent)["steps"] == ["a", "b", "c", "c", "c"]
    both = {"goto": ["b", "c"], "update": {"steps": ["mine"]}}
    # b leads to c once more
    assert client.runs.wait(thread, "three_nodes", command=both)["steps"][5:] == ["mine", "b", "c", "c"]


@pytest.mark.oldest
def test_update_beside_an_answer(client: SyncLangGraphClient, thread: str) -> None:
    client.runs.wait(thread, "human", input={"topic": "x"})
    done = client.runs.wait(thread, "human", command={"resume": {"deep": [1, None, "é"]}, "update": {"topic": "y"}})
    assert (done["answer"], done["topic"], done["plan"]) == ({"deep": [1, None, "é"]}, "y", "a plan for x")
    pairs = client.runs.wait(thread, "three_nodes", command={"update": [["steps", ["one"]]], "goto": "c"})
    assert pairs["steps"] == ["one", "c"]


@pytest.mark.parametrize("answer", ["yes", 0, False, "", [], {}, {"a": None}, 1.5, 2**63 - 1])
def test_every_kind_of_answer(client: SyncLangGraphClient, thread: str, answer: Any) -> None:
    asked = client.runs.wait(thread, "human", input={"topic": "x"})
    (question,) = asked["__interrupt__"]
    done = client.runs.wait(thread, "human", command={"resume": {question["id"]: answer}})
    assert done["answer"] == answer and type(done["answer"]) is type(answer)


def test_an_empty_command_is_none(http: httpx.Client, thread: str) -> None:
    empty = {"graph": None, "update": None, "resume": None, "goto": []}
    body = {"assistant_id": "three_nodes", "input": STEPS, "command": empty}
    assert http.post(f"/threads/{thread}/runs/wait", json=body).json() == {"steps": ["a", "b", "c"]}


def test_forks(http: httpx.Client, client: SyncLangGraphClient, thread: str) -> None:
    client.runs.wait(thread, "three_nodes", input=STEPS)
    middle = next(s for s in client.threads.get_history(thread) if s["next"] == ["c"])
    legacy = {"assistant_id": "three_nodes", "input": None, "checkpoint_id": middle["checkpoint"]["checkpoint_id"]}
    assert http.post(f"/threads/{thread}/runs/wait", json=legacy).json() == {"steps": ["a", "b", "c"]}
    with_input = client.runs.wait(thread, "three_nodes", input={"steps": ["x"]}, checkpoint=middle["checkpoint"])
    assert with_input == {"steps": ["a", "b", "x", "a", "b", "c"]}
    by_config = {"configurable": {"checkpoint_id": middle["checkpoint"]["checkpoint_id"]}}
    forked = client.runs.wait(thread, "three_nodes", input=None, config=by_config)  # type: ignore[arg-type]
    assert forked == {"steps": ["a", "b", "c"]}
    before = client.threads.get_history(thread, limit=100)
    unknown = {"checkpoint_id": "1f000000-0000-6000-8000-000000000000"}
    for given in ({"checkpoint": unknown}, unknown, {"config": {"configurable": unknown}}):
        answer = http.post(f"/threads/{thread}/runs", json={"assistant_id": "three_nodes", **given})
        assert unknown["checkpoint_id"] in problem(answer, 404)["detail"]
    assert client.threads.get_history(thread, limit=100) == before and len(client.runs.list(thread)) == 4


def test_fork_at_a_question(client: SyncLangGraphClient, thread: str) -> None:
    client.runs.wait(thread, "human", input={"topic": "x"})
    place = client.threads.get_state(thread)["checkpoint"]
    assert client.runs.wait(thread, "human", command={"resume": "first"})["answer"] == "first"
    again = client.runs.wait(thread, "human", input=None, checkpoint=place)
    assert again["__interrupt__"] and client.threads.get(thread)["status"] == "interrupted"
    assert client.runs.wait(thread, "human", command={"resume": "second"})["answer"] == "second"


def test_lists_of_runs(http: httpx.Client, client: SyncLangGraphClient, thread: str) -> None:
    client.runs.wait(thread, "three_nodes", input=STEPS)
    client.runs.wait(thread, "raises", input={}, raise_error=False)
    later = client.runs.create(thread, "three_nodes", input=STEPS, after_seconds=LATER)["run_id"]
    runs = client.runs.list(thread)
    assert [run["status"] for run in runs] == ["pending", "error", "success"]
    assert client.runs.list(thread, limit=1) == runs[:1]
    assert client.runs.list(thread, limit=2, offset=1) == runs[1:]
    for run in runs:
        assert client.runs.list(thread, status=run["status"]) == [run]
    chosen = http.get(f"/threads/{thread}/runs", params={"select": ["run_id", "status"], "status": "pending"})
    assert chosen.json() == [{"run_id": later, "status": "pending"}]
    as_json = http.get(f"/threads/{thread}/runs", params={"select": '["run_id"]', "limit": 1})
    assert as_json.json() == [{"run_id": later}]
    for path in (f"/threads/{thread}/runs", "/api/v1/runs"):
        answer = problem(http.get(path, params={"status": "lost", "limit": "x", "offset": -1}), 422)
        assert {error["place"] for error in answer["errors"]} == {"status", "limit", "offset"}
    assert "nothing" in problem(http.get(f"/threads/{thread}/runs", params={"select": "nothing"}), 422)["detail"]
    problem(http.get(f"/threads/{uuid.uuid4()}/runs"), 404)
    client.runs.cancel(thread, later, wait=True)


def test_a_run_is_of_its_thread_only(client: SyncLangGraphClient, thread: str) -> None:
    other = client.threads.create()["thread_id"]
    run = client.runs.create(thread, "three_nodes", input=STEPS)["run_id"]
    for call in (client.runs.get, client.runs.cancel, client.runs.delete, client.runs.join):
        with refused(404):
            call(other, run)
    assert client.runs.join(thread, run) == {"steps": ["a", "b", "c"]}


def test_stateless_runs_may_be_kept(client: SyncLangGraphClient, http: httpx.Client) -> None:
    body = {"assistant_id": "three_nodes", "input": STEPS, "on_completion": "keep"}
    made = http.post("/runs", json=body).json()
    assert client.runs.join(made["thread_id"], made["run_id"]) == {"steps": ["a", "b", "c"]}
    assert client.threads.get(made["thread_id"])["values"] == {"steps": ["a", "b", "c"]}
    assert made["kwargs"]["temporary"] is False
    assert http.post("/runs", json=body | {"on_completion": "delete"}).json()["kwargs"]["temporary"] is True


def test_threads_that_are_not_kept_are_not_listed(client: SyncLangGraphClient, http: httpx.Client) -> None:
    """Nobody made them; one that is paused is listed, as somebody has to answer."""

    def listed(graph: str, **body: Any) -> bool:
        run = http.post("/runs", json={"assistant_id": graph, "input": {"steps": []}, **body}).json()
        client.runs.join(run["thread_id"], run["run_id"])
        assert client.threads.get(run["thread_id"])["thread_id"] == run["thread_id"]
        wanted = {"ids": [run["thread_id"]], "metadata": {"graph_id": graph}}
        found, count = (http.post(f"/threads/{what}", json=wanted).json() for what in ("search", "count"))
        assert len(found) == count
        return bool(found)

    assert not listed("three_nodes")
    assert listed("three_nodes", on_completion="keep")
    assert listed("three_nodes", interrupt_before=["b"])


def test_batches_are_whole_or_not_at_all(client: SyncLangGraphClient, http: httpx.Client) -> None:
    mark = uuid.uuid4().hex
    good = {"assistant_id": "three_nodes", "input": STEPS, "metadata": {"mark": mark}}
    answer = problem(http.post("/runs/batch", json=[good, {"assistant_id": 3}, {"input": 1}, 4]), 422)
    assert [error["place"] for error in answer["errors"]] == ["[1].assistant_id", "[2].assistant_id", "[3]"]
    for wrong in ([], {}, 3):
        problem(http.post("/runs/batch", json=wrong), 422)
    queue = http.get("/metrics", params={"format": "json"}).json()["queue"]
    problem(http.post("/runs/batch", json=[good | {"after_seconds": 600}, good | {"assistant_id": "nobody"}]), 404)
    assert http.get("/metrics", params={"format": "json"}).json()["queue"] == queue
    made = client.runs.create_batch([good, {**good, "assistant_id": "counter", "input": {}}])
    results = [client.runs.join(run["thread_id"], run["run_id"]) for run in made]
    assert results == [{"steps": ["a", "b", "c"]}, {"count": 1}]


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({}, {"assistant_id"}),
        ({"assistant_id": 1, "metadata": [], "config": 3}, {"assistant_id", "metadata", "config"}),
        ({"assistant_id": "agent", "config": {"recursion_limit": 0}}, {"config.recursion_limit"}),
        ({"assistant_id": "agent", "config": {"configurable": 1, "tags": [1]}}, {"config.configurable", "config.tags"}),
        ({"assistant_id": "agent", "stream_mode": ["values", "tokens"]}, {"stream_mode"}),
        ({"assistant_id": "agent", "stream_mode": "feedback"}, {"stream_mode"}),
        ({"assistant_id": "agent", "multitask_strategy": "wait"}, {"multitask_strategy"}),
        ({"assistant_id": "agent", "on_disconnect": "x", "durability": "y"}, {"on_disconnect", "durability"}),
        ({"assistant_id": "agent", "if_not_exists": "x"}, {"if_not_exists"}),
        ({"assistant_id": "agent", "after_seconds": -1}, {"after_seconds"}),
        ({"assistant_id": "agent", "after_seconds": "soon"}, {"after_seconds"}),
        ({"assistant_id": "agent", "command": "resume"}, {"command"}),
        ({"assistant_id": "agent", "command": {"goto": 5, "update": 5}}, {"command.goto", "command.update"}),
        ({"assistant_id": "agent", "command": {"goto": {"node": 5}}}, {"command.goto"}),
        ({"assistant_id": "agent", "command": {"goto": ["agent", {"x": 1}]}}, {"command.goto"}),
        ({"assistant_id": "agent", "command": {"update": [["steps"]]}}, {"command.update"}),
        ({"assistant_id": "agent", "config": {"callbacks": [1], "stuff": 1}}, {"config.callbacks", "config.stuff"}),
        ({"assistant_id": "agent", "config": {"__pregel_resuming": True}}, {"config.__pregel_resuming"}),
        ({"assistant_id": "agent", "config": {"configurable": {"checkpoint_id": 1}}}, {"config.configurable.checkpoint_id"}),
        ({"assistant_id": "agent", "checkpoint": {"thread_id": str(uuid.uuid4())}}, {"checkpoint.thread_id"}),
        ({"assistant_id": "agent", "checkpoint_id": "zz"}, {"checkpoint_id"}),
        ({"assistant_id": "agent", "interrupt_before": [1]}, {"interrupt_before"}),
        ({"assistant_id": "agent", "interrupt_before": ""}, {"interrupt_before"}),
        ({"assistant_id": "agent", "on_completion": 5, "langsmith_tracer": 5}, {"on_completion", "langsmith_tracer"}),
        ({"assistant_id": "agent", "checkpoint": "x"}, {"checkpoint"}),
        ({"assistant_id": "agent", "stream_subgraphs": "maybe"}, {"stream_subgraphs"}),
        ({"assistant_id": "agent", "webhook": "https://example.com/"}, {"webhook"}),
    ],
)
def test_wrong_fields_are_named_and_nothing_runs(
    http: httpx.Client, client: SyncLangGraphClient, thread: str, body: dict[str, Any], places: set[str]
) -> None:
    for path in ("", "/wait", "/stream"):
        answer = problem(http.post(f"/threads/{thread}/runs{path}", json=body), 422)
        assert {error["place"] for error in answer["errors"]} == places
        assert all(place in answer["detail"] for place in places)
    assert client.runs.list(thread) == []


def test_an_unknown_graph_starts_nothing(http: httpx.Client, client: SyncLangGraphClient, thread: str) -> None:
    for assistant in ("nope", str(uuid.uuid4())):
        for path in ("", "/wait", "/stream"):
            answer = problem(http.post(f"/threads/{thread}/runs{path}", json={"assistant_id": assistant}), 404)
            assert f'No assistant found for "{assistant}"' in answer["detail"]
            assert "agent" in answer["detail"] and "three_nodes" in answer["detail"]
    with pytest.raises(httpx.HTTPStatusError):
        list(client.runs.stream(thread, "nope", input=HELLO))
    assert client.runs.list(thread) == []
    missing = str(uuid.uuid4())
    problem(http.post(f"/threads/{missing}/runs", json={"assistant_id": "nope", "if_not_exists": "create"}), 404)
    problem(http.get(f"/threads/{missing}"), 404)
