"""The worker's open requests: each has an id, and is asked again when the connection was lost."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from . import wire
from .errors import RequestError
from .futures import settle, settle_error
from .owner import Owner


class Reply(NamedTuple):
    """A successful answer and the blobs that it names."""

    result: Any
    blobs: list[bytes]


@dataclass
class OpenRequest:
    """A request without an answer yet. `payload` is None for one that travels as a numbered message."""

    id: int
    payload: wire.Payload | None
    owner: Owner | None
    future: Future[Reply] = field(default_factory=Future)
    replayed: bool = False


class RequestTable:
    """Open requests by id. Its user holds a lock around every call but `answer`."""

    def __init__(self) -> None:
        self._last_id = 0
        self._open: dict[int, OpenRequest] = {}

    def add(
        self, fields: dict[str, Any] | None, blobs: Sequence[bytes] = (), owner: Owner | None = None
    ) -> OpenRequest:
        """Opens a request; without `fields` only its id is taken, for a message with a way of its own."""
        self._last_id += 1
        payload = None
        if fields is not None:
            fields = {**fields, "id": self._last_id}
            if owner is not None:
                fields |= {"owner": owner.owner, "epoch": owner.epoch}
            payload = wire.pack(wire.body(fields, blobs))
        request = OpenRequest(self._last_id, payload, owner)
        if owner is not None:
            owner.track(request.future)
        self._open[request.id] = request
        return request

    def to_replay(self) -> list[wire.Payload]:
        """What has to be asked again on a new connection, oldest first."""
        self._open = {id: request for id, request in self._open.items() if not request.future.done()}
        payloads = []
        for request in self._open.values():
            if request.payload is not None:
                request.replayed = True
                payloads.append(request.payload)
        return payloads

    def answer(self, message: dict[str, Any], blobs: list[bytes]) -> None:
        """Settles the request that `message` answers; an unknown one was answered already."""
        request = self._open.pop(message.get("id", 0), None)
        if request is None:
            return
        error = message.get("error")
        if error is None:
            settle(request.future, Reply(message.get("result"), blobs))
        else:
            settle_error(
                request.future,
                RequestError(error.get("code", "internal"), error.get("message", "no reason given")),
            )

    def fail_all(self, error: Exception) -> None:
        """Ends every open request with `error`."""
        requests, self._open = self._open, {}
        for request in requests.values():
            settle_error(request.future, error)
