"""The numbered messages of one owner that the server has not acknowledged."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import orjson

from . import wire
from .errors import MessageTooLarge

LIMIT_BYTES = 8 * 1024 * 1024
LIMIT_MESSAGES = 10_000
FRAMES_BYTES = 1024 * 1024
"""Pending frames are cut into messages of about this many bytes."""


class Message(NamedTuple):
    """One numbered message, ready for the socket."""

    n: int
    payload: wire.Payload
    size: int


class Backlog:
    """Numbers messages and keeps them until they are acknowledged. Its user holds a lock around every call.

    Frames get their number late, many in one message: when something else is numbered or the socket asks.
    """

    def __init__(self, owner: str, epoch: int, limit_bytes: int, limit_messages: int) -> None:
        self._prefix = b'"owner":%s,"epoch":%d,"n":' % (orjson.dumps(owner), epoch)
        self.limit_bytes = limit_bytes
        self.limit_messages = limit_messages
        self._kept: deque[Message] = deque()
        self._unsent: deque[Message] = deque()
        self._frames: list[tuple[bytes, int]] = []
        self._bytes = 0
        self.last_n = 0
        self.sent_n = 0
        self.acked_n = 0

    def has_room(self) -> bool:
        return self._bytes < self.limit_bytes and len(self._kept) + len(self._frames) < self.limit_messages

    def add_frame(self, frame: bytes) -> None:
        self._frames.append((frame, len(frame)))
        self._bytes += len(frame)

    def append(self, body: wire.Body) -> int:
        """Numbers and keeps a message; its number."""
        self.seal_frames()
        return self._number(body)

    def seal_frames(self) -> None:
        """Gives pending frames their numbers."""
        if not self._frames:
            return
        frames, self._frames = self._frames, []
        self._bytes -= sum(size for _, size in frames)
        part: list[bytes] = []
        size = 0
        for frame, length in frames:
            if part and size + length > FRAMES_BYTES:
                self._number(_frames_body(part))
                part, size = [], 0
            part.append(frame)
            size += length
        self._number(_frames_body(part))

    def next_unsent(self) -> Message | None:
        """The next message for the socket; None when there is nothing more to send."""
        if not self._unsent:
            self.seal_frames()
        if not self._unsent:
            return None
        message = self._unsent.popleft()
        self.sent_n = max(self.sent_n, message.n)
        return message

    def forget(self, n: int) -> None:
        """Message `n` and all before it are applied."""
        self.acked_n = max(self.acked_n, n)
        while self._kept and self._kept[0].n <= n:
            self._bytes -= self._kept.popleft().size
        while self._unsent and self._unsent[0].n <= n:
            self._unsent.popleft()

    def rewind(self) -> None:
        """What is kept is to be sent again."""
        self._unsent = deque(self._kept)

    def clear(self) -> None:
        self._kept.clear()
        self._unsent.clear()
        self._frames.clear()
        self._bytes = 0

    def _number(self, body: wire.Body) -> int:
        n = self.last_n + 1
        payload = wire.pack(body, self._prefix + b"%d," % n)
        self.last_n = n
        message = Message(n, payload, len(payload))
        self._kept.append(message)
        self._unsent.append(message)
        self._bytes += message.size
        return n


def frame_bytes(event: str, data: bytes) -> bytes:
    """A stream frame as its message holds it; `data` is JSON."""
    frame = b"[" + orjson.dumps(event) + b"," + data + b"]"
    if len(frame) > wire.MAX_MESSAGE - 4096:
        raise MessageTooLarge(f"a stream frame of {len(frame)} bytes is over the limit")
    return frame


def _frames_body(frames: list[bytes]) -> wire.Body:
    return wire.Body(b'{"type":"frames","frames":[' + b",".join(frames) + b"]}")
