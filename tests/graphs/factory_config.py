"""A graph made by a factory of the config; `configurable.greeting` changes what it says."""

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    name: str
    said: str


def make(config: RunnableConfig) -> CompiledStateGraph:
    greeting = config.get("configurable", {}).get("greeting", "hello")

    def greet(state: State) -> dict[str, Any]:
        return {"said": f"{greeting} {state.get('name', 'world')}"}

    builder = StateGraph(State)
    builder.add_node(greet)
    builder.add_edge(START, "greet")
    builder.add_edge("greet", END)
    return builder.compile(name="factory_config")
