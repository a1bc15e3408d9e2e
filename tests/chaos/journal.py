"""What the clients of a storm were answered, and what the nodes of its graphs did."""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from readers import Reader

GUARD = 120.0
"""Seconds after which a condition that did not come is a failure. Nothing here is a stated time: the machine may be
busy, and a pause of a process is meant to last."""

PAGES = re.compile(r"(\b\w{12} )\1+")
"""What the pages of the graphs look like, which are long."""


class Execution(NamedTuple):
    """One line of the nodes' journal: that a node began."""

    place: int
    """How long the file was when it had been written: the order of everything."""
    run: str
    attempt: int
    step: int
    task: str
    node: str
    name: str
    pid: int
    at: float
    """By the machine's steady clock, which all processes share."""
    time: float
    """By its time of day."""


@dataclass
class Asked:
    """A run that the server has acknowledged to its client, and what came of it."""

    client: str
    thread_id: str
    graph: str
    body: dict[str, Any]
    tokens: list[str] = field(default_factory=list)
    """What its requests carried in their metadata: the last one is the run's own, those before it broke and are not
    known to the server."""
    run_id: str = ""
    states: frozenset[str] = frozenset({"completed"})
    """Those in which it may be when everything is over; "deleted" when it was rolled back."""
    state: str = ""
    """The one in which it was then."""
    ends: list[tuple[int, Any]] = field(default_factory=list)
    """Each answer to a wait for its end, with the length that the nodes' journal had afterwards."""
    durable: list[tuple[int, str]] = field(default_factory=list)
    """Executions that were seen in a checkpoint, with that length."""
    stopped: int | None = None
    """That length when a cancel with wait had been answered."""
    readers: list[Reader] = field(default_factory=list)
    due: float = 0
    """Nothing of it may begin earlier, by the machine's steady clock, or else by its time of day."""
    due_time: float = 0
    """The same by the latter, which PostgreSQL has and may be set meanwhile: what is due goes by that."""

    @property
    def path(self) -> str:
        return f"/threads/{self.thread_id}/runs/{self.run_id}"

    def __str__(self) -> str:
        return f"run {self.run_id} of {self.graph}, {self.client}"


class Journal:
    """Written by every client, reader and fault; counts the events by which faults are timed."""

    def __init__(self, executions: Path) -> None:
        self.runs: list[Asked] = []
        self.threads: set[str] = set()
        self.lost: set[str] = set()
        """Tokens of requests that broke, and whose run was not there once the server answered again."""
        self.temporary: set[str] = set()
        """Tokens of runs that the server deletes, with their threads, when they are over."""
        self.by_hand: set[str] = set()
        """Steps that clients have written into a state themselves."""
        self.failures: list[str] = []
        self.counts: Counter[str] = Counter()
        self._executions = executions
        self._lines: list[tuple[float, str, str]] = []
        self._events = 0
        self._changed = threading.Condition()
        self._began = time.monotonic()

    def say(self, who: str, what: str) -> None:
        with self._changed:
            self._lines.append((time.monotonic() - self._began, who, PAGES.sub(r"\1… ", what)))

    def fail(self, who: str, what: str) -> None:
        self.say(who, f"FAILED {what}")
        with self._changed:
            self.failures.append(PAGES.sub(r"\1… ", f"{who}: {what}"))
            self._changed.notify_all()

    def asked(self, run: Asked) -> None:
        with self._changed:
            self.runs.append(run)

    def count(self, what: str) -> None:
        with self._changed:
            self.counts[what] += 1

    def event(self) -> None:
        """A request was answered, or a frame was read."""
        with self._changed:
            self._events += 1
            self._changed.notify_all()

    @property
    def events(self) -> int:
        return self._events

    def wait_events(self, count: int) -> None:
        """Waits until there were that many, or something has failed. The load never stands still for long."""
        with self._changed:
            reached = self._changed.wait_for(lambda: self._events >= count or bool(self.failures), GUARD)
        assert reached, f"the clients stand still: {self._events} of {count} events after {GUARD:g} s"

    def place(self) -> int:
        """The length of the nodes' journal: whatever begins from now on is written behind it."""
        return self._executions.stat().st_size if self._executions.exists() else 0

    def executions(self) -> list[Execution]:
        found, place = [], 0
        for line in self._executions.read_bytes().splitlines(keepends=True):
            place += len(line)
            found.append(Execution(place=place, **json.loads(line)))
        return found

    def tell(self, *about: str, last: int = 60) -> str:
        """The newest lines, and all that mention one of the words."""
        lines = list(self._lines)
        recent = len(lines) - last

        def is_told(i: int, who: str, what: str) -> bool:
            return i >= recent or who == "faults" or any(word in what for word in about)

        chosen = [line for i, line in enumerate(lines) if is_told(i, *line[1:])]
        return "\n".join(f"{at:8.3f}  {who:12} {what}" for at, who, what in chosen)
