"""Graphs made by functions: what such a function is called with, and what it may give back."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import typing
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Literal, cast

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.base import RunnableBindingBase
from langgraph.graph.state import StateGraph
from langgraph.pregel import Pregel
from langgraph.store.base import BaseStore

if TYPE_CHECKING:
    from .shapes import AnyGraph

try:
    from langgraph_sdk import runtime as _sdk_runtime
except ImportError:  # langgraph-sdk before 0.3 knows no runtime argument
    _sdk_runtime = None  # type: ignore[assignment]

AccessContext = Literal["threads.create_run", "threads.update", "threads.read", "assistants.read"]


def is_graph(value: Any) -> bool:
    """Whether a value is a graph, compiled or not."""
    bound = value.bound if isinstance(value, RunnableBindingBase) else value
    return isinstance(bound, (Pregel, StateGraph))


def as_pregel(value: Any, origin: str) -> AnyGraph:
    """The executable graph of a value; an uncompiled one is compiled. Raises TypeError for anything else."""
    if isinstance(value, Pregel):
        return value
    if isinstance(value, StateGraph):
        return value.compile()
    if isinstance(value, RunnableBindingBase) and isinstance(value.bound, Pregel):
        return value.bound.with_config(value.config)
    raise TypeError(f"{origin} gave {type(value).__name__}, not a graph")


class Factory:
    """A function, sync or async, or a context manager of either kind, that makes a graph.

    It may take the run's config, the server's runtime, both, or nothing. A parameter is known by its
    annotation (``RunnableConfig``, ``ServerRuntime``), else by its name, else by its position: config first,
    runtime second."""

    def __init__(self, function: Callable[..., Any], origin: str) -> None:
        self._function = function
        self._origin = origin
        self._arguments = _plan_arguments(function)
        self._context_type = _context_type(function)

    @contextlib.asynccontextmanager
    async def open(
        self, config: RunnableConfig, access: AccessContext, store: BaseStore | None, context: Any = None
    ) -> AsyncIterator[AnyGraph]:
        """Makes the graph for one use and yields it; leaves the factory's context manager, if it is one, at
        the end."""
        keywords: dict[str, Any] = {}
        positional: list[Any] = []
        for name, kind, keyword_only in self._arguments:
            value = config if kind == "config" else self._runtime(config, access, store, context)
            if keyword_only:
                keywords[name] = value
            else:
                positional.append(value)
        async with contextlib.AsyncExitStack() as stack:
            made = self._function(*positional, **keywords)
            if inspect.isawaitable(made):
                made = await made
            if not is_graph(made):
                if isinstance(made, contextlib.AbstractAsyncContextManager):
                    made = await stack.enter_async_context(made)
                elif isinstance(made, contextlib.AbstractContextManager):
                    made = stack.enter_context(made)
            yield as_pregel(made, self._origin)

    def _runtime(
        self, config: RunnableConfig, access: AccessContext, store: BaseStore | None, context: Any
    ) -> Any:
        if _sdk_runtime is None:
            raise RuntimeError(f"{self._origin} takes a runtime, which needs a newer langgraph-sdk")
        user = (config.get("configurable") or {}).get("langgraph_auth_user")
        common: dict[str, Any] = {"access_context": access, "user": user, "store": store}
        if access == "threads.create_run":
            return _sdk_runtime._ExecutionRuntime(**common, context=_coerced(self._context_type, context))
        return _sdk_runtime._ReadRuntime(**common)


def _plan_arguments(function: Callable[..., Any]) -> list[tuple[str, str, bool]]:
    """(parameter, "config" or "runtime", keyword only) for each argument that the function is to be given."""
    plan: list[tuple[str, str, bool]] = []
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return plan
    hints = _hints(function)
    unnamed = iter(("config", "runtime"))
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        kind = _kind(parameter.name, hints.get(parameter.name, parameter.annotation))
        if kind is None and parameter.default is not parameter.empty:
            if parameter.kind is parameter.KEYWORD_ONLY:
                continue
            break
        if kind is None:
            taken = {k for _, k, _ in plan}
            kind = next((k for k in unnamed if k not in taken), None)
        if kind is None:
            raise TypeError(f"a graph factory takes config and runtime, not '{parameter.name}'")
        plan.append((parameter.name, kind, parameter.kind is parameter.KEYWORD_ONLY))
    return plan


def _kind(name: str, annotation: Any) -> str | None:
    text = annotation if isinstance(annotation, str) else repr(annotation)
    if any(n in text for n in ("ServerRuntime", "_ExecutionRuntime", "_ReadRuntime")):
        return "runtime"
    if "RunnableConfig" in text:
        return "config"
    return name if name in ("config", "runtime") else None


def _unwrapped(function: Callable[..., Any]) -> Any:
    inner = inspect.unwrap(function)
    while isinstance(inner, functools.partial):
        inner = inner.func
    return inner


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    inner = _unwrapped(function)
    if not inspect.isroutine(inner) and not isinstance(inner, type):
        inner = getattr(type(inner), "__call__", inner)  # noqa: B004 - the method itself is wanted
    try:
        return typing.get_type_hints(inner.__dict__["__init__"] if isinstance(inner, type) else inner)
    except Exception:  # names that exist for type checkers only, or nothing to be annotated
        return {}


def _context_type(function: Callable[..., Any]) -> type | None:
    for name, hint in _hints(function).items():
        if name != "return" and _kind(name, hint) == "runtime":
            for argument in typing.get_args(hint):
                if isinstance(argument, type):
                    return argument
    return None


def _coerced(wanted: type | None, context: Any) -> Any:
    """The run's context as the type that the factory's annotation names, as the library does for nodes."""
    if wanted is None or not isinstance(context, dict):
        return context
    if dataclasses.is_dataclass(wanted) or hasattr(wanted, "model_validate"):
        return cast(Any, wanted)(**context)
    return context
