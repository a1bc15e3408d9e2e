"""Checkpoints, writes and histories between LangGraph's objects and the protocol's messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import orjson
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from . import jsonable, wire
from .pending import Reply


class Projection(NamedTuple):
    """What the API shows of a checkpoint, as JSON, and whether its graph has tasks to come."""

    json: bytes
    has_next: bool


class CheckpointProjector(Protocol):
    """Makes what the API shows of checkpoints and tasks; None where there is nothing to show."""

    def checkpoint(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: dict[str, Any],
        parent_config: RunnableConfig | None,
    ) -> Projection | None: ...

    def task(self, writes: Sequence[tuple[str, Any]], ns: str, task_id: str) -> bytes | None: ...


def ns_of(config: RunnableConfig) -> str:
    """The checkpoint namespace that a config names; the root's is empty."""
    return config["configurable"].get("checkpoint_ns") or ""


class CheckpointMessage(NamedTuple):
    """The message that stores a checkpoint with its new values."""

    body: wire.Body
    saved: RunnableConfig
    """The config that addresses the checkpoint then."""
    has_next: bool | None
    """Whether its graph has tasks to come; None where the checkpoint alone cannot tell."""


def checkpoint_message(
    serde: SerializerProtocol,
    projector: CheckpointProjector | None,
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    new_versions: ChannelVersions,
) -> CheckpointMessage:
    """Encodes a checkpoint that is being put."""
    blobs = wire.BlobWriter()
    bare: dict[str, Any] = {**checkpoint}
    values = bare.pop("channel_values")
    thread_id, ns, parent_id = config["configurable"]["thread_id"], ns_of(config), get_checkpoint_id(config)
    saved = _config(thread_id, ns, checkpoint["id"])
    meta: dict[str, Any] = {**get_serializable_checkpoint_metadata(config, metadata)}
    projection = None
    if projector is not None:
        parent = _config(thread_id, ns, parent_id) if parent_id else None
        projection = projector.checkpoint(saved, checkpoint, meta, parent)
    message = {
        "type": "checkpoint",
        "ns": ns,
        "checkpoint_id": checkpoint["id"],
        "parent_id": parent_id,
        "checkpoint": blobs.add(serde.dumps_typed(bare)),
        "channel_versions": checkpoint["channel_versions"],
        "values": [
            {"channel": channel, "version": version, **blobs.add(serde.dumps_typed(values[channel]))}
            for channel, version in new_versions.items()
            if channel in values
        ],
        "metadata": orjson.Fragment(jsonable.dumps(meta)),
        "projection": orjson.Fragment(projection.json) if projection is not None else None,
    }
    has_next = projection.has_next if projection is not None else None
    return CheckpointMessage(wire.body(message, blobs.blobs), saved, has_next)


def writes_message(
    serde: SerializerProtocol,
    projector: CheckpointProjector | None,
    config: RunnableConfig,
    writes: Sequence[tuple[str, Any]],
    task_id: str,
    task_path: str,
) -> wire.Body:
    """The message that stores the pending writes of one task."""
    blobs = wire.BlobWriter()
    ns = ns_of(config)
    task = projector.task(writes, ns, task_id) if projector is not None else None
    message = {
        "type": "writes",
        "ns": ns,
        "checkpoint_id": config["configurable"]["checkpoint_id"],
        "task_id": task_id,
        "task_path": task_path,
        "writes": [
            {
                "idx": WRITES_IDX_MAP.get(channel, index),
                "channel": channel,
                **blobs.add(serde.dumps_typed(value)),
            }
            for index, (channel, value) in enumerate(writes)
        ],
        "task": orjson.Fragment(task) if task is not None else None,
    }
    return wire.body(message, blobs.blobs)


def tuple_of(
    serde: SerializerProtocol, item: dict[str, Any] | None, blobs: Sequence[bytes]
) -> CheckpointTuple | None:
    """The tuple of a `get_tuple` answer; None where there is none."""
    return None if item is None else existing_tuple(serde, item, blobs)


def existing_tuple(
    serde: SerializerProtocol, item: dict[str, Any], blobs: Sequence[bytes]
) -> CheckpointTuple:
    """The tuple that the protocol's object describes."""
    thread_id, ns, parent_id = item["thread_id"], item["ns"], item.get("parent_id")
    checkpoint = _value(serde, item["checkpoint"], blobs)
    checkpoint["channel_values"] = {v["channel"]: _value(serde, v, blobs) for v in item["values"]}
    return CheckpointTuple(
        config=_config(thread_id, ns, item["checkpoint_id"]),
        checkpoint=checkpoint,
        metadata=item["metadata"],
        parent_config=_config(thread_id, ns, parent_id) if parent_id else None,
        pending_writes=[(w["task_id"], w["channel"], _value(serde, w, blobs)) for w in item["writes"]],
    )


def history_of(serde: SerializerProtocol, reply: Reply, channels: Sequence[str]) -> dict[str, Any]:
    """The `DeltaChannelHistory` of each channel, from a `delta_history` answer."""
    found: dict[str, Any] = {}
    for channel in channels:
        entry = reply.result.get(channel) or {}
        writes = entry.get("writes") or ()
        found[channel] = {
            "writes": [(w["task_id"], w["channel"], _value(serde, w, reply.blobs)) for w in writes]
        }
        if entry.get("seed") is not None:
            found[channel]["seed"] = _value(serde, entry["seed"], reply.blobs)
    return found


def _value(serde: SerializerProtocol, typed: dict[str, Any], blobs: Sequence[bytes]) -> Any:
    return serde.loads_typed((typed["type"], blobs[typed["blob"]]))


def _config(thread_id: str, ns: str, checkpoint_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, "checkpoint_ns": ns, "checkpoint_id": checkpoint_id}}
