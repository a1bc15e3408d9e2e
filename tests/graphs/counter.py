"""Adds to `count`: one, or the `step` of the run's context (or of `configurable`)."""

import operator
from dataclasses import dataclass
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from typing_extensions import TypedDict


@dataclass
class Context:
    step: int = 1


class State(TypedDict, total=False):
    count: Annotated[int, operator.add]


def increment(state: State, config: RunnableConfig, runtime: Runtime[Context]) -> dict[str, Any]:
    from_config = config.get("configurable", {}).get("step")
    from_context = runtime.context.step if runtime.context else 1
    return {"count": from_config if from_config is not None else from_context}


builder = StateGraph(State, context_schema=Context)
builder.add_node(increment)
builder.add_edge(START, "increment")
builder.add_edge("increment", END)
graph = builder.compile(name="counter")
