"""Listing checkpoints in parts that fit into a message each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import get_checkpoint_id

from . import jsonable
from .errors import RequestError
from .pending import Reply

PAGE = 100


class Pages:
    """Splits one `list` into requests whose answers fit into a message."""

    def __init__(
        self,
        config: RunnableConfig | None,
        filter: dict[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> None:
        configurable = config["configurable"] if config else {}
        self._fields: dict[str, Any] = {
            "type": "list",
            "thread_id": configurable.get("thread_id"),
            "ns": configurable.get("checkpoint_ns"),
            "checkpoint_id": get_checkpoint_id(config) if config else None,
            "filter": orjson.Fragment(jsonable.dumps(filter)) if filter else None,
        }
        self._before = get_checkpoint_id(before) if before else None
        self._left = limit
        self._page = PAGE
        # One id may stand in several threads (copies), so only a single thread can be read in pages.
        self._paged = self._fields["thread_id"] is not None
        self._done = limit is not None and limit <= 0

    def next(self) -> dict[str, Any] | None:
        if self._done:
            return None
        return {**self._fields, "before": self._before, "limit": self._limit()}

    def refused(self, error: RequestError) -> None:
        """Asks for less at a time where an answer would be too large; raises `error` where nothing helps."""
        if error.code != "too_large" or not self._paged or self._page == 1:
            raise error
        self._page = max(1, self._page // 4)

    def received(self, reply: Reply) -> Sequence[dict[str, Any]]:
        tuples: Sequence[dict[str, Any]] = reply.result["tuples"]
        limit = self._limit()
        if self._left is not None:
            self._left -= len(tuples)
        self._done = not self._paged or limit is None or len(tuples) < limit or self._left == 0
        if tuples:
            self._before = tuples[-1]["checkpoint_id"]
        return tuples

    def _limit(self) -> int | None:
        if not self._paged:
            return self._left
        return self._page if self._left is None else min(self._page, self._left)
