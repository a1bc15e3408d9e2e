"""The threads that sync nodes run in, and which run each of them works for."""

from __future__ import annotations

import contextvars
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
Key = tuple[str, int]

current_run: contextvars.ContextVar[Key | None] = contextvars.ContextVar("duragraph_run", default=None)
"""The (run id, epoch) that the current context executes."""


class RunExecutor(ThreadPoolExecutor):
    """A thread pool that counts the threads which are busy for each run.

    A sync node cannot be stopped: after its run was cancelled or lost, its thread stays *abandoned* until
    the node returns. `changed` is called, from any thread, when a run has no busy thread left.
    """

    def __init__(self, threads: int, changed: Callable[[], None]) -> None:
        super().__init__(max_workers=threads, thread_name_prefix="duragraph-node")
        self._changed = changed
        self._count_lock = threading.Lock()
        self._busy: Counter[Key] = Counter()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        run = current_run.get()
        return super().submit(fn if run is None else _Counted(self, run, fn), *args, **kwargs)

    def busy(self, run: Key) -> bool:
        """Whether a thread works for the run."""
        with self._count_lock:
            return self._busy[run] > 0

    def _enter(self, run: Key) -> None:
        with self._count_lock:
            self._busy[run] += 1

    def _leave(self, run: Key) -> None:
        with self._count_lock:
            self._busy[run] -= 1
            last = self._busy[run] <= 0
            if last:
                del self._busy[run]
        if last:
            self._changed()


class _Counted:
    """A function that counts as its run's while it runs."""

    def __init__(self, executor: RunExecutor, run: Key, function: Callable[..., Any]) -> None:
        self._executor = executor
        self._run = run
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._executor._enter(self._run)
        try:
            return self._function(*args, **kwargs)
        finally:
            self._executor._leave(self._run)
