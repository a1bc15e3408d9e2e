"""Thread states as the API shows them, read and updated through the library."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.store.base import BaseStore
from langgraph.types import Command

from .binding import bind
from .errors import HostError, RequestError, in_words
from .shapes import config_to_checkpoint, snapshot_to_json
from .user import with_user

if TYPE_CHECKING:
    from .loader import GraphEntry, Project
    from .shapes import AnyGraph


async def get_state(
    project: Project, params: Mapping[str, Any], saver: BaseCheckpointSaver[Any], store: BaseStore | None
) -> dict[str, Any]:
    """The state of a thread at the checkpoint that ``params.config`` addresses, else the newest; with
    ``subgraphs`` the nested states too. Raises RequestError for an unknown graph and GraphUnavailable for a
    broken one."""
    config = _thread_config(params)
    async with graph_entry(project, params).open(config, "threads.read", store) as graph:
        graph = bind(graph, str(params["graph_id"]), saver, store)
        with _refusing("the checkpoint cannot be read", ValueError, lambda _: "checkpoint"):
            snapshot = await graph.aget_state(config, subgraphs=bool(params.get("subgraphs")))
        return snapshot_to_json(snapshot)


async def update_state(
    project: Project, params: Mapping[str, Any], saver: BaseCheckpointSaver[Any], store: BaseStore | None
) -> dict[str, Any]:
    """Writes ``params.values`` as if the node ``as_node`` had returned them, and answers the new checkpoint.

    Null values and the library's own node names (``__end__``, ``__input__``, ``__copy__``) mean what they
    mean there. A list of objects is applied as one update after the other in one checkpoint. Raises
    RequestError for values that the graph does not take."""
    config = _thread_config(params)
    as_node = params.get("as_node") or None
    async with graph_entry(project, params).open(config, "threads.update", store) as graph:
        graph = bind(graph, str(params["graph_id"]), saver, store)
        with _refusing("the values cannot be applied", Exception, lambda error: _blamed(error, as_node)):
            values = _update_values(graph, params.get("values"), as_node)
            written = await graph.aupdate_state(config, values, as_node)
    return {"checkpoint": config_to_checkpoint(written)}


@contextlib.contextmanager
def _refusing(what: str, kind: type[Exception], place: Callable[[Exception], str]) -> Iterator[None]:
    """What the library, or code of the graph, finds wrong with the request is the caller's to mend."""
    try:
        yield
    except HostError:
        raise
    except kind as error:
        raise RequestError("invalid_argument", f"{what}: {in_words(error)}", place(error)) from error


def _blamed(error: Exception, as_node: str | None) -> str:
    """The parameter of an update that the library's error is about."""
    text = str(error)
    return "as_node" if "as_node" in text or text == f"Node {as_node} does not exist" else "values"


def graph_entry(project: Project, params: Mapping[str, Any]) -> GraphEntry:
    """The entry that ``params.graph_id`` names. Raises RequestError that says which graphs there are."""
    graph_id = str(params.get("graph_id"))
    entry = project.graphs.get(graph_id)
    if entry is None:
        known = ", ".join(sorted(project.graphs)) or "none"
        raise RequestError("not_found", f"no graph '{graph_id}' here; there are: {known}")
    return entry


def _thread_config(params: Mapping[str, Any]) -> RunnableConfig:
    given: dict[str, Any] = dict(params.get("config") or {})
    configurable = with_user(dict(given.get("configurable") or {}))
    configurable["thread_id"] = str(params["thread_id"])
    configurable["checkpoint_ns"] = configurable.get("checkpoint_ns") or ""
    for name in ("checkpoint_id", "checkpoint_map"):
        if configurable.get(name) is None:
            configurable.pop(name, None)
    config: RunnableConfig = {"configurable": configurable}
    if given.get("metadata"):
        config["metadata"] = dict(given["metadata"])
    if given.get("tags"):
        config["tags"] = list(given["tags"])
    return config


def _update_values(graph: AnyGraph, values: Any, as_node: str | None) -> Any:
    if not isinstance(values, list) or as_node == "__input__":
        return values
    if as_node == "__copy__":
        return [tuple(v) if isinstance(v, list) else (v, None) for v in values]
    keys = graph.stream_channels_list
    if list(keys) == ["__root__"] or not all(isinstance(v, dict) for v in values):
        return values
    return [Command(update=v) for v in values]
