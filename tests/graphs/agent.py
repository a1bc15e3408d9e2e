"""A chat agent that loops agent -> tool -> agent, as the test graph of LangGraph's JavaScript server does.

The model says "begin", the tool answers "tool_call__begin", the model says "end"; tokens are single
characters. Input beside the messages: `delay` (seconds between tokens), `sleep` (seconds before the
model is asked), `interrupt` (ask a person first).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import interrupt

from journal import record


class CharacterModel(GenericFakeChatModel):
    """Says "end" after a tool's result and "begin" otherwise, one character at a time."""

    messages: Iterator[AIMessage | str] = iter(())
    delay: float = 0.0

    def _text(self, messages: list[BaseMessage]) -> str:
        return "end" if messages and isinstance(messages[-1], ToolMessage) else "begin"

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(self._text(messages)))])

    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        for character in self._text(messages):
            time.sleep(self.delay)
            yield ChatGenerationChunk(message=AIMessageChunk(content=character))

    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for character in self._text(messages):
            await asyncio.sleep(self.delay)
            yield ChatGenerationChunk(message=AIMessageChunk(content=character))

    @property
    def _llm_type(self) -> str:
        return "character-model"


class State(MessagesState, total=False):
    delay: float
    sleep: float
    interrupt: bool
    answer: Any


async def agent(state: State, config: RunnableConfig) -> dict[str, Any]:
    record(config, "agent")
    update: dict[str, Any] = {}
    if state.get("interrupt") and "answer" not in state:
        update["answer"] = interrupt("I want to interrupt")
    if state.get("sleep"):
        await asyncio.sleep(state["sleep"])
    model = CharacterModel(delay=state.get("delay") or 0.0)
    update["messages"] = [await model.ainvoke(state["messages"])]
    return update


async def tool(state: State, config: RunnableConfig) -> dict[str, Any]:
    record(config, "tool")
    said = state["messages"][-1].text
    return {"messages": [ToolMessage(content=f"tool_call__{said}", tool_call_id="tool_call_id")]}


def after_agent(state: State) -> str:
    return END if state["messages"][-1].text == "end" else "tool"


builder = StateGraph(State)
builder.add_node(agent)
builder.add_node(tool)
builder.add_edge(START, "agent")
builder.add_conditional_edges("agent", after_agent, ["tool", END])
builder.add_edge("tool", "agent")
graph = builder.compile(name="agent")
