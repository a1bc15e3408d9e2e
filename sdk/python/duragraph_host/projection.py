"""What the API shows of a checkpoint, made where the checkpoint is made, so that the server never runs a
graph's code.

A projection is the library's own view: ``get_state`` of the graph over a saver that holds nothing but the one
checkpoint. It equals what ``get_state_history`` says later, once the patches of the tasks' writes are
applied.

``get_state`` prepares the next tasks to be executed, which takes three times as long as to name them, so the
functions beneath it are called. They are the library's private ones: where they are missing, or refuse,
``get_state`` is asked."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.pregel import Pregel
from langgraph.pregel.debug import tasks_w_writes
from langgraph.types import PregelTask

try:
    from langgraph.pregel._algo import prepare_next_tasks
    from langgraph.pregel._checkpoint import channels_from_checkpoint
    from langgraph.pregel._io import read_channels

    HAS_PARTS = True
except ImportError:
    HAS_PARTS = False

from . import jsonable
from .codec import Projection
from .shapes import task_to_json

if TYPE_CHECKING:
    from .shapes import AnyGraph

_ERROR = "__error__"
_INTERRUPT = "__interrupt__"
_CONTROL = frozenset((_ERROR, _INTERRUPT, "__resume__", "__error_source_node__"))
_NULL_TASK_ID = "00000000-0000-0000-0000-000000000000"

_held: contextvars.ContextVar[CheckpointTuple] = contextvars.ContextVar("duragraph_projected_tuple")


class _Unprojectable(Exception):
    """The one checkpoint does not hold what its state is made of."""


class _OneTupleSaver(BaseCheckpointSaver[Any]):
    """Holds the tuple that the calling context projects, so that one graph copy serves all threads at
    once."""

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return _held.get()

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return _held.get()

    def get_delta_channel_history(self, *, config: RunnableConfig, channels: Sequence[str]) -> NoReturn:
        raise _Unprojectable("the values are spread over the checkpoint's ancestors")

    def list(self, *_: Any, **__: Any) -> Iterator[CheckpointTuple]:
        return iter(())

    async def alist(self, *_: Any, **__: Any) -> AsyncIterator[CheckpointTuple]:
        for item in self.list():
            yield item


class Projector:
    """Projects the checkpoints and task writes of one graph. Safe from any thread, and cheap enough for every
    ``put``."""

    def __init__(self, graph: AnyGraph) -> None:
        self._graph = graph.copy(update={"checkpointer": _OneTupleSaver(), "store": None, "cache": None})
        self._known = {"": _Level(self._graph)}

    def checkpoint(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        parent_config: RunnableConfig | None = None,
    ) -> Projection | None:
        """The projection of a checkpoint that is being put.

        ``config.configurable`` names its thread_id and checkpoint_ns; its checkpoint_id, where present, is
        the parent's, as in the config that ``put`` is called with. None where the library cannot tell the
        state from this checkpoint alone: a namespace of a subgraph that the graph does not know, or values
        kept as deltas."""
        configurable = config.get("configurable") or {}
        address = {
            "thread_id": configurable["thread_id"],
            "checkpoint_ns": configurable.get("checkpoint_ns", ""),
            "checkpoint_id": checkpoint["id"],
        }
        saved = CheckpointTuple(
            config={"configurable": address},
            checkpoint=checkpoint.copy(),
            metadata=metadata,
            parent_config=parent_config,
            pending_writes=[],
        )
        try:
            # An empty context: inside a run, the surrounding one lends its own saver and namespace to every
            # graph call.
            return contextvars.Context().run(self._project, saved)
        except Exception:
            # Code of the user's (validators, reducers) takes part, and it may raise here as in get_state.
            return None

    def task(self, writes: Sequence[tuple[str, Any]], ns: str = "", task_id: str = "task") -> bytes | None:
        """The JSON patch ``{error, interrupts, result}`` of a task from one ``put_writes``, with the fields
        that these writes settle; None where they settle none. ``ns`` is the checkpoint namespace they belong
        to."""
        if task_id == _NULL_TASK_ID:
            return None
        channels = {channel for channel, _ in writes}
        if not channels or channels <= {"__resume__"}:
            return None
        try:
            return self._patch(writes, channels, ns)
        except Exception:
            return None

    def _project(self, saved: CheckpointTuple) -> Projection:
        if HAS_PARTS and (level := self._level(saved.config["configurable"]["checkpoint_ns"])):
            with contextlib.suppress(Exception):
                return level.project(saved)
        return self._project_whole(saved)

    def _project_whole(self, saved: CheckpointTuple) -> Projection:
        _held.set(saved)
        snapshot = self._graph.get_state(_mutable(saved.config))
        return _shown(snapshot.values, snapshot.next, snapshot.created_at, snapshot.tasks)

    def _patch(self, writes: Sequence[tuple[str, Any]], channels: set[str], ns: str) -> bytes:
        pending = [("task", channel, value) for channel, value in writes]
        keys = (self._level(ns) or self._known[""]).graph.stream_channels_asis
        (task,) = tasks_w_writes([PregelTask("task", "", ())], pending, None, keys)
        patch: dict[str, Any] = {}
        if _ERROR in channels:
            patch["error"] = jsonable.error_text(task.error)
        if _INTERRUPT in channels:
            patch["interrupts"] = task.interrupts
        if channels - _CONTROL:
            patch["result"] = task.result
        return jsonable.dumps(patch)

    def _level(self, ns: str) -> _Level | None:
        """The (sub)graph whose tasks a namespace holds, by its node names; None where none is known."""
        path = "|".join(part for part in (p.split(":")[0] for p in ns.split("|")) if not part.isdigit())
        if path not in self._known:
            found = self._graph.get_subgraphs(namespace=path, recurse=True)
            graph = next((g for _, g in found if isinstance(g, Pregel)), None)
            if graph is None:
                return None
            self._known[path] = _Level(graph)
        return self._known[path]


class _Level:
    """A graph of the tree that a root graph and its subgraphs are."""

    def __init__(self, graph: AnyGraph) -> None:
        self.graph = graph
        self._subgraphs = frozenset(name for name, _ in graph.get_subgraphs())
        self._has_deltas = any(type(channel).__name__ == "DeltaChannel" for channel in graph.channels.values())

    def project(self, saved: CheckpointTuple) -> Projection:
        """What ``get_state`` says of a checkpoint of this graph; raises where it cannot tell."""
        if self._has_deltas:
            raise _Unprojectable("the values may be spread over the checkpoint's ancestors")
        graph, checkpoint = self.graph, saved.checkpoint.copy()
        graph._migrate_checkpoint(checkpoint)
        step = saved.metadata.get("step", -1) + 1
        channels, managed = channels_from_checkpoint(graph.channels, checkpoint)
        prepared = prepare_next_tasks(
            checkpoint, [], graph.nodes, channels, managed, saved.config, step, step + 2, for_execution=False
        )
        tasks = [self._placed(task, saved.config["configurable"]) for task in prepared.values()]
        values = read_channels(channels, graph.stream_channels_asis)
        return _shown(values, [task.name for task in tasks], checkpoint["ts"], tasks)

    def _placed(self, task: PregelTask, address: dict[str, Any]) -> PregelTask:
        """The task with the place where its subgraph, if it has one, keeps checkpoints."""
        if task.name not in self._subgraphs:
            return task
        own = f"{task.name}:{task.id}"
        ns = f"{address['checkpoint_ns']}|{own}" if address["checkpoint_ns"] else own
        place = {"thread_id": address["thread_id"], "checkpoint_ns": ns}
        return PregelTask(task.id, task.name, task.path, state={"configurable": place})


def _shown(
    values: Any, nodes: Sequence[str], created_at: str | None, tasks: Sequence[PregelTask]
) -> Projection:
    shown = {
        "values": values,
        "next": nodes,
        "created_at": created_at,
        "tasks": [task_to_json(task) for task in tasks],
    }
    return Projection(jsonable.dumps(shown), bool(nodes))


def _mutable(config: RunnableConfig) -> RunnableConfig:
    """A copy that the library may write to."""
    return {"configurable": dict(config["configurable"])}
