"""What the nodes of these graphs leave behind for the tests to read, outside of any server."""

import os
import time

from langchain_core.runnables import RunnableConfig

GUARD_SECONDS = 120


def record(config: RunnableConfig, node: str) -> None:
    """Appends "node thread_id run_id pid" to the file that DG_JOURNAL names; the line survives a kill."""
    path = os.environ.get("DG_JOURNAL")
    if not path:
        return
    configurable = config.get("configurable", {})
    run_id = configurable.get("run_id") or config.get("metadata", {}).get("run_id") or config.get("run_id")
    line = f"{node} {configurable.get('thread_id', '-')} {run_id or '-'} {os.getpid()}\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def is_open(gate: str | None) -> bool:
    """A gate is a file that a test makes to let a node go on; no gate is an open one."""
    return not gate or os.path.exists(gate)


class Guard:
    """Ends a wait that no test meant to be this long."""

    def __init__(self) -> None:
        self._end = time.monotonic() + GUARD_SECONDS

    def check(self, gate: str | None) -> None:
        if time.monotonic() > self._end:
            raise TimeoutError(f"the gate {gate} was not opened within {GUARD_SECONDS} s")
