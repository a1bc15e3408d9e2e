"""How runs end, and what they are given."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from langgraph.errors import ParentCommand
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from duragraph_host.errors import RunDead, Superseded
from duragraph_host.runner import execute
from fakes import HELLO, AnyGraph, FakeChannel, State, agent, chain, lease_of, project_of
from fakes import execute_run as run


def test_errors() -> None:
    class CustomError(Exception):
        pass

    def fail(state: Any) -> Any:
        raise CustomError("Boo!")

    outcome, _ = run(chain(a=fail), input={"items": []})
    assert outcome.status == "error" and outcome.error is not None
    assert (outcome.error["error"], outcome.error["message"]) == ("CustomError", "Boo!")
    assert "in fail" in outcome.error["traceback"]

    lease = lease_of(input=HELLO)
    lease["config"]["recursion_limit"] = 1
    project, channel = project_of(agent=agent()), FakeChannel()
    outcome = asyncio.run(execute(project, project.graphs["agent"], lease, channel))
    assert outcome.error is not None and outcome.error["error"] == "GraphRecursionError"


def test_parent_command() -> None:
    def node(state: Any) -> Any:
        raise ParentCommand(Command(graph=Command.PARENT, update={"items": [1]}, goto="other"))

    outcome, channel = run(chain(a=node), input={"items": []})
    assert outcome.status == "success"
    data = {"graph": "__parent__", "update": {"items": [1]}, "goto": "other", "resume": None}
    assert channel.frames[-1] == ("command", data)


def test_functional_api() -> None:
    @task
    def double(x: int) -> int:
        return 2 * x

    @entrypoint()
    def flow(x: int) -> Any:
        return {"doubled": double(x).result(), "ok": interrupt("ok?")}

    outcome, channel = run(flow, thread_id="t", input=2, stream_modes=["updates"])
    assert outcome.status == "interrupted"
    outcome, channel = run(flow, FakeChannel(channel.saver), thread_id="t", command={"resume": True})
    assert (outcome.status, channel.frames[-1]) == ("success", ("values", {"doubled": 4, "ok": True}))


def test_context_config_and_store() -> None:
    seen: list[Any] = []

    class Context(TypedDict):
        model: str

    def told(state: Any, runtime: Any, config: Any) -> Any:
        seen.append(
            (runtime.context, config["configurable"]["k"], config["metadata"]["run_id"], config["tags"])
        )
        runtime.store.put(("a",), "k", {"v": 1})
        return {}

    from langchain_core.runnables import RunnableConfig
    from langgraph.runtime import Runtime

    told.__annotations__.update(runtime=Runtime, config=RunnableConfig)
    node: Any = told
    builder = StateGraph(State, context_schema=Context)
    builder.add_node("a", node)
    builder.add_edge(START, "a")
    lease = lease_of(input={"items": []}, context={"model": "m"}, configurable={"k": 7})
    lease["config"]["tags"] = ["mine"]
    project, channel = project_of(agent=builder.compile()), FakeChannel()
    outcome = asyncio.run(execute(project, project.graphs["agent"], lease, channel))
    assert outcome.status == "success", outcome
    context, k, run_id, tags = seen[0]
    assert (context, k, run_id) == ({"model": "m"}, 7, lease["run_id"]) and "mine" in tags
    assert channel.store.get(("a",), "k") is not None


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
def test_another_attempt_continues(durability: str) -> None:
    ran: list[str] = []
    broken = True

    def second(state: Any) -> Any:
        ran.append("b")
        if broken:
            raise RuntimeError("the process died")
        return {"items": ["b"]}

    def first(state: Any) -> Any:
        ran.append("a")
        return {"items": ["a"]}

    graph = chain(a=first, b=second)
    lease = lease_of(input={"items": ["in"]}, durability=durability)
    project, channel = project_of(agent=graph), FakeChannel()
    assert asyncio.run(execute(project, project.graphs["agent"], lease, channel)).status == "error"
    broken = False
    again = FakeChannel(channel.saver)
    asyncio.run(execute(project, project.graphs["agent"], {**lease, "attempt": 2}, again))
    assert ran == ["a", "b", "b"]
    assert again.frames[-1] == ("values", {"items": ["in", "a", "b"]})


def test_cancel_propagates_and_a_dead_run_raises() -> None:
    async def waits(state: Any) -> Any:
        await asyncio.sleep(60)

    async def go() -> None:
        project, channel = project_of(agent=chain(a=waits)), FakeChannel()
        lease = lease_of(input={"items": []})
        running = asyncio.create_task(execute(project, project.graphs["agent"], lease, channel))
        while not channel.frames:
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(go())

    class DeadChannel(FakeChannel):
        def send_frame(self, event: str, data: bytes) -> None:
            raise Superseded("another owner")

    with pytest.raises(RunDead):
        run(chain(a=lambda s: {}), DeadChannel(), input={"items": []})


def test_factory_is_open_while_the_run_lasts(capsys: pytest.CaptureFixture[str]) -> None:
    from duragraph_host.factory import Factory

    steps: list[str] = []

    @contextlib.asynccontextmanager
    async def make(config: Any) -> AsyncIterator[AnyGraph]:
        steps.append("open")
        yield chain(a=lambda s: steps.append("run"))
        steps.append("close")

    outcome, _ = run(Factory(make, "x:make"), input={"items": []})
    assert (outcome.status, steps) == ("success", ["open", "run", "close"])

    def broken() -> Any:
        raise LookupError("no model")

    outcome, _ = run(Factory(broken, "x:broken"), input={"items": []})
    assert outcome.error is not None and outcome.error["error"] == "LookupError"
