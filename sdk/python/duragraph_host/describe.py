"""Drawings and schemas of graphs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.graph import Graph
from langgraph.pregel import Pregel
from langgraph.store.base import BaseStore

from . import jsonable
from .binding import bind
from .schema import graph_schemas
from .state import graph_entry

if TYPE_CHECKING:
    from .loader import Project
    from .shapes import AnyGraph


async def schemas(
    project: Project, params: Mapping[str, Any], store: BaseStore | None = None
) -> dict[str, Any]:
    """The JSON schemas of a graph, null for each that the library cannot make."""
    graph_id = str(params.get("graph_id"))
    async with graph_entry(project, params).open(_config(params), "assistants.read", store) as graph:
        return {"graph_id": graph_id, **graph_schemas(graph)}


async def graph(
    project: Project, params: Mapping[str, Any], store: BaseStore | None = None
) -> dict[str, Any]:
    """The drawing ``{nodes, edges}`` of a graph; ``params.xray`` opens its subgraphs, to a depth where it is
    a number."""
    graph_id = str(params.get("graph_id"))
    config = _config(params)
    async with graph_entry(project, params).open(config, "assistants.read", store) as opened:
        drawable = await bind(opened, graph_id, None, store).aget_graph(
            config, xray=params.get("xray") or False
        )
        return _drawing(drawable)


async def subgraphs(
    project: Project, params: Mapping[str, Any], store: BaseStore | None = None
) -> dict[str, Any]:
    """The schemas of a graph's subgraphs by namespace; only that of ``params.namespace`` where given."""
    async with graph_entry(project, params).open(_config(params), "assistants.read", store) as opened:
        namespace, recurse = params.get("namespace") or None, bool(params.get("recurse"))
        found: dict[str, Any] = {}
        async for name, child in opened.aget_subgraphs(namespace=namespace, recurse=recurse):
            if isinstance(child, Pregel):
                found[name] = _subgraph_schemas(child)
        return found


def _config(params: Mapping[str, Any]) -> RunnableConfig:
    given: dict[str, Any] = dict(params.get("config") or {})
    config: RunnableConfig = {"configurable": dict(given.get("configurable") or {})}
    if given.get("metadata"):
        config["metadata"] = dict(given["metadata"])
    return config


def _subgraph_schemas(graph: AnyGraph) -> dict[str, Any]:
    """Both spellings that servers use: ``input_schema`` and ``input``, and so on."""
    made: dict[str, Any] = dict(graph_schemas(graph))
    short = {name: made[f"{name}_schema"] for name in ("input", "output", "state", "config")}
    return {**made, **short}


def _drawing(drawable: Graph) -> dict[str, Any]:
    """The shape that servers give: ends are ``schema`` nodes, all others ``runnable`` ones with a name."""
    nodes = [_node(node) for node in drawable.to_json()["nodes"]]
    edges: list[dict[str, Any]] = []
    for edge in drawable.edges:
        shown: dict[str, Any] = {"source": edge.source, "target": edge.target}
        if edge.data is not None:
            shown["data"] = edge.data
        if edge.conditional:
            shown["conditional"] = True
        edges.append(shown)
    drawing: dict[str, Any] = jsonable.to_plain({"nodes": nodes, "edges": edges})
    return drawing


def _node(shown: dict[str, Any]) -> dict[str, Any]:
    last = str(shown["id"]).rsplit(":", 1)[-1]
    return {"id": shown["id"], "type": "schema", "data": last} if last in ("__start__", "__end__") else shown
