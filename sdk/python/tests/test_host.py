"""The worker as a process, against the protocol double."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from duragraph_host import versions
from server_double import TOKEN, OwnerState, ServerDouble

SDK = Path(__file__).resolve().parent.parent

AGENT = """
import asyncio, operator, sys, time, threading
from typing import Annotated
from typing_extensions import TypedDict
from langgraph.graph import StateGraph, START, END
from langgraph.store.base import BaseStore
from langgraph.types import interrupt

class State(TypedDict):
    log: Annotated[list, operator.add]
    mode: str

def first(state, *, store: BaseStore):
    print("in first")
    store.put(("seen",), "first", {"ok": True})
    return {"log": ["first"]}

async def second(state):
    if state["mode"] == "ask":
        return {"log": [interrupt("who?")]}
    if state["mode"] == "raise":
        raise ValueError("no luck")
    if state["mode"] == "sleep":
        await asyncio.sleep(600)
    return {"log": ["second"]}

def stuck(state):
    if state["mode"] == "stuck":
        time.sleep(600)
    return {"log": [sys.stdin.read()]} if state["mode"] == "stdin" else {}

builder = StateGraph(State)
builder.add_node("first", first)
builder.add_node("second", second)
builder.add_node("stuck", stuck)
builder.add_edge(START, "first")
builder.add_edge("first", "second")
builder.add_edge("second", "stuck")
builder.add_edge("stuck", END)
graph = builder.compile()
"""


class Process:
    """One worker process with its control and event pipes."""

    def __init__(self, server: ServerDouble, folder: Path, **environment: str) -> None:
        self.events: list[dict[str, Any]] = []
        self.output = ""
        read, write = os.pipe()
        env = {
            **os.environ,
            "PYTHONPATH": str(SDK),
            "DURAGRAPH_URL": server.url,
            "DURAGRAPH_WORKER_TOKEN": TOKEN,
            "DURAGRAPH_SESSION": str(uuid.uuid4()),
            "DURAGRAPH_SESSION_SECRET": "s" * 40,
            "DURAGRAPH_CONFIG": str(folder / "langgraph.json"),
            "DURAGRAPH_SLOTS": "2",
            **environment,
        }
        launch = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3); "
            "os.execv(sys.executable, [sys.executable, '-m', 'duragraph_host'])"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", launch, str(write)],
            env=env,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(write,),
        )
        os.close(write)
        self._threads = [
            threading.Thread(target=self._read_events, args=(read,), daemon=True),
            threading.Thread(target=self._read_output, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _read_events(self, fd: int) -> None:
        with os.fdopen(fd, "rb") as lines:
            for line in lines:
                self.events.append(json.loads(line))

    def _read_output(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line.decode()

    def control(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def orphan(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def end(self, seconds: float = 30) -> int:
        code = self.process.wait(seconds)
        for thread in self._threads:
            thread.join(10)
        return code


@pytest.fixture
def server() -> Iterator[ServerDouble]:
    double = ServerDouble()
    yield double
    double.close()


Start = Callable[..., Process]


@pytest.fixture
def start(server: ServerDouble, tmp_path: Path) -> Iterator[Start]:
    started: list[Process] = []
    (tmp_path / "agent.py").write_text(AGENT)
    (tmp_path / "langgraph.json").write_text(json.dumps({"graphs": {"agent": "./agent.py:graph"}}))

    def begin(wait: bool = True, **environment: str) -> Process:
        process = Process(server, tmp_path, **environment)
        started.append(process)
        if wait:
            server.wait(lambda: server.of("connected"), 60)
        return process

    yield begin
    for process in started:
        if process.process.poll() is None:
            process.process.kill()
        print(process.output)
        process.end()


def run(server: ServerDouble, mode: str, **fields: Any) -> OwnerState:
    return server.lease(
        input={"log": [], "mode": mode},
        stream_modes=["values", "updates"],
        subgraphs=False,
        durability="async",
        context=None,
        interrupt_before=None,
        interrupt_after=None,
        temporary=False,
        assistant_id=str(uuid.uuid4()),
        **fields,
    )


def events_of(owner: OwnerState) -> list[str]:
    return [event for m in owner.applied if m["type"] == "frames" for event, _ in m["frames"]]


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


def cancel(server: ServerDouble, owner: OwnerState) -> None:
    (key,) = [key for key, state in server.owners.items() if state is owner]
    server.send({"type": "cancel", "owner": key[0], "epoch": key[1], "action": "interrupt"})


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
    reloaded = start(wait=False, DURAGRAPH_RELOAD="1")
    assert reloaded.end() == 3
    assert reloaded.events[0]["graph_id"] == "broken" and len(server.of("hello")) == 1


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
