"""The graphs that `duragraph bench` runs. None of them calls a model."""

import asyncio
import time
from operator import add
from typing import Annotated, Any

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from typing_extensions import TypedDict


class Steps(TypedDict):
    steps: Annotated[list[str], add]


def _step(name: str) -> Any:
    def node(state: Steps) -> dict[str, list[str]]:
        return {"steps": [name]}

    return node


def build_steps() -> StateGraph:
    """Three nodes in a row, each of which adds its name."""
    graph = StateGraph(Steps)
    names = ("a", "b", "c")
    for name in names:
        graph.add_node(name, _step(name))
    for before, after in zip((START, *names), (*names, END), strict=True):
        graph.add_edge(before, after)
    return graph


class Tokens(TypedDict):
    count: int
    per_second: float


async def _emit(state: Tokens) -> dict[str, int]:
    writer = get_stream_writer()
    loop = asyncio.get_running_loop()
    begin = loop.time()
    for number in range(state["count"]):
        await asyncio.sleep(max(0.0, begin + number / state["per_second"] - loop.time()))
        writer({"at": time.time(), "token": f"token{number:05}"})
    return {"count": state["count"]}


def build_tokens() -> StateGraph:
    """One node that streams tokens evenly, each with the time at which it was made."""
    graph = StateGraph(Tokens)
    graph.add_node("emit", _emit)
    graph.add_edge(START, "emit")
    graph.add_edge("emit", END)
    return graph


class Chat(MessagesState):
    reply: str


def _answer(state: Chat) -> dict[str, list[dict[str, str]]]:
    return {"messages": [{"role": "assistant", "content": state["reply"]}]}


def build_chat() -> StateGraph:
    """A chat whose answers are given with the questions, so that their size is known."""
    graph = StateGraph(Chat)
    graph.add_node("answer", _answer)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", END)
    return graph


steps = build_steps().compile()
tokens = build_tokens().compile()
chat = build_chat().compile()
