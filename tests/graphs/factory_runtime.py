"""A graph made by a factory of the config and the server's runtime; it tells what it was given.

An old langgraph-sdk has no ServerRuntime: there the factory takes the config alone.
"""

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from typing_extensions import TypedDict

try:
    from langgraph_sdk.runtime import ServerRuntime
except ImportError:
    ServerRuntime = None


class State(TypedDict, total=False):
    seen: dict[str, Any]


def _build(seen: dict[str, Any]) -> CompiledStateGraph:
    def look(state: State) -> dict[str, Any]:
        return {"seen": seen}

    builder = StateGraph(State)
    builder.add_node(look)
    builder.add_edge(START, "look")
    builder.add_edge("look", END)
    return builder.compile(name="factory_runtime")


if ServerRuntime is None:

    def make(config: RunnableConfig) -> CompiledStateGraph:
        return _build({"tag": config.get("configurable", {}).get("tag"), "access_context": None})

else:

    def make(config: RunnableConfig, runtime: ServerRuntime) -> CompiledStateGraph:
        executing = runtime.execution_runtime
        return _build(
            {
                "tag": config.get("configurable", {}).get("tag"),
                "access_context": runtime.access_context,
                "has_store": runtime.store is not None,
                "executing": executing is not None,
                "context": executing.context if executing else None,
            }
        )
