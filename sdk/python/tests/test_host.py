"""The worker as a process, against the protocol double."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from duragraph_host import versions
from host_process import SDK, Start, cancel, events_of, run
from server_double import ServerDouble


def test_a_run_streams_checkpoints_and_completes(server: ServerDouble, start: Start) -> None:
    process = start()
    owner = run(server, "plain")
    server.wait(lambda: owner.status)
    assert owner.status == "success"
    assert events_of(owner).count("updates") == 3 and "values" in events_of(owner)
    checkpoints = [m for m in owner.applied if m["type"] == "checkpoint"]
    assert len(checkpoints) == 5 and all(m["projection"]["tasks"] is not None for m in checkpoints)
    assert checkpoints[-1]["projection"]["values"]["log"] == ["first", "second"]
    assert server.storage.items[(("seen",), "first")]["value"] == {"ok": True}
    hello = server.of("hello")[0]
    assert hello["supervised"] and hello["slots"] == 2 and hello["graphs"] == [{"graph_id": "agent"}]
    assert hello["worker"]["versions"]["langgraph"] and hello["revision"].startswith("content:")
    server.wait(lambda: len(process.events) == 2)
    assert process.events == [{"event": "ready", "graphs": ["agent"]}, {"event": "finished"}]
    process.control('{"cmd": "drain"}')
    assert process.end() == 0
    assert server.of("slots")[-1]["draining"]
    assert "] in first" in process.output


def test_an_interrupted_run_and_its_state(server: ServerDouble, start: Start) -> None:
    start()
    owner = run(server, "ask")
    server.wait(lambda: owner.status)
    assert owner.status == "interrupted"
    place: dict[str, Any] = {"thread_id": owner.thread_id, "graph_id": "agent", "config": {}}
    state = server.ask("get_state", **place, subgraphs=False)["result"]
    assert state["next"] == ["second"] and state["tasks"][0]["interrupts"][0]["value"] == "who?"
    operation = str(uuid.uuid4())
    update: dict[str, Any] = {"values": {"log": ["patched"]}, "as_node": "second"}
    reply = server.ask("update_state", operation=operation, epoch=1, **place, **update)
    assert reply["result"]["checkpoint"]["thread_id"] == owner.thread_id
    assert [m["type"] for m in server.owners[(operation, 1)].applied][-1] in ("checkpoint", "writes")
    again = server.ask("get_state", **place, subgraphs=False)["result"]
    assert again["values"]["log"] == ["first", "patched"] and again["next"] == ["stuck"]
    schemas = server.ask("schemas", graph_id="agent", config={})["result"]
    assert schemas["graph_id"] == "agent" and "log" in schemas["state_schema"]["properties"]
    assert server.ask("graph", graph_id="agent", config={}, xray=False)["result"]["nodes"]
    assert server.ask("schemas", graph_id="other", config={})["error"]["code"] == "not_found"
    assert server.ask("dance")["error"]["code"] == "invalid_argument"


def test_an_error_of_the_graph_is_the_runs(server: ServerDouble, start: Start) -> None:
    start()
    owner = run(server, "raise")
    server.wait(lambda: owner.status)
    error = owner.applied[-1]["error"]
    assert owner.status == "error" and (error["error"], error["message"]) == ("ValueError", "no luck")
    other = server.lease(graph_id="other")
    server.wait(lambda: other.status)
    assert other.status == "error"


def test_cancel_stops_an_async_node(server: ServerDouble, start: Start) -> None:
    start()
    owner = run(server, "sleep")
    server.wait(lambda: "updates" in events_of(owner))
    cancel(server, owner)
    server.wait(lambda: owner.status, 3)
    assert owner.status == "cancelled"


def test_a_run_cancelled_as_it_comes_completes_at_once(server: ServerDouble, start: Start) -> None:
    start()
    for _ in range(5):
        owner = run(server, "sleep")
        cancel(server, owner)
        server.wait(lambda: owner.status, 3)
        assert owner.status == "cancelled"


def test_a_stuck_thread_keeps_its_slot_and_too_many_end_the_process(
    server: ServerDouble, start: Start
) -> None:
    process = start()
    first, second = run(server, "stuck"), run(server, "stuck")
    for owner in (first, second):
        server.wait(lambda: events_of(owner).count("updates") == 2)
    cancel(server, first)
    server.wait(lambda: first.status, 6)
    assert first.status == "cancelled"
    server.wait(lambda: server.of("slots"))
    assert server.of("slots")[-1] == {"type": "slots", "slots": 1, "draining": False}
    cancel(server, second)
    server.wait(lambda: second.status, 6)
    assert process.end() == 75
    assert server.of("slots")[-1]["draining"]


def test_a_superseded_run_stops_and_says_nothing_more(server: ServerDouble, start: Start) -> None:
    process = start()
    owner = run(server, "sleep")
    server.wait(lambda: "updates" in events_of(owner))
    (key,) = server.owners
    owner.state = "superseded"
    server.send({"type": "superseded", "owner": key[0], "epoch": key[1], "reason": "lost"})
    process.control('{"cmd": "drain"}')
    assert process.end() == 0
    assert owner.status is None


def test_an_orphan_finishes_its_run_and_ends(server: ServerDouble, start: Start) -> None:
    process = start()
    owner = run(server, "sleep")
    server.wait(lambda: "updates" in events_of(owner))
    process.orphan()
    server.wait(lambda: [m for m in server.of("slots") if m["draining"]])
    assert process.process.poll() is None
    cancel(server, owner)
    assert process.end() == 0 and owner.status == "cancelled"


def test_an_orphan_with_an_expired_session_ends(server: ServerDouble, start: Start) -> None:
    process = start()
    owner = run(server, "sleep")
    server.wait(lambda: "updates" in events_of(owner))
    process.orphan()
    server.wait(lambda: [m for m in server.of("slots") if m["draining"]])
    server.close_worker(4409, "expired")
    assert process.end() == 0


def test_sigterm_drains(server: ServerDouble, start: Start) -> None:
    process = start()
    process.process.send_signal(signal.SIGTERM)
    assert process.end() == 0


def test_user_code_reads_an_empty_input(server: ServerDouble, start: Start) -> None:
    start()
    owner = run(server, "stdin")
    server.wait(lambda: owner.status)
    assert owner.status == "success"


def test_a_broken_graph_is_told_and_the_others_serve(
    server: ServerDouble, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "broken.py").write_text("import nothing_like_this\n")
    graphs = {"agent": "./agent.py:graph", "broken": "./broken.py:graph"}
    (tmp_path / "langgraph.json").write_text(json.dumps({"graphs": graphs}))
    process = start()
    broken = {g["graph_id"]: g for g in server.of("hello")[0]["graphs"]}["broken"]
    assert broken["error"]["error"] == "ModuleNotFoundError" and broken["error"]["line"] == 1
    owner = run(server, "plain")
    server.wait(lambda: owner.status)
    assert process.events[0]["event"] == "broken" and process.events[0]["file"] == "broken.py"
    bad = server.lease(graph_id="broken")
    server.wait(lambda: bad.status)
    assert bad.status == "error"
    assert process.events[1] == {"event": "ready", "graphs": ["agent"]}
    assert "cannot be imported" not in process.output


def test_a_refused_session_ends_the_process(server: ServerDouble, start: Start) -> None:
    server.refuse_code = 4403
    process = start(wait=False)
    assert process.end() == 1
    assert "secret" in process.output


def test_old_libraries_are_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert versions.complaint() is None
    monkeypatch.setattr(
        versions, "_installed", lambda package: "0.6.11" if package == "langgraph" else "15.0"
    )
    pip = f"{sys.executable} -m pip install"
    assert (versions.complaint() or "").endswith(f" upgrade it with: {pip} -U langgraph")
    monkeypatch.setattr(versions, "_installed", lambda package: "1.2" if package == "langgraph" else None)
    assert (versions.complaint() or "").endswith(f" install it with: {pip} websockets")
    monkeypatch.setattr(versions, "_installed", lambda package: None)
    assert versions.complaint() == f"langgraph is not installed; install it with: {pip} langgraph"
    monkeypatch.setattr(sys, "executable", "/a folder/python")
    assert "'/a folder/python' -m pip install langgraph" in (versions.complaint() or "")
    monkeypatch.setattr(versions, "MIN_PYTHON", (99, 0))
    assert "is too old, 99.0 is the oldest" in (versions.complaint() or "")


def test_what_makes_it_unusable_is_said_once(server: ServerDouble, start: Start) -> None:
    """By the supervisor that listens, which knows what it said before; on standard error where there is none."""
    process = start(wait=False, DURAGRAPH_SLOTS="many")
    assert process.end() == 2
    problem = "DURAGRAPH_SLOTS is 'many', which is not a positive number"
    assert process.events == [{"event": "unusable", "message": problem}] and process.output == ""
    missing = start(wait=False, DURAGRAPH_CONFIG="/nowhere/langgraph.json")
    assert missing.end() == 2
    assert [event["event"] for event in missing.events] == ["unusable"] and missing.output == ""
    alone = subprocess.run(
        [sys.executable, "-m", "duragraph_host"],
        env={**os.environ, "PYTHONPATH": str(SDK), "DURAGRAPH_URL": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert alone.returncode == 2 and alone.stderr.startswith("duragraph: DURAGRAPH_URL")
