"""The example project, as somebody who tries it meets it."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.client import SyncLangGraphClient

from processes import Server

ASK = {"messages": [{"role": "user", "content": "Book me a flight from Berlin to Paris on friday, the cheapest"}]}


@pytest.fixture(scope="module")
def travel(make_server: Any) -> SyncLangGraphClient:
    server: Server = make_server("../examples/approval-agent", OPENAI_API_KEY="")
    return get_sync_client(url=server.url)


def texts(values: Any, kind: str) -> list[str]:
    return [m["content"] for m in values["messages"] if m["type"] == kind]


@pytest.mark.oldest
def test_tokens_tools_question_and_answer(travel: SyncLangGraphClient) -> None:
    thread = travel.threads.create()["thread_id"]
    parts = list(travel.runs.stream(thread, "agent", input=ASK, stream_mode=["messages-tuple", "updates"]))
    assert parts[0].event == "metadata" and {p.event for p in parts} == {"metadata", "messages", "updates"}
    tokens = [p.data[0]["content"] for p in parts if p.event == "messages" and p.data[0]["type"] == "AIMessageChunk"]
    assert len([t for t in tokens if t]) > 10
    assert "Let me look for flights from Berlin to Paris." in "".join(tokens)
    steps = [list(p.data)[0] for p in parts if p.event == "updates"]
    assert steps == ["agent", "tools", "agent", "__interrupt__"]
    state = travel.threads.get_state(thread)
    question = state["interrupts"][0]["value"]  # type: ignore[typeddict-item]
    assert (question["action"], question["args"]["destination"], state["next"]) == ("book_flight", "Paris", ["approve"])
    assert travel.threads.get(thread)["status"] == "interrupted"

    done = travel.runs.wait(thread, "agent", command={"resume": {"approved": True, "args": {"passengers": 2}}})
    assert texts(done, "ai")[-1].startswith("Done: 2 seats on ")
    assert len(texts(done, "tool")) == 2 and travel.threads.get(thread)["status"] == "idle"


@pytest.mark.oldest
def test_declining_and_asking_again(travel: SyncLangGraphClient) -> None:
    thread = travel.threads.create()["thread_id"]
    travel.runs.wait(thread, "agent", input=ASK)
    declined = travel.runs.wait(thread, "agent", command={"resume": {"approved": False, "reason": "too early"}})
    assert "Nothing was booked" in texts(declined, "ai")[-1] and "too early" in texts(declined, "ai")[-1]
    again = {"messages": [{"role": "user", "content": "Then to Rome on monday, the latest"}]}
    asked = travel.runs.wait(thread, "agent", input=again)
    assert asked["__interrupt__"][0]["value"]["args"]["destination"] == "Rome"
    done = travel.runs.wait(thread, "agent", command={"resume": "yes"})
    assert texts(done, "ai")[-1].startswith("Done: 1 seat on ")


def test_time_travel(travel: SyncLangGraphClient) -> None:
    thread = travel.threads.create()["thread_id"]
    travel.runs.wait(thread, "agent", input=ASK)
    asked = travel.threads.get_state(thread)
    travel.runs.wait(thread, "agent", command={"resume": "no"})
    travel.runs.wait(thread, "agent", input=None, checkpoint=asked["checkpoint"])
    done = travel.runs.wait(thread, "agent", command={"resume": "yes"})
    assert texts(done, "ai")[-1].startswith("Done: 1 seat on ")
    assert travel.assistants.search(graph_id="agent")[0]["description"].startswith("Finds flights")
