"""Answers the server's requests: states, schemas and drawings, which need the graphs' code."""

from __future__ import annotations

import logging
from typing import Any

import orjson

from . import describe, jsonable, state
from .connection import Connection
from .errors import HostError, MessageTooLarge, RequestError, RunDead, Superseded, in_words
from .loader import GraphUnavailable, Project
from .owner import Owner
from .saver import ServerSaver
from .store import ServerStore

log = logging.getLogger("duragraph")

_CODES: dict[type[HostError], str] = {
    GraphUnavailable: "unavailable",
    MessageTooLarge: "too_large",
    RunDead: "superseded",
    Superseded: "superseded",
}


async def answer(
    project: Project, connection: Connection, method: str, params: dict[str, Any], owner: Owner | None
) -> dict[str, Any]:
    """The `result` or `error` member of the reply to one request. An owner's messages are durable by then."""
    try:
        result = await _result(project, connection, method, params, owner)
        if owner is not None:
            await owner.aflush()
        return {"result": orjson.Fragment(result if isinstance(result, bytes) else jsonable.dumps(result))}
    except RequestError as error:
        return _refusal(error.code, error.message, error.place)
    except HostError as error:
        return _refusal(_CODES.get(type(error), "internal"), str(error))
    except BaseException as error:  # noqa: BLE001 - user code may raise anything, and call sys.exit
        log.exception("the graph %s failed to answer %s", params.get("graph_id"), method)
        return _refusal("internal", in_words(error))


def _refusal(code: str, message: str, place: str | None = None) -> dict[str, Any]:
    where = {} if place is None else {"place": place}
    return {"error": {"code": code, "message": orjson.Fragment(jsonable.dumps(message)), **where}}


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
