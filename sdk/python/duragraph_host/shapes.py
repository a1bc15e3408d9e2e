"""The API's shapes of the library's objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from langgraph.types import PregelTask, StateSnapshot

from . import jsonable

if TYPE_CHECKING:
    from typing import TypeAlias

    from langgraph.pregel import Pregel

    AnyGraph: TypeAlias = Pregel[Any, Any, Any, Any]


def config_to_checkpoint(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The API's checkpoint object of a config; None where the config names no checkpoint."""
    configurable = (config or {}).get("configurable") or {}
    if "thread_id" not in configurable or "checkpoint_id" not in configurable:
        return None
    checkpoint = {
        "thread_id": configurable["thread_id"],
        "checkpoint_ns": configurable.get("checkpoint_ns") or "",
        "checkpoint_id": configurable["checkpoint_id"],
    }
    if configurable.get("checkpoint_map"):
        checkpoint["checkpoint_map"] = configurable["checkpoint_map"]
    return checkpoint


def task_to_json(task: PregelTask) -> dict[str, Any]:
    """A task with exactly the keys that clients know. A subgraph's place is in ``checkpoint``, or its state
    in ``state``."""
    state, place = (task.state, None) if isinstance(task.state, StateSnapshot) else (None, task.state)
    return {
        "id": task.id,
        "name": task.name,
        "path": list(task.path),
        "error": jsonable.error_text(task.error),
        "interrupts": list(task.interrupts),
        "checkpoint": public_configurable(place) if place is not None else None,
        "state": snapshot_to_json(state) if state is not None else None,
        "result": task.result,
    }


def snapshot_to_json(snapshot: StateSnapshot) -> dict[str, Any]:
    """The API's ThreadState. Values are still Python objects: encode it with ``jsonable.dumps``."""
    tasks = [task_to_json(task) for task in snapshot.tasks]
    return {
        "values": snapshot.values,
        "next": list(snapshot.next),
        "tasks": tasks,
        "metadata": dict(snapshot.metadata) if snapshot.metadata is not None else {},
        "created_at": snapshot.created_at,
        "checkpoint": config_to_checkpoint(snapshot.config),
        "parent_checkpoint": config_to_checkpoint(snapshot.parent_config),
        "interrupts": [interrupt for task in tasks for interrupt in task["interrupts"]],
    }


def public_config(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A config without the library's and the server's own keys."""
    if config is None:
        return None
    return {**config, "configurable": public_configurable(config)}


def public_configurable(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configurable part of ``public_config``."""
    return {k: v for k, v in (config.get("configurable") or {}).items() if not k.startswith("__")}
