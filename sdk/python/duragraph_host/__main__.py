"""`python -m duragraph_host`: one worker process, configured by its environment."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from .settings import EventPipe, Settings
from .versions import complaint

if TYPE_CHECKING:
    from .loader import Project

EXIT_USAGE = 2
EXIT_GRACE = 2.0
"""Seconds that threads and exit handlers of user code get at the end."""


def main() -> int:
    """Runs the worker; its exit code."""
    events = EventPipe()
    if problem := complaint():
        return give_up(problem, events)
    try:
        settings = Settings.take(os.environ)
    except ValueError as error:
        return give_up(str(error), events)
    return serve(settings, events)


def give_up(problem: str, events: EventPipe) -> int:
    """Says why this process cannot serve: to its supervisor, which knows whether that is news, where it has one."""
    if not events.emit("unusable", message=problem):
        print(f"duragraph: {problem}", file=sys.stderr)
    return EXIT_USAGE


def serve(settings: Settings, events: EventPipe) -> int:
    """Loads the project and serves its graphs until the process is to end."""
    from . import contexts, host, loader, output

    output.install()
    contexts.install()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        project = loader.load_project(settings.config_path)
    except (OSError, ValueError) as error:
        problem = f"{settings.config_path} cannot be loaded: {error}"
        if not settings.reload:
            return give_up(problem, events)
        print(f"duragraph: {problem}", file=sys.stderr)
        return host.EXIT_BROKEN
    tell_broken(project, events)
    if settings.reload and breaks_what_is_served(project, settings.served):
        return host.EXIT_BROKEN
    return run_to_end(loop, host.Host(settings, project, events).run())


def tell_broken(project: Project, events: EventPipe) -> None:
    """Says of each graph that cannot be imported why: to the supervisor, which says it once, where there is one."""
    for entry in project.graphs.values():
        if entry.error is None:
            continue
        if not events.emit("broken", graph_id=entry.graph_id, **dataclasses.asdict(entry.error)):
            print(f"graph {entry.graph_id} cannot be imported:\n{entry.error.traceback}", file=sys.stderr)


def breaks_what_is_served(project: Project, served: frozenset[str] | None) -> bool:
    """Whether a graph that another process serves cannot be imported here; without a list, any graph counts."""
    broken = {entry.graph_id for entry in project.graphs.values() if entry.error is not None}
    return bool(broken if served is None else broken & served)


def run_to_end(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, int]) -> int:
    """Runs the loop until the work is done, whatever user code raises on it.

    SystemExit and KeyboardInterrupt of a task leave the loop, and the task keeps them for whoever awaits it: the
    run that it belongs to. A terminal's Ctrl-C is a signal here, never an exception.
    """
    task = loop.create_task(work)
    while True:
        try:
            return loop.run_until_complete(task)
        except (SystemExit, KeyboardInterrupt):
            if task.done():
                raise


def run() -> None:
    """Runs the worker and ends the process, also when threads of user code do not end."""
    code = main()
    watchdog = threading.Timer(EXIT_GRACE, os._exit, [code])
    watchdog.daemon = True
    watchdog.start()
    sys.exit(code)


if __name__ == "__main__":
    run()
