"""Ties a graph to the saver and store of one run or operation."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.store.base import BaseStore

from .projection import Projector

if TYPE_CHECKING:
    from .shapes import AnyGraph

_DEFAULT_NAME = "LangGraph"


def bind(
    graph: AnyGraph, graph_id: str, saver: BaseCheckpointSaver[Any] | None, store: BaseStore | None
) -> AnyGraph:
    """A copy of the graph that keeps its checkpoints in ``saver`` and its items in ``store``.

    The saver is given a ``projector`` of the graph, with which it makes the projections of what it puts. A
    graph without a name of its own is named after its id, which is what traces show."""
    update: dict[str, Any] = {"checkpointer": saver, "store": store}
    if graph.name == _DEFAULT_NAME:
        update["name"] = graph_id
    if saver is not None:
        saver.projector = _projector_of(graph)  # type: ignore[attr-defined]
    return graph.copy(update=update)


_projectors: weakref.WeakKeyDictionary[Any, Projector] = weakref.WeakKeyDictionary()


def _projector_of(graph: AnyGraph) -> Projector:
    """Made once for each graph, which a run of a graph without a factory shares with all others."""
    projector = _projectors.get(graph)
    if projector is None:
        projector = _projectors[graph] = Projector(graph)
    return projector
