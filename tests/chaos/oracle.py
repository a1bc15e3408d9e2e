"""What must hold when a storm is over and everything has come to rest."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from client import Client
from journal import GUARD, Asked, Execution, Journal
from processes import Frame, until
from readers import Reader

ATTEMPTS = 5
"""After so many lost workers a run fails."""
TERMINAL = ("RunCompleted", "RunFailed", "RunCancelled", "RunTimedOut")


class Oracle:
    """Asks the server that has survived, and holds it against the journals."""

    def __init__(self, url: str, journal: Journal, *, loses_wakeups: bool) -> None:
        """`loses_wakeups` where whoever would have woken somebody may die before it does."""
        self._loses_wakeups = loses_wakeups
        self._client = Client("oracle", url, journal, "", lambda: None)
        self._journal = journal

    def wait_idle(self) -> None:
        def active() -> list[Any]:
            return [run for status in ("pending", "running") for run in self._get("/api/v1/runs", status=status)]

        until(lambda: not active(), lambda: f"the end of {[run['run_id'] for run in active()]}", GUARD)

    def judge(self) -> None:
        """Appends to the journal's failures."""
        found = {run["run_id"]: run for run in self._pages("/api/v1/runs")}
        self._nothing_is_left_over(found)
        for run in self._journal.runs:
            try:
                self._run(run, found.get(run.run_id))
            except AssertionError as error:
                self._journal.fail("oracle", f"{run}: {error}")
        for run in {run.thread_id: run for run in self._journal.runs}.values():
            try:
                self._thread(run)
            except AssertionError as error:
                self._journal.fail("oracle", f"{run}: {error}")
        self._executions()
        if not self._loses_wakeups:
            self._nobody_was_forgotten()

    def _nobody_was_forgotten(self) -> None:
        """Every run was begun by whoever woke it, none by the sweep for lost wake-ups."""
        answer = self._client.sure("GET", "/metrics")
        caught = [line for line in answer.text.splitlines() if line.startswith("duragraph_safety_net_total")]
        if not caught or any(float(line.split()[-1]) > 0 for line in caught):
            self._journal.fail("oracle", f"wake-ups were lost: {caught}")

    def _nothing_is_left_over(self, found: dict[str, Any]) -> None:
        """Every run is one that a client knows, exactly once; what was not there once stays away."""
        owners = {run.tokens[-1]: run for run in self._journal.runs}
        assert len(owners) == len(self._journal.runs)
        temporary: set[str] = set()  # threads that the server keeps for a while after their end
        for run_id, run in found.items():
            token = run["metadata"].get("token")
            asked = owners.get(token)
            if token in self._journal.temporary:
                temporary.add(run["thread_id"])
            elif asked is None:
                why = "was not there before" if token in self._journal.lost else "nobody knows it"
                self._journal.fail("oracle", f"run {run_id} of {token}: {why}")
            elif asked.run_id != run_id:
                self._journal.fail("oracle", f"{asked} exists a second time: {run_id}")
        threads = {thread["thread_id"] for thread in self._search_threads()} - temporary
        if threads != self._journal.threads:
            self._journal.fail("oracle", f"other threads than were made: {threads ^ self._journal.threads}")

    def _run(self, run: Asked, found: dict[str, Any] | None) -> None:
        state = found["state"] if found else "deleted"
        run.state = state
        lost = bool(found and state == "failed" and found["error"]["error"] == "WorkerLost")
        assert state in run.states or lost, f"is {state}, not {set(run.states)}"
        assert not lost or (found and found["attempt"] == ATTEMPTS), f"was given up after {found}"
        if state == "completed":
            self._ends(run)
        frames = self._frames(run) if found else None
        for reader in run.readers:
            reader.wait_end()
            assert_frames(reader.frames, frames)
        if found and frames:
            told = [data["attempt"] for _, event, data in frames if event == "metadata"]
            assert told == list(range(1, max(found["attempt"], 1) + 1)), f"attempts {told} of {found['attempt']}"
            assert_said_once(frames)

    def _ends(self, run: Asked) -> None:
        """Everybody who waited was told the same, and is told so now. A question is gone when it is answered."""
        told = [values for _, values in run.ends if "__interrupt__" not in values]
        if told:
            told.append(self._get(f"{run.path}/join"))
            assert all(values == told[0] for values in told), f"different ends: {told}"

    def _frames(self, run: Asked) -> list[Frame]:
        reader = Reader("oracle", self._client.url, self._journal, run, None, None)
        reader.wait_end()
        assert_frames(reader.frames, None)
        return reader.frames

    def _thread(self, run: Asked) -> None:
        """The state of a thread is what the newest of its runs was told to have come to."""
        values = self._get(f"/threads/{run.thread_id}/state")["values"]
        if run.state == "completed" and run.ends:
            assert values == run.ends[-1][1], f"the thread's values are {values}, not {run.ends[-1][1]}"

    def _executions(self) -> None:
        lines: dict[str, list[Execution]] = defaultdict(list)
        begun = set(self._journal.by_hand)
        for execution in self._journal.executions():
            lines[execution.run].append(execution)
            begun.add(f"{execution.node}:{execution.name}")
        for run in self._journal.runs:
            try:
                assert_executions(run, lines[run.run_id])
                for _, values in run.ends:
                    unknown = [step for step in values.get("steps", []) if step not in begun]
                    assert not unknown, f"steps that were not executed: {unknown}"
            except AssertionError as error:
                self._journal.fail("oracle", f"{run}: {error}")

    def _pages(self, path: str) -> list[Any]:
        rows: list[Any] = []
        while page := self._get(path, limit=500, offset=len(rows)):
            rows += page
        return rows

    def _search_threads(self) -> list[Any]:
        rows: list[Any] = []
        while True:
            page = self._client.sure("POST", "/threads/search", json={"limit": 500, "offset": len(rows)}).json()
            if not page:
                return rows
            rows += page

    def _get(self, path: str, **query: Any) -> Any:
        return self._client.sure("GET", path, params=query).json()


