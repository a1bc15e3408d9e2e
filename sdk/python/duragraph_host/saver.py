"""The checkpointer that graphs get: it keeps every checkpoint on the server."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_checkpoint_id,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from . import operation, wire
from .codec import (
    CheckpointMessage,
    CheckpointProjector,
    checkpoint_message,
    existing_tuple,
    history_of,
    ns_of,
    tuple_of,
    writes_message,
)
from .connection import Connection
from .errors import RequestError
from .listing import Pages
from .owner import Owner
from .pending import Reply


class _Link:
    """What a saver and the clones that LangGraph makes of it share."""

    def __init__(
        self,
        connection: Connection,
        owner: Owner | None,
        projector: CheckpointProjector | None,
        is_new_thread: bool,
    ):
        self.connection = connection
        self.owner = owner
        self.projector = projector
        self.last_write: dict[str, int] = {}
        self.is_new_thread = is_new_thread
        self.has_next: bool | None = None


class ServerSaver(BaseCheckpointSaver[str]):
    """Stores checkpoints through a worker's connection. Every method may be called from any thread and loop.

    With an `owner` its writes are that run's numbered messages; `wait` makes each return only once it is
    durable. Without one, each write is an operation of its own and always durable when it returns.
    `is_new_thread` says that the owner's thread has no checkpoint but those that this saver puts.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        owner: Owner | None = None,
        projector: CheckpointProjector | None = None,
        serde: SerializerProtocol | None = None,
        wait: bool = False,
        is_new_thread: bool = False,
    ) -> None:
        super().__init__(serde=serde)
        self._link = _Link(connection, owner, projector, is_new_thread)
        self._wait = wait

    @property
    def projector(self) -> CheckpointProjector | None:
        return self._link.projector

    @projector.setter
    def projector(self, projector: CheckpointProjector | None) -> None:
        self._link.projector = projector

    @property
    def has_next(self) -> bool | None:
        """Whether the graph has tasks to come, by the root checkpoint that was put last; None where none was, or
        where it cannot tell."""
        return self._link.has_next

    # Reading.

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        ns = ns_of(config)
        if self._is_unwritten(config, ns):
            return None
        self._before_read(ns)
        reply = self._ask(_tuple_request(config, ns)).result()
        return tuple_of(self.serde, reply.result, reply.blobs)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        ns = ns_of(config)
        if self._is_unwritten(config, ns):
            return None
        await self._abefore_read(ns)
        reply = await asyncio.wrap_future(self._ask(_tuple_request(config, ns)))
        return tuple_of(self.serde, reply.result, reply.blobs)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        self._before_read(None)
        pages = Pages(config, filter, before, limit)
        while fields := pages.next():
            try:
                reply = self._ask(fields).result()
            except RequestError as error:
                pages.refused(error)
                continue
            for item in pages.received(reply):
                yield existing_tuple(self.serde, item, reply.blobs)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        await self._abefore_read(None)
        pages = Pages(config, filter, before, limit)
        while fields := pages.next():
            try:
                reply = await asyncio.wrap_future(self._ask(fields))
            except RequestError as error:
                pages.refused(error)
                continue
            for item in pages.received(reply):
                yield existing_tuple(self.serde, item, reply.blobs)

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, Any]:
        if not channels:
            return {}
        ns = ns_of(config)
        self._before_read(ns)
        return history_of(self.serde, self._ask(_history_request(config, ns, channels)).result(), channels)

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, Any]:
        if not channels:
            return {}
        ns = ns_of(config)
        await self._abefore_read(ns)
        reply = await asyncio.wrap_future(self._ask(_history_request(config, ns, channels)))
        return history_of(self.serde, reply, channels)

    # Writing.

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        message = self._encoded(config, checkpoint, metadata, new_versions)
        self._write(message.saved, message.body)
        return message.saved

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        message = self._encoded(config, checkpoint, metadata, new_versions)
        await self._awrite(message.saved, message.body)
        return message.saved

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        self._write(config, writes_message(self.serde, self.projector, config, writes, task_id, task_path))

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        await self._awrite(
            config, writes_message(self.serde, self.projector, config, writes, task_id, task_path)
        )

    # Whole threads.

    def delete_thread(self, thread_id: str) -> None:
        self._manage({"type": "delete_thread", "thread_ids": [thread_id]}).result()

    async def adelete_thread(self, thread_id: str) -> None:
        await asyncio.wrap_future(self._manage({"type": "delete_thread", "thread_ids": [thread_id]}))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        self._manage({"type": "delete_for_runs", "run_ids": [*run_ids]}).result()

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        await asyncio.wrap_future(self._manage({"type": "delete_for_runs", "run_ids": [*run_ids]}))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        self._manage(_copy_request(source_thread_id, target_thread_id)).result()

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        await asyncio.wrap_future(self._manage(_copy_request(source_thread_id, target_thread_id)))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        self._manage(_prune_request(thread_ids, strategy)).result()

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        await asyncio.wrap_future(self._manage(_prune_request(thread_ids, strategy)))

    def get_next_version(self, current: str | None, channel: Any = None) -> str:
        number = 0 if current is None else int(str(current).split(".")[0])
        return f"{number + 1:032}.{random.random():016}"

    # Inside.

    def _encoded(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> CheckpointMessage:
        message = checkpoint_message(self.serde, self.projector, config, checkpoint, metadata, new_versions)
        if not ns_of(config):
            self._link.has_next = message.has_next
        return message

    def _ask(self, fields: dict[str, Any]) -> Future[Reply]:
        return self._link.connection.request(fields, owner=self._link.owner).future

    def _manage(self, fields: dict[str, Any]) -> Future[Reply]:
        self._link.is_new_thread = False  # It may be copied to.
        if self._link.owner is not None:
            self._link.owner.check()
        return self._link.connection.request(fields).future

    def _is_unwritten(self, config: RunnableConfig, ns: str) -> bool:
        """Whether the namespace is known to have no checkpoint, so that nobody need be asked."""
        link = self._link
        if link.owner is None or not link.is_new_thread or ns in link.last_write:
            return False
        link.owner.check()
        return bool(link.owner.thread_id == config["configurable"]["thread_id"])

    def _before_read(self, ns: str | None) -> None:
        """A run sees its own writes: those of `ns` (None: all) are applied before it reads."""
        if self._link.owner is not None:
            self._link.owner.wait_applied(self._last_write(ns))

    async def _abefore_read(self, ns: str | None) -> None:
        if self._link.owner is not None:
            await self._link.owner.await_applied(self._last_write(ns))

    def _last_write(self, ns: str | None) -> int:
        if ns is not None:
            return self._link.last_write.get(ns, 0)
        return max([*self._link.last_write.values()], default=0)

    def _write(self, config: RunnableConfig, message: wire.Body) -> None:
        thread_id, owner = self._thread(config), self._link.owner
        if owner is None:
            connection = self._link.connection
            connection.submit(operation.write(connection, thread_id, message)).result()
            return
        self._posted(ns_of(config), n := owner.send(message))
        if self._wait:
            owner.wait_applied(n)

    async def _awrite(self, config: RunnableConfig, message: wire.Body) -> None:
        thread_id, owner = self._thread(config), self._link.owner
        if owner is None:
            connection = self._link.connection
            await asyncio.wrap_future(connection.submit(operation.write(connection, thread_id, message)))
            return
        self._posted(ns_of(config), n := await owner.asend(message))
        if self._wait:
            await owner.await_applied(n)

    def _posted(self, ns: str, n: int) -> None:
        self._link.last_write[ns] = max(n, self._link.last_write.get(ns, 0))

    def _thread(self, config: RunnableConfig) -> str:
        thread_id = str(config["configurable"]["thread_id"])
        owner = self._link.owner
        if owner is not None and owner.thread_id != thread_id:
            raise ValueError(
                f"a run of thread {owner.thread_id} cannot write checkpoints of thread {thread_id}; "
                "compile the inner graph with a checkpointer of its own, or leave its thread_id out"
            )
        return thread_id


def _tuple_request(config: RunnableConfig, ns: str) -> dict[str, Any]:
    return {
        "type": "get_tuple",
        "thread_id": config["configurable"]["thread_id"],
        "ns": ns,
        "checkpoint_id": get_checkpoint_id(config),
    }


def _history_request(config: RunnableConfig, ns: str, channels: Sequence[str]) -> dict[str, Any]:
    return {**_tuple_request(config, ns), "type": "delta_history", "channels": [*channels]}


def _copy_request(source: str, target: str) -> dict[str, Any]:
    return {"type": "copy_thread", "source": source, "target": target}


def _prune_request(thread_ids: Sequence[str], strategy: str) -> dict[str, Any]:
    return {"type": "prune", "thread_ids": [*thread_ids], "strategy": strategy}
