"""A chat model that needs no network: it reads the conversation and plays a travel agent by a script.

What it says depends on the messages alone, so it can serve many threads at once, and a step that is
run again gives the same answer.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.tool import tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool

CITY = r"([A-Z][\w'-]*(?: [A-Z][\w'-]*)*)"
DAY = r"\b(today|tomorrow|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b"


class ScriptedTravelModel(GenericFakeChatModel):
    """LangChain's fake chat model, with its answers taken from the conversation instead of a list."""

    messages: Iterator[AIMessage | str] = iter(())
    seconds_per_token: float = 0.02

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=answer(messages))])

    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in chunks(answer(messages)):
            time.sleep(self.seconds_per_token)
            yield ChatGenerationChunk(message=chunk)

    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in chunks(answer(messages)):
            await asyncio.sleep(self.seconds_per_token)
            yield ChatGenerationChunk(message=chunk)

    @property
    def _llm_type(self) -> str:
        return "scripted-travel-model"


def answer(messages: list[BaseMessage]) -> AIMessage:
    """What the model says to a conversation."""
    last = messages[-1]
    if isinstance(last, ToolMessage) and last.name == "search_flights":
        return after_search(messages, last)
    if isinstance(last, ToolMessage) and last.name == "book_flight":
        return after_booking(messages, last)
    return after_human(messages)


def after_human(messages: list[BaseMessage]) -> AIMessage:
    text = last_request(messages)
    destination = re.search(rf"\bto {CITY}", text)
    if destination is None:
        return AIMessage("I can find a flight and book it. Where to, from where, and on which day?")
    origin = re.search(rf"\bfrom {CITY}", text)
    day = re.search(DAY, text, re.IGNORECASE)
    args = {
        "origin": origin[1] if origin else "Berlin",
        "destination": destination[1],
        "day": day[1].capitalize() if day else "Tomorrow",
    }
    return call(
        messages, "Let me look for flights from {origin} to {destination}.".format(**args), "search_flights", args
    )


def after_search(messages: list[BaseMessage], result: ToolMessage) -> AIMessage:
    flights = read_json(result)
    if result.status == "error" or not flights:
        return AIMessage(f"I could not find a flight: {result.content}")
    words = last_request(messages).lower()
    best = flights[0]
    why = "the cheapest"
    if "morning" in words or "early" in words or "earliest" in words:
        best, why = min(flights, key=lambda flight: flight["departs"]), "the earliest"
    elif "evening" in words or "late" in words:
        best, why = max(flights, key=lambda flight: flight["departs"]), "the latest"
    text = (
        f"I found {len(flights)} flights. {why.capitalize()} is {best['flight']} with {best['airline']}: "
        f"it leaves at {best['departs']} and costs {best['price_eur']} EUR. I will ask for approval to book it."
    )
    return call(messages, text, "book_flight", booking(best))


def after_booking(messages: list[BaseMessage], result: ToolMessage) -> AIMessage:
    booked = read_json(result)
    if result.status != "error":
        seats = "1 seat" if booked["passengers"] == 1 else f"{booked['passengers']} seats"
        code = booked["confirmation"]
        return AIMessage(f"Done: {seats} on {booked['flight']}, confirmation {code}. Have a good trip!")
    said = booked["person_said"] if booked else str(result.content)
    other = flight_named_in(said, messages)
    if other is not None:
        text = f"All right, {other['flight']} at {other['departs']} for {other['price_eur']} EUR instead."
        return call(messages, text, "book_flight", booking(other))
    return AIMessage(f"Nothing was booked. The answer was: {said}. Tell me what to look for instead.")


def flight_named_in(text: str, messages: list[BaseMessage]) -> dict[str, Any] | None:
    """The flight of the last search that the text names by its number."""
    searches = [m for m in messages if isinstance(m, ToolMessage) and m.name == "search_flights"]
    flights = read_json(searches[-1]) if searches else None
    plain = text.replace(" ", "").upper()
    return next((f for f in flights or [] if f["flight"].replace(" ", "") in plain), None)


def booking(flight: dict[str, Any]) -> dict[str, Any]:
    return {key: flight[key] for key in ("flight", "origin", "destination", "day")}


def last_request(messages: list[BaseMessage]) -> str:
    """The text of the last thing that the user wrote."""
    return next((message.text for message in reversed(messages) if isinstance(message, HumanMessage)), "")


def read_json(message: ToolMessage) -> Any:
    """The content of a tool's result, None when it is not JSON."""
    try:
        return json.loads(message.text)
    except ValueError:
        return None


def call(messages: list[BaseMessage], text: str, name: str, args: dict[str, Any]) -> AIMessage:
    """An answer that calls a tool. The call's id is the same whenever the step is run again."""
    return AIMessage(text, tool_calls=[tool_call(name=name, args=args, id=f"call_{name}_{len(messages)}")])


def chunks(message: AIMessage) -> Iterator[AIMessageChunk]:
    """The message in the pieces that a provider would send: words, then the call's arguments bit by bit."""
    pieces = [AIMessageChunk(content=word) for word in re.findall(r"\s*\S+", message.text)]
    for index, each in enumerate(message.tool_calls):
        head = tool_call_chunk(name=each["name"], args="", id=each["id"], index=index)
        pieces.append(AIMessageChunk(content="", tool_call_chunks=[head]))
        for bit in re.findall(r".{1,12}", json.dumps(each["args"], ensure_ascii=False), re.DOTALL):
            more = tool_call_chunk(name=None, args=bit, id=None, index=index)
            pieces.append(AIMessageChunk(content="", tool_call_chunks=[more]))
    pieces[-1].chunk_position = "last"
    yield from pieces