def assert_frames(frames: list[Frame], whole: list[Frame] | None) -> None:
    """The frames of all connections together are numbered without a gap or a repetition, and are those of a fresh
    read, where there is one to compare with."""
    numbers = [frame[0] for frame in frames]
    assert numbers == [str(n) for n in range(len(frames))], f"a reader got the frames {numbers}"
    if whole is not None and frames != whole:
        differ = next((pair for pair in zip(frames, whole, strict=False) if pair[0] != pair[1]), None)
        raise AssertionError(f"a reader got {len(frames)} frames of {len(whole)}; other than stored: {differ}")


def assert_said_once(frames: list[Frame]) -> None:
    """What the nodes of these graphs write themselves differs within an attempt."""
    said: Counter[str] = Counter()
    for _, event, data in frames:
        if event == "metadata":
            said.clear()
        elif event == "custom":
            said[str(data)] += 1
    assert max(said.values(), default=0) < 2, f"an attempt has said something again: {said.most_common(3)}"


def assert_executions(run: Asked, lines: list[Execution]) -> None:
    """What was committed is not executed again.

    - Within one attempt each task begins once.
    - What a client saw in a checkpoint is not begun by an attempt that is made later.
    - With durability "sync" a node that begins says that the steps before it are committed: no later attempt
      begins them.
    - Once an end was answered no further attempt is made, and the last one executes nothing more.
    - What the newest attempt executed is in the end: it is no other's who had lost the run.
    - A step that cannot end has none after it.
    - Nothing begins before it was asked for.

    An attempt that is made later has a higher number than those that had begun: a worker that was stopped may begin
    one that has been another's long since.
    """
    early = [x for x in lines if x.at < run.due and x.time < run.due_time]
    assert not early, f"was due at {run.due}, and before: {early}"
    for (attempt, task), n in Counter((line.attempt, line.task) for line in lines).items():
        assert n == 1, f"attempt {attempt} has begun {task} {n} times"
    began = {a: min(line.place for line in of) for a, of in _by_attempt(lines)}
    by_name = {line.name: line for line in lines}

    def made_later(place: int) -> list[Execution]:
        newest = max((attempt for attempt, at in began.items() if at <= place), default=0)
        return [line for line in lines if line.attempt > newest]

    for place, name in run.durable:
        if name in by_name:
            again = [x for x in made_later(place) if x.step <= by_name[name].step]
            assert not again, f"{by_name[name]} was in a checkpoint at {place}, and again: {again}"
    if run.body["durability"] == "sync":
        for attempt, of in _by_attempt(lines):
            newest = max(line.step for line in of)
            again = [x for x in lines if x.attempt > attempt and x.step < newest]
            assert not again, f"attempt {attempt} has begun step {newest}, and again: {again}"
    ends = [place for place, _ in run.ends] + ([] if run.stopped is None else [run.stopped])
    for place in ends:
        late = made_later(place)
        assert not late, f"was over at {place}, and then: {late}"
    if run.ends:
        last = max(began, default=0)
        late = [x for x in lines if x.attempt == last and x.place > run.ends[0][0]]
        assert not late, f"the end was told at {run.ends[0][0]}, and then: {late}"
        values = run.ends[0][1]
        if run.state == "completed" and "__interrupt__" not in values:
            others = [x for x in lines if x.attempt == last and f"{x.node}:{x.name}" not in values["steps"]]
            assert not others, f"the end is another attempt's, {values['steps']}, than of {others}"
    if run.body.get("input") and run.body["input"].get("hold"):
        assert "third" not in [line.node for line in lines], f"went on behind a hold: {lines}"


def _by_attempt(lines: list[Execution]) -> list[tuple[int, list[Execution]]]:
    ordered = sorted(lines, key=lambda line: line.attempt)
    return [(attempt, list(of)) for attempt, of in groupby(ordered, key=lambda line: line.attempt)]


def assert_ends(journal: Journal, ends: Mapping[str, list[str]]) -> None:
    """The events of each run, by its id, that have ended it: one, unless its question is open."""
    for run in journal.runs:
        wanted = 0 if run.state == "requires_action" else 1
        found = ends.get(run.run_id, [])
        assert not run.state or len(found) == wanted, f"{run} is {run.state} and has ended by {found}"
