"""Plans, asks a person, and ends; after the answer it can be held by the input `gate` as in slow.py."""

import asyncio
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict

from journal import Guard, is_open, record


class State(TypedDict, total=False):
    topic: str
    gate: str
    plan: str
    answer: Any
    result: str


def plan(state: State, config: RunnableConfig) -> dict[str, Any]:
    record(config, "plan")
    return {"plan": f"a plan for {state.get('topic', 'nothing')}"}


def review(state: State, config: RunnableConfig) -> dict[str, Any]:
    record(config, "review")
    answer = interrupt({"question": "Is this plan good?", "plan": state["plan"]})
    record(config, "review.answered")
    return {"answer": answer}


async def done(state: State, config: RunnableConfig) -> dict[str, Any]:
    record(config, "done")
    gate, guard = state.get("gate"), Guard()
    while not is_open(gate):
        guard.check(gate)
        await asyncio.sleep(0.01)
    return {"result": f"{state['plan']}: {state['answer']}"}


builder = StateGraph(State)
builder.add_sequence([plan, review, done])
builder.add_edge(START, "plan")
builder.add_edge("done", END)
graph = builder.compile(name="human")
