"""What the supervisor tells this process: its environment, and the pipes between them."""

from __future__ import annotations

import json
import os
import secrets
import stat
import threading
import uuid
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

DEFAULT_SLOTS = 10
EVENT_FD = 3


@dataclass(frozen=True)
class Settings:
    """The environment of the protocol's last section, read once."""

    url: str
    token: str
    session: str
    secret: str
    supervised: bool
    config_path: str
    slots: int
    revision: str | None
    reload: bool
    served: frozenset[str] | None
    """The graphs that the process serves whose place this one is to take; None where it is not told."""

    @staticmethod
    def take(environment: MutableMapping[str, str]) -> Settings:
        """Reads the settings, and takes the secrets out of what user code sees. Raises ValueError."""
        url = environment.get("DURAGRAPH_URL", "")
        token = environment.pop("DURAGRAPH_WORKER_TOKEN", "")
        if not url or not token:
            raise ValueError(
                "DURAGRAPH_URL and DURAGRAPH_WORKER_TOKEN must say where the server is and the token"
            )
        session = environment.get("DURAGRAPH_SESSION", "")
        secret = environment.pop("DURAGRAPH_SESSION_SECRET", "")
        supervised = bool(session and secret)
        return Settings(
            url=url,
            token=token,
            session=session if supervised else str(uuid.uuid4()),
            secret=secret if supervised else secrets.token_hex(32),
            supervised=supervised,
            config_path=environment.get("DURAGRAPH_CONFIG") or "langgraph.json",
            slots=_slots(environment),
            revision=environment.get("DURAGRAPH_REVISION") or None,
            reload=environment.get("DURAGRAPH_RELOAD") == "1",
            served=_served(environment),
        )


def _slots(environment: Mapping[str, str]) -> int:
    text = environment.get("DURAGRAPH_SLOTS") or str(DEFAULT_SLOTS)
    if not text.isdigit() or int(text) < 1:
        raise ValueError(f"DURAGRAPH_SLOTS is {text!r}, which is not a positive number")
    return int(text)


def _served(environment: Mapping[str, str]) -> frozenset[str] | None:
    text = environment.get("DURAGRAPH_SERVED")
    if not text:
        return None
    try:
        named = json.loads(text)
    except ValueError:
        named = None
    if not isinstance(named, list):
        raise ValueError(f"DURAGRAPH_SERVED is {text!r}, which is not a JSON list of graphs")
    return frozenset(map(str, named))


class EventPipe:
    """Tells the supervisor what happens, one JSON object per line on file descriptor 3, where that is a pipe.

    Must be made before anything else opens a descriptor.
    """

    def __init__(self) -> None:
        self._fd: int | None = None
        self._lock = threading.Lock()
        if _is_pipe(EVENT_FD):
            self._fd = os.dup(EVENT_FD)  # The copy is closed in programs that user code starts.
            os.close(EVENT_FD)

    def emit(self, event: str, **fields: Any) -> bool:
        """Whether there was somebody to tell."""
        if self._fd is None:
            return False
        line = json.dumps({"event": event, **fields}).encode() + b"\n"
        with self._lock:
            try:
                while line:
                    line = line[os.write(self._fd, line) :]
            except OSError:
                self._fd = None  # Nobody listens any more.
                return False
        return True


def watch_control(on_line: Callable[[dict[str, Any]], None], on_end: Callable[[], None]) -> None:
    """Reads control lines from standard input, if that is a pipe, on a thread that calls the two functions.

    User code finds an empty standard input in its place.
    """
    if not _is_pipe(0):
        return
    control = os.fdopen(os.dup(0), "rb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)

    def read() -> None:
        try:
            for line in control:
                try:
                    command = json.loads(line)
                except ValueError:
                    continue
                if isinstance(command, dict):
                    on_line(command)
        except OSError:
            pass
        on_end()

    threading.Thread(target=read, name="duragraph-control", daemon=True).start()


def _is_pipe(fd: int) -> bool:
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
