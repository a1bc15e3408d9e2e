"""Workers that live but do not answer: one that is stopped loses its runs, one that is only busy keeps them."""

from __future__ import annotations

import os
import re
import signal
import time
from typing import Any, NamedTuple

import pytest

from processes import DevServer, MakeProject, WorkerProgram, attempts, until

pytestmark = pytest.mark.waits

BLOCKED_FOR = 60.0
"""Seconds that the interpreter is held at the least, by a single match; aimed at are BLOCK_AIM."""
BLOCK_AIM = 68.0
HOPELESS = "a*a*a*b"
"""The blocker's expression: over n times as many characters a match takes the cube of n times as long."""
PROBE_LENGTH = 1600


class Blocked(NamedTuple):
    server: DevServer
    workers: list[dict[str, Any]]
    thread_id: str
    run_id: str


def length_for(seconds: float) -> int:
    """Over how many characters a match takes this long here, by the processor's time, which is never more than what
    the clock shows and which other processes do not stretch."""
    began = time.process_time()
    assert re.match(HOPELESS, "a" * PROBE_LENGTH) is None
    return round(PROBE_LENGTH * (seconds / (time.process_time() - began)) ** (1 / 3))


@pytest.fixture(scope="module")
def blocked(make_project: MakeProject) -> Blocked:
    """A run that holds its worker's interpreter, on a server of its own, beside the first test. A second worker is
    there to take the run if it became free."""
    project = make_project()
    assert f'"{HOPELESS}"' in (project.path / "blocker.py").read_text()
    server = DevServer(project, "--processes", "2")
    workers = server.wait_workers(2)
    thread_id = server.api.thread()
    run_id = server.api.start(thread_id, "blocker", {"length": length_for(BLOCK_AIM)})
    project.journal.wait(run_id, "block")
    return Blocked(server, workers, thread_id, run_id)


def test_a_paused_worker_is_superseded(blocked: Blocked, make_project: MakeProject) -> None:
    project = make_project()
    journal = project.journal
    server = DevServer(project, "--no-worker")
    api = server.api
    supervisor = WorkerProgram(project, server.url)
    server.wait_workers(1)
    gate = project.gate()
    slow_thread, sync_thread = api.thread(), api.thread()
    slow = api.start(slow_thread, "slow", {"gate": str(gate)})
    sync = api.start(sync_thread, "sync_sleeper", {"gate": str(gate)})
    paused = journal.wait(slow, "second")
    assert journal.wait(sync, "sleep") == paused
    WorkerProgram(project, server.url)
    server.wait_workers(2)

    began = time.monotonic()
    os.kill(paused, signal.SIGSTOP)
    other = journal.wait(slow, "second", times=2)
    took = time.monotonic() - began
    print(f"taken over {took:.3f} s after the stop")
    assert other != paused and 7.9 < took < 20
    journal.wait(sync, "sleep", times=2)
    gate.touch()
    assert api.join(slow_thread, slow)["steps"] == ["first", "second", "third"]
    assert api.join(sync_thread, sync)["woke"] is True

    def everything() -> list[object]:
        runs = [api.run(slow), api.run(sync)]
        threads = [api.history(slow_thread), api.history(sync_thread)]
        frames = [api.frames(slow_thread, slow), api.frames(sync_thread, sync)]
        item = api.get("/store/items", params={"namespace": "late", "key": sync_thread})
        return [runs, threads, frames, item]

    before = everything()
    assert [run["attempt"] for run in before[0]] == [2, 2]  # type: ignore[attr-defined]
    os.kill(paused, signal.SIGCONT)
    # It goes on where it stood until it reads that its runs are another's, and is refused whatever it tries.
    until(
        lambda: paused in journal.pids(sync, "late.refused"),
        lambda: f"the refusal; {journal.entries(sync)}\n{supervisor.output}",
    )
    assert journal.pids(sync, "late.stored") == [other]
    supervisor.wait_output(lambda text: "the session has expired" in text)
    # It serves again, in a session of its own, and what it did for those runs counts for nothing.
    assert {worker["pid"] for worker in server.wait_workers(2)} == {paused, other}
    assert everything() == before
    assert journal.pids(slow, "first") == [paused]


def hold_to_its_end(server: DevServer, thread_id: str, run_id: str) -> dict[str, Any]:
    """The result of a run of the blocker, which was one attempt and executed its node once."""
    server.project.journal.wait(run_id, "block.end", seconds=500)
    result = server.api.join(thread_id, run_id)
    print(f"the interpreter was held for {result['held']:.1f} s")
    run = server.api.run(run_id)
    assert run["status"] == "success" and run["attempt"] == 1 and run["epoch"] == 1
    assert attempts(server.api.frames(thread_id, run_id)) == [1]
    assert server.project.journal.nodes(run_id) == ["block", "block.end"]
    return result


@pytest.mark.timeout(600)
def test_a_node_that_blocks_its_interpreter_for_60_s_keeps_its_lease_and_runs_once(blocked: Blocked) -> None:
    server, workers, thread_id, run_id = blocked
    while (held := hold_to_its_end(server, thread_id, run_id)["held"]) < BLOCKED_FOR:
        # The machine is quicker than when the match was timed: once more, over a longer text.
        length = round(server.api.join(thread_id, run_id)["length"] * (BLOCK_AIM / held) ** (1 / 3))
        thread_id = server.api.thread()
        run_id = server.api.start(thread_id, "blocker", {"length": length})

    def sessions(of: list[dict[str, Any]]) -> set[str]:
        return {worker["session_id"] for worker in of}

    assert sessions(server.wait_workers(2)) == sessions(workers)
