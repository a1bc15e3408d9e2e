"""JSON schemas of a graph's types, also where pydantic refuses the library's own way.

Before Python 3.12 pydantic takes only ``typing_extensions.TypedDict``; most graphs use the one of ``typing``.
Such types are rebuilt, so that a project's schemas do not depend on that import."""

from __future__ import annotations

import dataclasses
import types
import typing
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typing_extensions
from pydantic import BaseModel, TypeAdapter, create_model

from . import jsonable

if TYPE_CHECKING:
    from .shapes import AnyGraph

Schema = dict[str, Any]


def graph_schemas(graph: AnyGraph) -> dict[str, Schema | None]:
    """``input_schema``, ``output_schema``, ``state_schema``, ``config_schema`` and ``context_schema``; null
    for each that cannot be made (a type that has no schema, code of the user's that raises)."""
    return {
        "input_schema": _first(
            graph.get_input_jsonschema, lambda: _channels_schema(graph, graph.input_channels)
        ),
        "output_schema": _first(
            graph.get_output_jsonschema, lambda: _channels_schema(graph, graph.output_channels)
        ),
        "state_schema": _first(lambda: _channels_schema(graph, graph.stream_channels_asis, "State")),
        "config_schema": _first(lambda: _context_schema(graph) or {}),
        "context_schema": _first(lambda: _context_schema(graph)),
    }


def _first(*makers: Callable[[], Schema | None]) -> Schema | None:
    """What the first maker gives that does not raise, as plain JSON."""
    for make in makers:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                made = make()
            return None if made is None else jsonable.to_plain(made)
        except Exception:
            continue
    return None


def _channels_schema(graph: AnyGraph, keys: Any, title: str = "") -> Schema:
    """An object of some channels, or the type of the one channel."""
    if isinstance(keys, str):
        single: Schema = TypeAdapter(_rebuilt(getattr(graph.channels[keys], "UpdateType", Any))).json_schema()
        return single
    fields: dict[str, Any] = {
        key: (_rebuilt(getattr(graph.channels[key], "UpdateType", Any)), None) for key in keys
    }
    model: type[BaseModel] = create_model(graph.get_name(title), **fields)
    return model.model_json_schema()


def _context_schema(graph: AnyGraph) -> Schema | None:
    """What a run's context (in older terms: its ``configurable``) may hold; None where the graph declares
    nothing."""
    declared = graph.context_schema
    if declared is None:
        return None
    if isinstance(declared, type) and issubclass(declared, BaseModel):
        return declared.model_json_schema()
    return TypeAdapter(_rebuilt(declared)).json_schema()


def _rebuilt(annotation: Any) -> Any:
    """The type with each TypedDict in it made a ``typing_extensions`` one. Annotations that are no types are
    dropped."""
    if typing_extensions.is_typeddict(annotation):
        hints = typing_extensions.get_type_hints(annotation)
        required = getattr(annotation, "__required_keys__", frozenset(hints))
        fields: dict[str, Any] = {
            name: _rebuilt(hint) if name in required else typing_extensions.NotRequired[_rebuilt(hint)]
            for name, hint in hints.items()
        }
        return typing_extensions.TypedDict(annotation.__name__, fields)  # type: ignore[operator]
    if dataclasses.is_dataclass(annotation):
        return annotation
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is None or not arguments:
        return annotation
    if origin is typing.Annotated:
        return _rebuilt(arguments[0])
    if (
        origin is typing.Literal
        or origin is typing_extensions.Literal
        or not any(_holds_types(a) for a in arguments)
    ):
        return annotation
    parts = tuple(_rebuilt(a) for a in arguments)
    if origin is typing.Union or origin is getattr(types, "UnionType", None):
        return typing.Union[parts]  # noqa: UP007 - the parts are known only now
    return origin[parts[0] if len(parts) == 1 else parts]


def _holds_types(argument: Any) -> bool:
    return isinstance(argument, type) or typing.get_origin(argument) is not None
