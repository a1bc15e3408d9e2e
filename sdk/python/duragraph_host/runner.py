"""Executes one leased run and writes its frames."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.errors import ParentCommand
from langgraph.store.base import BaseStore
from langgraph.types import Command, Send

from .binding import bind
from .errors import RunDead
from .frames import FrameWriter, library_modes
from .loader import GraphEntry, Project
from .output import finish_run, run_output
from .tracing import in_trace
from .user import with_user

if TYPE_CHECKING:
    from .shapes import AnyGraph

_MAX_TRACEBACK = 32 * 1024


class Channel(Protocol):
    """What a run is given of its connection to the server."""

    @property
    def saver(self) -> BaseCheckpointSaver[Any]: ...

    @property
    def store(self) -> BaseStore: ...

    @property
    def has_next(self) -> bool | None:
        """Whether the graph has tasks to come, by the last root checkpoint of this run; None: ask the graph."""
        ...

    def send_frame(self, event: str, data: bytes) -> None:
        """Queues a stream frame."""
        ...

    async def drain(self) -> None:
        """Waits while too much is queued."""
        ...


@dataclass(frozen=True)
class Outcome:
    """How a run ended: ``success``, ``interrupted``, or ``error`` with ``{error, message, traceback}``."""

    status: str
    error: dict[str, Any] | None = None


async def execute(project: Project, entry: GraphEntry, lease: Mapping[str, Any], channel: Channel) -> Outcome:
    """Runs a lease to its end and says how it ended.

    Everything the graph wrote has been handed to the channel by then. An error of the graph, or of its
    factory, is an outcome. A cancelled task raises CancelledError, and a run that is no longer this worker's
    raises RunDead."""
    graph_id, run_id = str(lease["graph_id"]), str(lease["run_id"])
    with run_output(graph_id, run_id), in_trace(lease.get("trace")):
        try:
            return await _execute(entry, lease, channel)
        except (RunDead, asyncio.CancelledError):
            raise
        except BaseException as error:  # the graph is the user's: it may raise anything, and call sys.exit
            return Outcome("error", describe_error(error))
        finally:
            finish_run(graph_id, run_id)


async def _execute(entry: GraphEntry, lease: Mapping[str, Any], channel: Channel) -> Outcome:
    config = build_config(lease)
    context = lease.get("context")
    writer = FrameWriter(channel, lease.get("stream_modes") or ["values"], bool(lease.get("subgraphs")))
    async with entry.open(config, "threads.create_run", channel.store, context) as opened:
        graph = bind(opened, str(lease["graph_id"]), channel.saver, channel.store)
        try:
            await _stream(graph, config, lease, channel, writer)
            interrupted = await _stopped_midway(graph, lease, channel)
        except ParentCommand as error:
            writer.parent_command(error.args[0])
            await channel.drain()
            interrupted = False
    return Outcome("interrupted" if interrupted else "success")


async def _stopped_midway(graph: AnyGraph, lease: Mapping[str, Any], channel: Channel) -> bool:
    """Whether the graph stopped, for an interrupt or a breakpoint, with tasks to come."""
    if channel.has_next is not None:
        return channel.has_next
    state = await graph.aget_state({"configurable": {"thread_id": lease["thread_id"]}})
    # Older versions of the library do not count a task that has had one answer of several as one to come.
    return bool(state.next) or any(task.interrupts for task in state.tasks)


async def _stream(
    graph: AnyGraph, config: RunnableConfig, lease: Mapping[str, Any], channel: Channel, writer: FrameWriter
) -> None:
    asked = lease.get("stream_modes") or ["values"]
    arguments: dict[str, Any] = {
        "stream_mode": library_modes(asked),
        "subgraphs": bool(lease.get("subgraphs")),
        "interrupt_before": lease.get("interrupt_before") or None,
        "interrupt_after": lease.get("interrupt_after") or None,
        "durability": lease.get("durability") or "async",
        "context": lease.get("context"),
    }
    source: Any
    take: Callable[[Any], None]
    if "events" in asked:
        source = graph.astream_events(build_input(lease), config, version="v2", **arguments)
        take = writer.event
    else:
        source = graph.astream(build_input(lease), config, **arguments)
        take = writer.chunk
    async with contextlib.aclosing(source) as stream:
        async for item in stream:
            take(item)
            await channel.drain()
    if "events" in asked and not writer.root_ended:
        # Older versions of the library end the events without a word when a node raises CancelledError.
        raise asyncio.CancelledError


def build_config(lease: Mapping[str, Any]) -> RunnableConfig:
    """The run's config: the server's, in fresh dicts that the library may write to. The first attempt is
    traced under the run's own id; a further one has a trace of its own, since a trace's id can be used only
    once."""
    given: dict[str, Any] = dict(lease.get("config") or {})
    for key in ("configurable", "metadata"):
        given[key] = dict(given.get(key) or {})
    with_user(given["configurable"])
    given["tags"] = list(given.get("tags") or [])
    if given.get("recursion_limit") is None:
        given.pop("recursion_limit", None)
    if int(lease.get("attempt") or 1) == 1:
        with contextlib.suppress(ValueError):
            given["run_id"] = uuid.UUID(str(lease["run_id"]))
    return cast(RunnableConfig, given)


def build_input(lease: Mapping[str, Any]) -> Any:
    """What the graph is called with: the lease's command where it has one, else its input."""
    command = lease.get("command")
    return lease.get("input") if command is None else build_command(command)


def build_command(command: Mapping[str, Any]) -> Command[Any]:
    """The library's Command of the API's. Keys that are unknown, null or empty count as absent."""
    fields: dict[str, Any] = {}
    if (goto := command.get("goto")) not in (None, [], ""):
        fields["goto"] = [_goto(target) for target in (goto if isinstance(goto, list) else [goto])]
    if (update := command.get("update")) is not None:
        fields["update"] = [tuple(pair) for pair in update] if _is_pairs(update) else update
    if (resume := command.get("resume")) is not None:
        fields["resume"] = resume
    return Command(**fields)


def _goto(target: Any) -> str | Send:
    if isinstance(target, Mapping):
        return Send(target["node"], target.get("input", target.get("arg")))
    return str(target)


def _is_pairs(update: Any) -> bool:
    return isinstance(update, list) and all(
        isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], str) for pair in update
    )


def describe_error(error: BaseException) -> dict[str, Any]:
    """An error as a run's outcome tells it: class name, message, and the traceback's last part."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return {"error": type(error).__name__, "message": str(error), "traceback": text[-_MAX_TRACEBACK:]}
