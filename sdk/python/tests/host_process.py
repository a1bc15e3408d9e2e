"""The worker as a process of its own, with a small graph, against the protocol double."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    if state["mode"].startswith("async"):
        give_up(state["mode"])
    if state["mode"].startswith("task"):
        await asyncio.create_task(asyncio.to_thread(give_up, state["mode"]))
    return {"log": ["second"]}

class Stop(BaseException):
    pass

def give_up(mode):
    raise {
        "exit": SystemExit(3),
        "interrupt": KeyboardInterrupt("by hand"),
        "own": Stop("enough"),
        "cancelled": asyncio.CancelledError("no more"),
        "closed": GeneratorExit("closed"),
    }[mode.split()[1]]

def stuck(state):
    if state["mode"].startswith("sync"):
        give_up(state["mode"])
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


Start = Callable[..., Process]


def run(server: ServerDouble, mode: str, **fields: Any) -> OwnerState:
    lease = {
        "input": {"log": [], "mode": mode},
        "stream_modes": ["values", "updates"],
        "subgraphs": False,
        "durability": "async",
        "context": None,
        "interrupt_before": None,
        "interrupt_after": None,
        "temporary": False,
        "assistant_id": str(uuid.uuid4()),
    }
    return server.lease(**{**lease, **fields})


def events_of(owner: OwnerState) -> list[str]:
    return [event for m in owner.applied if m["type"] == "frames" for event, _ in m["frames"]]


def cancel(server: ServerDouble, owner: OwnerState) -> None:
    (key,) = [key for key, state in server.owners.items() if state is owner]
    server.send({"type": "cancel", "owner": key[0], "epoch": key[1], "action": "interrupt"})
