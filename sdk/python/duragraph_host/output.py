"""Standard output and error of the user's code, with the run that wrote each line.

LangGraph copies the context into the threads that run sync nodes, so a context variable names the run there
too."""

from __future__ import annotations

import contextlib
import contextvars
import io
import logging
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

_prefix: contextvars.ContextVar[str] = contextvars.ContextVar("duragraph_output_prefix", default="")
_MAX_PENDING = 64 * 1024


@contextlib.contextmanager
def run_output(graph_id: str, run_id: str) -> Iterator[None]:
    """Prefixes every line that is written inside with ``[graph_id run_id] ``."""
    token = _prefix.set(f"[{graph_id} {run_id}] ")
    try:
        yield
    finally:
        _prefix.reset(token)


class PrefixedStream(io.TextIOBase):
    """A text stream that passes whole lines on, each with the prefix of the context that wrote it.

    Unfinished lines are kept per prefix, so that two runs never share a line. Safe from any thread.
    Everything else (encoding, descriptor, terminal) is the underlying stream's."""

    def __init__(self, target: TextIO) -> None:
        self._target = target
        self._lock = threading.RLock()
        self._pending: dict[str, str] = {}

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        prefix = _prefix.get()
        with self._lock:
            buffered = self._pending.pop(prefix, "") + text
            end = buffered.rfind("\n") + 1
            if len(buffered) - end > _MAX_PENDING:
                end = len(buffered)
            if end:
                self._emit(prefix, buffered[:end])
            if buffered[end:]:
                self._pending[prefix] = buffered[end:]
        return len(text)

    def writelines(self, lines: Iterable[Any]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flushes finished lines; an unfinished one outside any run is passed on too (a prompt, a progress
        bar)."""
        with self._lock:
            if rest := self._pending.pop("", ""):
                self._target.write(rest)
            with contextlib.suppress(OSError, ValueError):
                self._target.flush()

    def finish(self, prefix: str | None = None) -> None:
        """Ends the unfinished line of a prefix, or of all, and passes it on."""
        with self._lock:
            for key in [prefix] if prefix is not None else list(self._pending):
                if rest := self._pending.pop(key, ""):
                    self._emit(key, rest + "\n")

    def _emit(self, prefix: str, text: str) -> None:
        if prefix:
            text = "".join(prefix + line for line in text.splitlines(keepends=True))
            if not text.endswith("\n"):
                text += "\n"
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more: user code goes on
            self._target.write(text)
            self._target.flush()

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._target.isatty()

    def fileno(self) -> int:
        return self._target.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._target.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._target.errors

    @property
    def buffer(self) -> Any:
        return self._target.buffer

    def close(self) -> None:
        """Leaves the process's own stream open."""
        self.finish()


def finish_run(graph_id: str, run_id: str) -> None:
    """Passes on what a run that has ended left without a line end."""
    prefix = f"[{graph_id} {run_id}] "
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, PrefixedStream):
            stream.finish(prefix)


def install(level: str | None = None) -> None:
    """Wraps ``sys.stdout`` and ``sys.stderr`` and sends ``logging`` to standard error. A second call changes
    nothing.

    ``level`` is a logging level's name; without one it is ``LOG_LEVEL`` of the environment, else INFO. A root
    logger that the user's code has configured already is left alone."""
    if not isinstance(sys.stdout, PrefixedStream):
        sys.stdout = PrefixedStream(sys.stdout)
    if not isinstance(sys.stderr, PrefixedStream):
        sys.stderr = PrefixedStream(sys.stderr)
    root = logging.getLogger()
    if root.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    root.addHandler(handler)
    wanted = logging.getLevelName((level or os.environ.get("LOG_LEVEL") or "INFO").upper())
    root.setLevel(wanted if isinstance(wanted, int) else logging.INFO)
    for name in (
        "httpx",
        "httpcore",
        "websockets",
    ):  # one line for each request is noise beside a run's output
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))
