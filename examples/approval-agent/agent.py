"""A travel agent that finds flights, and books one only after a person has agreed.

    agent ──► tools ──► agent ──► approve ──► agent ──► end
              (search)            (asks a person, then books)

Everything here is plain LangGraph. Without an API key the answers come from a scripted model
(see scripted_model.py); with OPENAI_API_KEY set, from the real one.
"""

import functools
import json
import os
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, SystemMessage, ToolCall, ToolMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import interrupt

from scripted_model import ScriptedTravelModel
from tools import book_flight, search_flights

TOOLS = {tool.name: tool for tool in (search_flights, book_flight)}
NEEDS_APPROVAL = {"book_flight"}

SYSTEM_PROMPT = (
    "You are a travel agent. Use search_flights before you propose anything. Book with book_flight as soon as "
    "you know which flight the user wants; a person is asked before the booking is made, so never ask for "
    "confirmation yourself. When a booking is declined, say so and follow what the person said."
)


@functools.cache
def get_model() -> BaseChatModel:
    """The real model when OPENAI_API_KEY is set, else the scripted one."""
    if not os.environ.get("OPENAI_API_KEY"):
        return ScriptedTravelModel()
    try:
        from langchain_openai import ChatOpenAI
    except ImportError as error:
        raise RuntimeError(
            "OPENAI_API_KEY is set, but langchain-openai is not installed in this project's environment. "
            "Install it with: pip install langchain-openai"
        ) from error
    return ChatOpenAI(model=os.environ.get("OPENAI_MODEL", "gpt-4o-mini"), streaming=True)


def pending_calls(state: MessagesState) -> list[ToolCall]:
    """The tool calls of the last answer of the model that have no result yet."""
    answered: set[str] = set()
    for message in reversed(state["messages"]):
        if isinstance(message, ToolMessage):
            answered.add(message.tool_call_id)
        elif isinstance(message, AIMessage):
            return [call for call in message.tool_calls if call["id"] not in answered]
        else:
            break
    return []


async def agent(state: MessagesState) -> dict[str, Any]:
    """Lets the model answer, or call tools."""
    model = get_model().bind_tools(list(TOOLS.values()))
    answer = await model.ainvoke([SystemMessage(SYSTEM_PROMPT), *state["messages"]])
    return {"messages": [answer]}


async def tools(state: MessagesState) -> dict[str, Any]:
    """Carries out the calls that need nobody's approval."""
    calls = [call for call in pending_calls(state) if call["name"] not in NEEDS_APPROVAL]
    return {"messages": [await carry_out(call) for call in calls]}


async def approve(state: MessagesState) -> dict[str, Any]:
    """Asks a person about the next call that needs approval, and carries it out if they agree.

    Nothing happens before the question: this node runs again from its start when the answer comes.
    """
    call = next(call for call in pending_calls(state) if call["name"] in NEEDS_APPROVAL)
    answer = interrupt(
        {
            "question": "Shall I book flight {flight} from {origin} to {destination}?".format_map(
                {"flight": "?", "origin": "?", "destination": "?"} | call["args"]
            ),
            "action": call["name"],
            "args": call["args"],
            "answers": {
                "approve": {"approved": True},
                "approve with changes": {"approved": True, "args": {"passengers": 2}},
                "decline": {"approved": False, "reason": "too early"},
                "say something else": "any text",
            },
        }
    )
    approved, changes, said = read_answer(answer)
    if approved:
        return {"messages": [await carry_out({**call, "args": {**call["args"], **changes}})]}
    refusal = {"booked": False, "person_said": said or "no"}
    return {"messages": [tool_message(call, json.dumps(refusal), status="error")]}


def read_answer(answer: Any) -> tuple[bool, dict[str, Any], str]:
    """What the person said: whether they agree, the arguments they changed, and their words."""
    if isinstance(answer, bool):
        return answer, {}, ""
    if isinstance(answer, dict):
        changes = answer.get("args")
        changes = changes if isinstance(changes, dict) else {}
        return bool(answer.get("approved")), changes, str(answer.get("reason", ""))
    said = str(answer).strip()
    return said.lower().rstrip("!.") in {"yes", "y", "ok", "approve", "approved"}, {}, said


async def carry_out(call: ToolCall) -> ToolMessage:
    """The result of a tool call; what the tool complains about goes back to the model."""
    tool = TOOLS.get(call["name"])
    if tool is None:
        return tool_message(call, f"There is no tool {call['name']}.", status="error")
    try:
        return tool_message(call, json.dumps(await tool.ainvoke(call["args"])))
    except ValueError as error:
        return tool_message(call, str(error), status="error")


def tool_message(call: ToolCall, content: str, status: Literal["success", "error"] = "success") -> ToolMessage:
    return ToolMessage(content=content, name=call["name"], tool_call_id=call["id"], status=status)


def next_node(state: MessagesState) -> str:
    """Calls that need no approval come first, then the others, then the model; no calls end the turn."""
    calls = pending_calls(state)
    if any(call["name"] not in NEEDS_APPROVAL for call in calls):
        return "tools"
    if calls:
        return "approve"
    return END if isinstance(state["messages"][-1], AIMessage) else "agent"


builder = StateGraph(MessagesState)
builder.add_node(agent)
builder.add_node(tools)
builder.add_node(approve)
builder.add_edge(START, "agent")
builder.add_conditional_edges("agent", next_node, ["tools", "approve", END])
builder.add_conditional_edges("tools", next_node, ["approve", "agent"])
builder.add_conditional_edges("approve", next_node, ["approve", "agent"])
graph = builder.compile(name="approval-agent")
