from __future__ import annotations

import asyncio
import typing
from typing import Annotated, Any

import pytest
from langgraph.func import entrypoint
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from pydantic import BaseModel

from duragraph_host import describe
from fakes import AnyGraph, project_of

SCHEMAS = {"input_schema", "output_schema", "state_schema", "config_schema", "context_schema"}


class Part(typing.TypedDict, total=False):
    name: str


class Old(typing.TypedDict):
    """Of ``typing``, which pydantic refuses before Python 3.12."""

    parts: list[Part]
    count: int | None
    messages: Annotated[list[Any], add_messages]


class Context(typing.TypedDict):
    model: str


def inner() -> AnyGraph:
    builder = StateGraph(MessagesState)
    builder.add_node("one", lambda s: {})
    builder.add_edge(START, "one")
    return builder.compile()


def outer() -> AnyGraph:
    builder = StateGraph(MessagesState, context_schema=Context)
    builder.add_node("agent", lambda s: {}, metadata={"k": "v"})
    builder.add_node("sub", inner())
    builder.add_edge(START, "agent")
    builder.add_conditional_edges("agent", lambda s: "sub", ["sub", END])
    return builder.compile()


def ask(method: Any, graph: Any, **params: Any) -> Any:
    return asyncio.run(method(project_of(g=graph), {"graph_id": "g", "config": {}, **params}))


def test_graph() -> None:
    drawn = ask(describe.graph, outer(), xray=False)
    nodes = {node["id"]: node for node in drawn["nodes"]}
    assert nodes["__start__"] == {"id": "__start__", "type": "schema", "data": "__start__"}
    assert nodes["__end__"] == {"id": "__end__", "type": "schema", "data": "__end__"}
    assert (nodes["agent"]["type"], nodes["agent"]["data"]["name"]) == ("runnable", "agent")
    assert nodes["agent"]["metadata"] == {"k": "v"}
    assert {"source": "__start__", "target": "agent"} in drawn["edges"]
    assert {"source": "agent", "target": "sub", "conditional": True} in drawn["edges"]


@pytest.mark.parametrize("xray", [True, 1, 2])
def test_graph_with_its_subgraphs(xray: Any) -> None:
    drawn = ask(describe.graph, outer(), xray=xray)
    assert "sub:one" in {node["id"] for node in drawn["nodes"]}


def test_schemas() -> None:
    made = ask(describe.schemas, outer())
    assert set(made) == SCHEMAS | {"graph_id"} and made["graph_id"] == "g"
    for name in ("input_schema", "output_schema", "state_schema"):
        assert "messages" in made[name]["properties"]
    assert made["context_schema"]["properties"]["model"]["type"] == "string"
    assert made["config_schema"] == made["context_schema"]


def test_schemas_of_older_typed_dicts() -> None:
    builder = StateGraph(Old)
    builder.add_node("a", lambda s: {})
    builder.add_edge(START, "a")
    made = ask(describe.schemas, builder.compile())
    for name in ("input_schema", "output_schema", "state_schema"):
        assert set(made[name]["properties"]) == {"parts", "count", "messages"}
    assert made["context_schema"] is None


class Odd:
    """Has no schema."""


class Strange(typing.TypedDict):
    odd: Odd


def test_schemas_that_cannot_be_made() -> None:
    builder = StateGraph(Strange)
    builder.add_node("a", lambda s: {})
    builder.add_edge(START, "a")
    made = ask(describe.schemas, builder.compile())
    assert (made["input_schema"], made["state_schema"], made["config_schema"]) == (None, None, {})


def test_schemas_of_models_and_functions() -> None:
    class Model(BaseModel):
        number: int

    builder = StateGraph(Model)
    builder.add_node("a", lambda s: {})
    builder.add_edge(START, "a")
    assert ask(describe.schemas, builder.compile())["input_schema"]["required"] == ["number"]

    @entrypoint()
    def flow(x: int) -> str:
        return str(x)

    made = ask(describe.schemas, flow)
    assert (made["input_schema"]["type"], made["output_schema"]["type"]) == ("integer", "string")


def test_subgraphs() -> None:
    builder = StateGraph(MessagesState)
    builder.add_node("outer", outer())
    builder.add_edge(START, "outer")
    top = builder.compile()
    assert list(ask(describe.subgraphs, top)) == ["outer"]
    assert list(ask(describe.subgraphs, top, recurse=True)) == ["outer", "outer|sub"]
    only = ask(describe.subgraphs, top, recurse=True, namespace="outer|sub")
    assert list(only) == ["outer|sub"]
    assert set(only["outer|sub"]) == SCHEMAS | {"input", "output", "state", "config"}
    assert only["outer|sub"]["input"] == only["outer|sub"]["input_schema"]
