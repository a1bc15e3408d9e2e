"""Operations: a worker's short ownership of a thread, for writes outside of a run."""

from __future__ import annotations

import asyncio
import time

from . import wire
from .connection import Connection
from .errors import RequestError
from .owner import Owner

BUSY_PATIENCE = 5.0
"""Seconds during which a thread that somebody else owns is asked for again."""
REPLAYED_PATIENCE = 35.0
"""The same where the answer to a `begin` may be lost: its operation then ends by itself after 30 s."""


async def begin(connection: Connection, thread_id: str) -> Owner:
    """Takes the thread for an operation. Runs on the connection's loop. Raises RequestError."""
    started = time.monotonic()
    patience = BUSY_PATIENCE
    delay = 0.005
    while True:
        request = connection.request({"type": "begin", "thread_id": thread_id})
        try:
            reply = await asyncio.wrap_future(request.future)
        except RequestError as error:
            if request.replayed:
                patience = REPLAYED_PATIENCE
            if error.code != "busy" or time.monotonic() - started > patience:
                raise
            await asyncio.sleep(delay)
            delay = min(2 * delay, 0.25)
            continue
        return connection.adopt(reply.result["operation"], reply.result["epoch"], thread_id)


async def write(connection: Connection, thread_id: str, message: wire.Body) -> None:
    """Writes one message in an operation of its own, on the connection's loop; returns once it is durable."""
    owner = await begin(connection, thread_id)
    try:
        try:
            owner.post(message)
        finally:
            end = {"type": "end", "operation": owner.owner, "epoch": owner.epoch, "n": owner.last_n}
            await asyncio.wrap_future(connection.request(end).future)
        owner.check()
    finally:
        connection.release(owner)
