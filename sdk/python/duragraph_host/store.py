"""The memory store that graphs get: it keeps every item on the server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any

import orjson
from langgraph.store.base import (
    BaseStore,
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
)

from . import jsonable
from .connection import Connection
from .owner import Owner
from .pending import Reply


class ServerStore(BaseStore):
    """Reads and writes items through a worker's connection, from any thread and loop.

    A batch reads first, in one request, and then writes. With an `owner` the writes are numbered messages
    of that run. Both return once the writes are durable.
    """

    __slots__ = ("_connection", "_owner")

    supports_ttl = False

    def __init__(self, connection: Connection, *, owner: Owner | None = None) -> None:
        self._connection = connection
        self._owner = owner

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        plan = _Plan(ops)
        if plan.reads:
            plan.received(self._read(plan).result())
        if plan.puts:
            if self._owner is not None:
                self._owner.block_for_room()
            self._write(plan).result()
        return plan.results

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        plan = _Plan(ops)
        if plan.reads:
            plan.received(await asyncio.wrap_future(self._read(plan)))
        if plan.puts:
            if self._owner is not None:
                await self._owner.wait_room()
            await asyncio.wrap_future(self._write(plan))
        return plan.results

    def _read(self, plan: _Plan) -> Future[Reply]:
        return self._connection.request({"type": "items_read", "ops": plan.reads}, owner=self._owner).future

    def _write(self, plan: _Plan) -> Future[Reply]:
        message = {"type": "items", "puts": list(plan.puts.values())}
        if self._owner is not None:
            return self._connection.post_with_reply(self._owner, message)
        return self._connection.request(message).future


class _Plan:
    """One batch: what it reads and writes in the protocol's form, and the places of its results."""

    def __init__(self, ops: Iterable[Op]) -> None:
        self.results: list[Result] = []
        self.reads: list[dict[str, Any]] = []
        self.puts: dict[tuple[tuple[str, ...], str], dict[str, Any]] = {}
        self._read_ops: list[tuple[int, Op]] = []
        for index, op in enumerate(ops):
            self.results.append(None)
            if isinstance(op, PutOp):
                self._add_put(op)
            else:
                self.reads.append(_read_op(op))
                self._read_ops.append((index, op))

    def received(self, reply: Reply) -> None:
        """Puts the results of the reads into their places."""
        for (index, op), found in zip(self._read_ops, reply.result, strict=False):
            if isinstance(op, GetOp):
                self.results[index] = _item(found) if found is not None else None
            elif isinstance(op, SearchOp):
                self.results[index] = [_search_item(item) for item in found]
            else:
                self.results[index] = [tuple(namespace) for namespace in found]

    def _add_put(self, op: PutOp) -> None:
        check_namespace(op.namespace, whole=op.value is not None)
        if op.ttl is not None:
            raise NotImplementedError("TTL is not supported by ServerStore: set ttl=None")
        value = None if op.value is None else orjson.Fragment(jsonable.dumps(dict(op.value)))
        key = str(op.key)
        self.puts.pop((op.namespace, key), None)
        self.puts[(op.namespace, key)] = {"namespace": list(op.namespace), "key": key, "value": value}


def check_namespace(namespace: Sequence[str], *, whole: bool) -> None:
    """Raises InvalidNamespaceError as LangGraph's stores do; `whole` is for one that is written to."""
    if whole and not namespace:
        raise InvalidNamespaceError("Namespace cannot be empty.")
    for label in namespace:
        if not isinstance(label, str):
            raise InvalidNamespaceError(
                f"Invalid namespace label '{label}' found in {namespace}. Namespace labels must be strings."
            )
        if "." in label or "\x00" in label:
            raise InvalidNamespaceError(
                f"Invalid namespace label '{label}' found in {namespace}. "
                "Namespace labels cannot contain periods ('.') or NUL bytes."
            )
        if not label:
            raise InvalidNamespaceError(f"Namespace labels cannot be empty strings. Got {namespace}")
    if whole and namespace[0] == "langgraph":
        raise InvalidNamespaceError(f'Root label for namespace cannot be "langgraph". Got: {namespace}')


def _read_op(op: GetOp | SearchOp | ListNamespacesOp | Any) -> dict[str, Any]:
    if isinstance(op, GetOp):
        check_namespace(op.namespace, whole=False)
        return {"op": "get", "namespace": list(op.namespace), "key": str(op.key)}
    if isinstance(op, SearchOp):
        check_namespace(op.namespace_prefix, whole=False)
        return {
            "op": "search",
            "namespace_prefix": list(op.namespace_prefix),
            "filter": orjson.Fragment(jsonable.dumps(op.filter)) if op.filter else None,
            "limit": op.limit,
            "offset": op.offset,
            "query": op.query,
        }
    if isinstance(op, ListNamespacesOp):
        return {
            "op": "namespaces",
            "prefix": _condition(op, "prefix"),
            "suffix": _condition(op, "suffix"),
            "max_depth": op.max_depth,
            "limit": op.limit,
            "offset": op.offset,
        }
    raise ValueError(f"Unknown operation type: {type(op)}")


def _condition(op: ListNamespacesOp, kind: str) -> list[str] | None:
    paths = [list(c.path) for c in op.match_conditions or () if c.match_type == kind]
    if len(paths) > 1:
        raise ValueError(f"namespaces can be matched with one {kind} at a time")
    if paths:
        check_namespace(paths[0], whole=False)
    return paths[0] if paths else None


def _item(found: dict[str, Any]) -> Item:
    return Item(
        value=found["value"],
        key=found["key"],
        namespace=tuple(found["namespace"]),
        created_at=_time(found["created_at"]),
        updated_at=_time(found["updated_at"]),
    )


def _search_item(found: dict[str, Any]) -> SearchItem:
    return SearchItem(
        namespace=tuple(found["namespace"]),
        key=found["key"],
        value=found["value"],
        created_at=_time(found["created_at"]),
        updated_at=_time(found["updated_at"]),
        score=found.get("score"),
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
