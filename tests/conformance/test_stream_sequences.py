"""What each kind of graph streams, frame by frame."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from langgraph_sdk.client import SyncLangGraphClient

from answers import HELLO, names, of, stream


def content(frames: list[Any]) -> list[tuple[str, Any]]:
    """The events and data after the metadata frame, of which there is one."""
    assert names(frames).count("metadata") == 1 and frames[0][1] == "metadata"
    assert [frame[0] for frame in frames] == [str(n) for n in range(len(frames))]
    return [(event, data) for _, event, data in frames[1:]]


def test_values_and_updates_of_a_step(http: httpx.Client, thread: str) -> None:
    _, frames = stream(http, thread, assistant_id="three_nodes", input={"steps": []}, stream_mode=["values", "updates"])
    assert content(frames) == [
        ("values", {"steps": []}),
        ("updates", {"a": {"steps": ["a"]}}),
        ("values", {"steps": ["a"]}),
        ("updates", {"b": {"steps": ["b"]}}),
        ("values", {"steps": ["a", "b"]}),
        ("updates", {"c": {"steps": ["c"]}}),
        ("values", {"steps": ["a", "b", "c"]}),
    ]


@pytest.mark.oldest
def test_interrupt_and_its_answer(http: httpx.Client, thread: str) -> None:
    both = ["values", "updates"]
    _, asked = stream(http, thread, assistant_id="human", input={"topic": "x"}, stream_mode=both)
    plan = {"topic": "x", "plan": "a plan for x"}
    (question,) = of(asked, "updates")[-1]["__interrupt__"]
    assert question["value"] == {"question": "Is this plan good?", "plan": "a plan for x"}
    assert len(question["id"]) == 32 and int(question["id"], 16) >= 0
    assert content(asked)[:4] == [
        ("values", {"topic": "x"}),
        ("updates", {"plan": {"plan": "a plan for x"}}),
        ("values", plan),
        ("updates", {"__interrupt__": [question]}),
    ]
    record = http.get(f"/threads/{thread}").json()
    state = http.get(f"/threads/{thread}/state").json()
    assert record["interrupts"] == {state["tasks"][0]["id"]: [question]}
    assert (record["status"], record["values"]) == ("interrupted", plan)
    assert (state["interrupts"], state["next"]) == ([question], ["review"])

    _, answered = stream(http, thread, assistant_id="human", input=None, command={"resume": "ok"}, stream_mode=both)
    assert content(answered) == [
        ("values", plan),
        ("updates", {"review": {"answer": "ok"}}),
        ("values", plan | {"answer": "ok"}),
        ("updates", {"done": {"result": "a plan for x: ok"}}),
        ("values", plan | {"answer": "ok", "result": "a plan for x: ok"}),
    ]


def test_static_breakpoint(http: httpx.Client, thread: str) -> None:
    body: dict[str, Any] = {"assistant_id": "three_nodes", "interrupt_before": ["b"]}
    _, frames = stream(http, thread, **body, input={"steps": []}, stream_mode=["values"])
    assert of(frames, "values") == [{"steps": []}, {"steps": ["a"]}]
    _, frames = stream(http, thread, assistant_id="three_nodes", input=None, stream_mode=["updates"], interrupt_after="*")
    assert content(frames) == [("updates", {"b": {"steps": ["b"]}}), ("updates", {"__interrupt__": []})]


def test_subgraph_frames(http: httpx.Client, thread: str) -> None:
    body: dict[str, Any] = {"assistant_id": "subgraph", "stream_mode": ["values", "updates", "custom"]}
    _, frames = stream(http, thread, **body, input={"ask": True}, stream_subgraphs=True)
    task = http.get(f"/threads/{thread}/state").json()["tasks"][0]
    inner = f"child:{task['id']}"
    assert task["checkpoint"] == {"thread_id": thread, "checkpoint_ns": inner}
    step = [f"updates|{inner}", f"values|{inner}"]
    assert names(frames) == [
        *("metadata", "values", "updates", "values"),
        *(f"values|{inner}", f"custom|{inner}", *step, *step),
        *("updates", "values"),
    ]
    assert of(frames, f"custom|{inner}") == [{"node": "child_work"}]
    assert of(frames, "updates")[-1]["__interrupt__"] == task["interrupts"]

    _, rest = stream(http, thread, **body, input=None, command={"resume": "yes"}, stream_subgraphs=True)
    assert names(rest) == ["metadata", "values", f"values|{inner}", *step, "updates", "values", "updates", "values"]
    assert of(rest, f"updates|{inner}") == [{"child_ask": {"answer": "yes", "steps": ["child_ask:yes"]}}]
    assert of(rest, "values")[-1]["steps"] == ["before", "child_work", "child_ask:yes", "after"]


def test_frames_of_subgraphs_only_when_asked_for(http: httpx.Client, thread: str) -> None:
    modes = ["values", "updates", "custom", "messages-tuple", "tasks", "checkpoints", "debug"]
    _, frames = stream(http, thread, assistant_id="subgraph", input={}, stream_mode=modes)
    assert not [name for name in names(frames) if "|" in name]
    assert [list(data) for data in of(frames, "updates")] == [["before"], ["child"], ["after"]]


@pytest.mark.oldest
def test_tasks_and_checkpoints(http: httpx.Client, thread: str) -> None:
    _, frames = stream(
        http, thread, assistant_id="three_nodes", input={"steps": []}, stream_mode=["tasks", "checkpoints"]
    )
    assert names(frames)[1:] == ["checkpoints", "checkpoints"] + ["tasks", "tasks", "checkpoints"] * 3
    places = [(c["metadata"]["source"], c["metadata"]["step"], c["next"]) for c in of(frames, "checkpoints")]
    assert places == [
        ("input", -1, ["__start__"]),
        ("loop", 0, ["a"]),
        ("loop", 1, ["b"]),
        ("loop", 2, ["c"]),
        ("loop", 3, []),
    ]
    assert [c["values"]["steps"] for c in of(frames, "checkpoints")] == [[], [], ["a"], ["a", "b"], ["a", "b", "c"]]
    starts, ends = of(frames, "tasks")[::2], of(frames, "tasks")[1::2]
    assert [(t["name"], t["triggers"]) for t in starts] == [(n, [f"branch:to:{n}"]) for n in "abc"]
    assert [t["input"] for t in starts] == [{"steps": []}, {"steps": ["a"]}, {"steps": ["a", "b"]}]
    assert [(t["id"], t["error"], t["interrupts"]) for t in ends] == [(t["id"], None, []) for t in starts]
    assert [t["result"] for t in ends] == [{"steps": [n]} for n in "abc"]


def test_debug_equals_history(http: httpx.Client, client: SyncLangGraphClient, thread: str) -> None:
    _, frames = stream(http, thread, assistant_id="three_nodes", input={"steps": []}, stream_mode=["debug"])
    kinds = [data["type"] for data in of(frames, "debug")]
    assert kinds == ["checkpoint", "checkpoint"] + ["task", "task_result", "checkpoint"] * 3
    history = client.threads.get_history(thread)

    def shown(frames: list[Any]) -> list[Any]:
        return [
            (d["step"], p["checkpoint"], p["parent_checkpoint"], p["values"], p["next"])
            for d in of(frames, "debug")
            if d["type"] == "checkpoint" and (p := d["payload"])
        ]

    def kept(states: list[Any]) -> list[Any]:
        return [
            (s["metadata"]["step"], s["checkpoint"], s["parent_checkpoint"], s["values"], s["next"]) for s in reversed(states)
        ]

    assert shown(frames) == kept(history)
    assert "__pregel_" not in str(frames)

    middle = next(s for s in history if s["next"] == ["b"])
    _, again = stream(
        http, thread, assistant_id="three_nodes", input=None, stream_mode=["debug"], checkpoint=middle["checkpoint"]
    )
    fresh = [s for s in client.threads.get_history(thread, limit=20) if s not in history]
    assert fresh and [s for s in shown(again) if s[1] != middle["checkpoint"]] == kept(fresh)


def test_message_sequence(http: httpx.Client, thread: str) -> None:
    _, frames = stream(http, thread, stream_mode=["messages"])
    order = [name.removeprefix("messages/") for name in names(frames)]
    squeezed = [name for n, name in enumerate(order) if n == 0 or order[n - 1] != name]
    spoken = ["metadata", "partial", "complete"]
    assert squeezed == ["metadata", "complete", *spoken, "metadata", "complete", *spoken]
    partial = [data[0] for data in of(frames, "messages/partial")]
    assert [m["content"] for m in partial if m["content"]][:5] == ["b", "be", "beg", "begi", "begin"]
    assert partial[-1]["content"] == "end"
    assert [m["content"] for data in of(frames, "messages/complete") for m in data] == ["hi", "begin", "tool_call__begin", "end"]
    told = [key for data in of(frames, "messages/metadata") for key in data]
    assert told[0] == partial[0]["id"] and told[2] == partial[-1]["id"] and len(told) == 3


def test_messages_beside_values_end_with_the_message(http: httpx.Client, thread: str) -> None:
    _, frames = stream(http, thread, stream_mode=["messages", "values"])
    assert set(names(frames)) == {"metadata", "values", "messages/metadata", "messages/partial", "messages/complete"}
    assert names(frames)[-1] == "messages/complete" and names(frames).count("values") == 4


@pytest.mark.oldest
def test_message_tuples_tell_of_their_run(http: httpx.Client, thread: str) -> None:
    _, frames = stream(http, thread, stream_mode=["messages-tuple"], metadata={"mine": "yes"}, config={"metadata": {"its": 1}})
    run = frames[0][2]["run_id"]
    characters = [m["content"] for m, _ in of(frames, "messages") if m["type"] == "AIMessageChunk" and m["content"]]
    assert characters == list("beginend")
    assert [m["content"] for m, _ in of(frames, "messages") if m["type"] == "tool"] == ["tool_call__begin"]
    for _, metadata in of(frames, "messages"):
        assert (metadata["run_id"], metadata["thread_id"], metadata["graph_id"]) == (run, thread, "agent")
        assert (metadata["mine"], metadata["its"], metadata["run_attempt"]) == ("yes", 1, 1)
    nodes = [(metadata["langgraph_node"], metadata["langgraph_step"]) for _, metadata in of(frames, "messages")]
    assert sorted(set(nodes)) == [("agent", 1), ("agent", 3), ("tool", 2)]


def test_event_records(http: httpx.Client, thread: str) -> None:
    _, frames = stream(http, thread, stream_mode=["events"])
    assert set(names(frames)) == {"metadata", "events"}
    events = of(frames, "events")
    assert {e["event"] for e in events} == {
        "on_chain_start",
        "on_chain_stream",
        "on_chain_end",
        "on_chat_model_start",
        "on_chat_model_stream",
        "on_chat_model_end",
    }
    assert (events[0]["event"], events[0]["name"], events[0]["parent_ids"]) == ("on_chain_start", "agent", [])
    assert (events[-1]["event"], events[-1]["run_id"]) == ("on_chain_end", events[0]["run_id"])
    assert len(events[-1]["data"]["output"]["messages"]) == 4
    assert "".join(e["data"]["chunk"]["content"] for e in events if e["event"] == "on_chat_model_stream") == "beginend"
    for event in events:
        assert {"event", "name", "run_id", "tags", "metadata", "data", "parent_ids"} <= set(event)


def test_events_beside_other_modes(http: httpx.Client, thread: str) -> None:
    _, frames = stream(
        http, thread, assistant_id="custom_stream", input={"count": 1}, stream_mode=["events", "values", "custom"]
    )
    assert set(names(frames)) == {"metadata", "events", "values", "custom"}
    assert [e["data"] for e in of(frames, "events") if e["event"] == "on_custom_event"] == [{"percent": 100}]
    assert of(frames, "values")[-1] == {"count": 1, "done": True}
    assert of(frames, "custom") == [{"from": "sync", "index": 0}, {"from": "async", "index": 0}, "plain text ✓"]


@pytest.mark.oldest
def test_custom_parts(http: httpx.Client, thread: str) -> None:
    _, frames = stream(http, thread, assistant_id="custom_stream", input={"count": 3}, stream_mode=["custom"])
    parts = [{"from": kind, "index": index} for kind in ("sync", "async") for index in range(3)]
    assert content(frames) == [("custom", part) for part in [*parts, "plain text ✓"]]


@pytest.mark.oldest
def test_error_after_its_step(http: httpx.Client, thread: str) -> None:
    _, frames = stream(http, thread, assistant_id="raises", input={}, stream_mode=["updates"])
    assert content(frames) == [
        ("updates", {"prepare": {"prepared": True}}),
        ("error", {"error": "CustomError", "message": "Boo!"}),
    ]
    record = http.get(f"/threads/{thread}").json()
    assert (record["status"], record["values"]) == ("error", {"prepared": True})
    assert record["error"] == {"error": "CustomError", "message": "Boo!"}
    assert http.get(f"/threads/{thread}/state").json()["next"] == ["fail"]


def test_recursion_limit(http: httpx.Client, thread: str) -> None:
    _, frames = stream(
        http, thread, assistant_id="recursion", input={}, config={"recursion_limit": 2}, stream_mode=["values"]
    )
    assert of(frames, "values") == [{"count": 1}, {"count": 2}]
    assert frames[-1][1] == "error" and frames[-1][2]["error"] == "GraphRecursionError"


def test_sends(http: httpx.Client, thread: str) -> None:
    _, frames = stream(http, thread, assistant_id="sends", input={"items": [1, 2, 3]}, stream_mode=["updates", "values"])
    works = [data["work"]["results"][0] for data in of(frames, "updates") if "work" in data]
    assert sorted(works) == [1, 4, 9]
    assert names(frames)[1:] == ["values", "updates", "updates", "updates", "values", "updates", "values"]
    assert of(frames, "values")[-1] == {"items": [1, 2, 3], "results": [1, 4, 9], "total": 14}


def test_only_asked_modes_are_sent(http: httpx.Client, thread: str) -> None:
    for mode in ("values", "updates", "custom", "tasks", "checkpoints", "debug", "events"):
        _, frames = stream(http, thread, input=HELLO, stream_mode=mode)
        wanted = {"metadata"} if mode == "custom" else {"metadata", mode}
        assert set(names(frames)) == wanted, mode


def test_stateless_stream(http: httpx.Client) -> None:
    headers, frames = stream(http, None, assistant_id="three_nodes", input={"steps": []}, stream_mode=["updates"])
    run = frames[0][2]["run_id"]
    assert headers["content-location"] == f"/runs/{run}"
    assert headers["location"].endswith(f"/runs/{run}/stream")
    assert content(frames) == [("updates", {n: {"steps": [n]}}) for n in "abc"]
