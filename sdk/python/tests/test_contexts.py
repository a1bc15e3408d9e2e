"""Async nodes find their config, on Python 3.10 too: here the library is told that this is one, wherever it asks."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import langchain_core.runnables.utils
import langgraph._internal._future
import langgraph._internal._runnable
import langgraph.pregel._executor
import pytest
from langchain_core.runnables.config import var_child_runnable_config
from langgraph._internal._runnable import RunnableCallable
from langgraph.config import get_config, get_store, get_stream_writer
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import Send, interrupt

from duragraph_host import contexts
from fakes import HELLO, FakeChannel, State, agent, chain
from fakes import execute_run as run


@pytest.fixture(autouse=True)
def python_310(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(langgraph._internal._runnable, "ASYNCIO_ACCEPTS_CONTEXT", False)
    monkeypatch.setattr(langgraph._internal._future, "CONTEXT_NOT_SUPPORTED", True)
    monkeypatch.setattr(langgraph.pregel._executor, "CONTEXT_NOT_SUPPORTED", True)
    monkeypatch.setattr(langchain_core.runnables.utils, "asyncio_accepts_context", lambda: False)
    monkeypatch.setattr(contexts, "NEEDED", True)
    plain = getattr(RunnableCallable.ainvoke, "__wrapped__", RunnableCallable.ainvoke)
    monkeypatch.setattr(RunnableCallable, "ainvoke", plain)


async def ask(state: State) -> Any:
    await asyncio.sleep(0)
    return {"items": [interrupt("who?")]}


def test_the_library_alone_gives_them_none() -> None:
    """The day that this fails, the module under test has nothing to do any more."""
    outcome, _ = run(chain(ask=ask), input={"items": []})
    assert outcome.status == "error" and outcome.error is not None
    assert "outside of a runnable context" in outcome.error["message"]


def test_interrupt() -> None:
    contexts.install()
    channel = FakeChannel()
    outcome, _ = run(chain(ask=ask), channel, input={"items": []}, thread_id="t")
    assert outcome.status == "interrupted"
    outcome, _ = run(chain(ask=ask), channel, command={"resume": "me"}, thread_id="t")
    assert outcome.status == "success" and channel.frames[-1][1]["items"] == ["me"]


def test_store_writer_and_config() -> None:
    contexts.install()

    async def node(state: State) -> Any:
        await get_store().aput(("seen",), "node", {"ok": True})
        get_stream_writer()({"said": "this"})
        return {"items": [get_config()["metadata"]["langgraph_node"]]}

    outcome, channel = run(chain(node=node), input={"items": []}, stream_modes=["custom", "values"])
    assert outcome.status == "success", outcome
    assert channel.of("custom") == [{"said": "this"}] and channel.of("values")[-1]["items"] == ["node"]
    assert channel.store.get(("seen",), "node") is not None


def test_a_model_streams() -> None:
    contexts.install()
    _, channel = run(agent(), input=HELLO, stream_modes=["messages-tuple"])
    assert [m["content"] for m, _ in channel.of("messages") if m["content"]][:3] == ["begin", " ", "now"]


def test_nodes_that_run_together_and_subgraphs_have_their_own() -> None:
    contexts.install()
    inner = chain(inner=ask)

    async def branch(state: Any) -> Any:
        before = get_config()["configurable"]["checkpoint_ns"]
        answer = await inner.ainvoke({"items": []})
        assert get_config()["configurable"]["checkpoint_ns"] == before
        return {"items": [[state["number"], *answer["items"]]]}

    builder = StateGraph(State)
    builder.add_node("branch", branch)
    builder.add_conditional_edges(START, lambda _: [Send("branch", {"number": n}) for n in range(3)], ["branch"])
    channel = FakeChannel()
    outcome, _ = run(builder.compile(), channel, input={"items": []}, thread_id="t")
    assert outcome.status == "interrupted"
    asked = {i["id"] for frame in channel.of("values") for i in frame.get("__interrupt__", [])}
    assert len(asked) == 3
    outcome, _ = run(builder.compile(), channel, command={"resume": dict.fromkeys(asked, "x")}, thread_id="t")
    assert outcome.status == "success"
    assert channel.of("values")[-1]["items"] == [[0, "x"], [1, "x"], [2, "x"]]
    assert var_child_runnable_config.get() is None


def test_tasks_of_the_functional_api() -> None:
    contexts.install()

    @task
    async def double(number: int) -> int:
        get_stream_writer()(number)
        return 2 * number

    @entrypoint()
    async def flow(number: int) -> Any:
        return [await double(number), interrupt("more?")]

    channel = FakeChannel()
    outcome, _ = run(flow, channel, input=4, thread_id="t", stream_modes=["custom", "updates"])
    assert outcome.status == "interrupted" and channel.of("custom") == [4]
    outcome, _ = run(flow, channel, command={"resume": "yes"}, thread_id="t", stream_modes=["values"])
    assert outcome.status == "success" and channel.of("values")[-1] == [8, "yes"]


def test_it_is_done_once_and_only_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = RunnableCallable.ainvoke
    monkeypatch.setattr(contexts, "NEEDED", False)
    contexts.install()
    assert RunnableCallable.ainvoke is plain
    monkeypatch.setattr(contexts, "NEEDED", True)
    contexts.install()
    wrapped = RunnableCallable.ainvoke
    contexts.install()
    assert wrapped is not plain and RunnableCallable.ainvoke is wrapped


def test_a_library_without_the_place_is_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "langgraph._internal._runnable", None)
    contexts.install()
    assert "interrupt()" in caplog.text and "3.10" in caplog.text
