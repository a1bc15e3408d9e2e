"""Answers the server's requests: states, schemas and drawings, which need the graphs' code."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from langgraph.errors import InvalidUpdateError

from . import describe, jsonable, state
from .connection import Connection
from .errors import MessageTooLarge, RequestError, Superseded
from .loader import GraphUnavailable, Project
from .owner import Owner
from .saver import ServerSaver
from .store import ServerStore


async def answer(
    project: Project, connection: Connection, method: str, params: dict[str, Any], owner: Owner | None
) -> dict[str, Any]:
    """The `result` or `error` member of the reply to one request. An owner's messages are durable by then."""
    try:
        result = await _result(project, connection, method, params, owner)
        if owner is not None:
            await owner.aflush()
        return {"result": orjson.Fragment(result if isinstance(result, bytes) else jsonable.dumps(result))}
    except asyncio.CancelledError:
        return {"error": {"code": "unavailable", "message": "the worker stopped before the answer"}}
    except Exception as error:  # noqa: BLE001 - user code may raise anything
        message = error.message if isinstance(error, RequestError) else str(error) or type(error).__name__
        return {"error": {"code": _code(error), "message": orjson.Fragment(jsonable.dumps(message))}}


async def _result(
    project: Project, connection: Connection, method: str, params: dict[str, Any], owner: Owner | None
) -> Any:
    if method in ("update_state", "get_state"):
        saver = ServerSaver(connection, owner=owner, serde=project.serde)
        store = ServerStore(connection, owner=owner)
        if method == "update_state":
            return await state.update_state(project, params, saver, store)
        return await state.get_state(project, params, saver, store)
    if method == "schemas":
        return await describe.schemas(project, params, ServerStore(connection))
    if method == "graph":
        return await describe.graph(project, params, ServerStore(connection))
    if method == "subgraphs":
        return await describe.subgraphs(project, params, ServerStore(connection))
    raise RequestError("invalid_argument", f"this worker does not know the method {method!r}")


def _code(error: Exception) -> str:
    if isinstance(error, RequestError):
        return error.code
    if isinstance(error, Superseded):
        return "superseded"
    if isinstance(error, GraphUnavailable):
        return "unavailable"
    if isinstance(error, MessageTooLarge):
        return "too_large"
    if isinstance(error, KeyError):
        return "not_found"
    if isinstance(error, (InvalidUpdateError, ValueError)):
        return "invalid_argument"
    return "internal"
