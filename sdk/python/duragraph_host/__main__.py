"""`python -m duragraph_host`: one worker process, configured by its environment."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
import threading

from .settings import EventPipe, Settings
from .versions import complaint

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
    broken = [entry for entry in project.graphs.values() if entry.error is not None]
    for entry in broken:
        assert entry.error is not None
        events.emit("broken", graph_id=entry.graph_id, **dataclasses.asdict(entry.error))
        print(f"graph {entry.graph_id} cannot be imported:\n{entry.error.traceback}", file=sys.stderr)
    if broken and settings.reload:
        return host.EXIT_BROKEN
    return loop.run_until_complete(host.Host(settings, project, events).run())


def run() -> None:
    """Runs the worker and ends the process, also when threads of user code do not end."""
    code = main()
    watchdog = threading.Timer(EXIT_GRACE, os._exit, [code])
    watchdog.daemon = True
    watchdog.start()
    sys.exit(code)


if __name__ == "__main__":
    run()
