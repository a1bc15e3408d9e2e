"""Messages as they travel: a JSON object, with blobs behind it when it has any. Several may share one of the
WebSocket's."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from .errors import MessageTooLarge, ProtocolError

PROTOCOL = 1
SUBPROTOCOL = "duragraph.worker.v1"
_LONG_TEXT: re.Pattern[Any] = re.compile(r"[0-9]{19}")
_LONG_BYTES: re.Pattern[Any] = re.compile(rb"[0-9]{19}")
MAX_MESSAGE = 64 * 1024 * 1024

Payload = bytes
"""A message as a binary one of the WebSocket holds it, behind others or before them."""


class Body(NamedTuple):
    """An encoded object and its blobs, before an owner's numbering is put in front."""

    json: bytes
    blobs: tuple[bytes, ...] = ()


def body(fields: dict[str, Any], blobs: Sequence[bytes] = ()) -> Body:
    """Encodes `fields`, which must name its type; values may be `orjson.Fragment`s."""
    if blobs:
        fields = {**fields, "blobs": [len(blob) for blob in blobs]}
    return Body(orjson.dumps(fields), tuple(blobs))


def pack(message: Body, prefix: bytes = b"") -> Payload:
    """The message as it travels, with `prefix` (JSON members ending in a comma) put in first."""
    text = b"{" + prefix + message.json[1:] if prefix else message.json
    size = 4 + len(text) + sum(map(len, message.blobs))
    if size > MAX_MESSAGE:
        raise MessageTooLarge(f"a message of {size} bytes is over the limit of {MAX_MESSAGE}")
    return b"".join((len(text).to_bytes(4, "big"), text, *message.blobs))


def unpack(received: str | bytes) -> list[tuple[dict[str, Any], list[bytes]]]:
    """The objects of what the WebSocket received, each with its blobs. Raises ProtocolError."""
    try:
        if isinstance(received, str):
            return [(_typed(_loads(received)), [])]
        messages, at = [], 0
        while at < len(received):
            end = at + 4 + int.from_bytes(received[at : at + 4], "big")
            message, blobs = _typed(_loads(received[at + 4 : end])), []
            for length in message.get("blobs") or ():
                blobs.append(received[end : end + length])
                end += length
            messages.append((message, blobs))
            at = end
        if at != len(received) or not messages:
            raise ValueError("lengths and bytes differ")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProtocolError(f"a message from the server cannot be read: {error}") from error
    return messages


def _typed(message: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(message["type"], str):
        raise ValueError("its type is no text")
    return message


def _loads(text: str | bytes) -> Any:
    """The JSON with every integer exact: orjson makes floats of those beyond 64 bits."""
    long = _LONG_TEXT if isinstance(text, str) else _LONG_BYTES
    if long.search(text):
        with contextlib.suppress(ValueError, RecursionError):  # More digits, or levels, than this Python takes.
            return json.loads(text)
    return orjson.loads(text)


class BlobWriter:
    """Collects the blobs of one message and hands out their references."""

    def __init__(self) -> None:
        self.blobs: list[bytes] = []

    def add(self, typed: tuple[str, bytes]) -> dict[str, Any]:
        """Takes what a serializer's `dumps_typed` returns."""
        self.blobs.append(typed[1])
        return {"type": typed[0], "blob": len(self.blobs) - 1}
