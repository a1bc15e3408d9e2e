"""What the tests of execution share: a channel that only records, and a saver that records projections."""

from __future__ import annotations

import asyncio
import itertools
import json
import operator
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.pregel import Pregel
from langgraph.store.memory import InMemoryStore
from typing_extensions import TypedDict

from duragraph_host import contexts
from duragraph_host.loader import GraphEntry, Project
from duragraph_host.runner import Outcome, execute

AnyGraph = Pregel[Any, Any, Any, Any]

contexts.install()  # As the host does before it loads a project.


class RecordingSaver(InMemorySaver):
    """Keeps the projection of each checkpoint and the patches of each task, as the server would."""

    def __init__(self) -> None:
        super().__init__()
        self.projector: Any = None
        self.has_next: bool | None = None
        self.projections: dict[tuple[str, str], Any] = {}
        self.patches: list[tuple[str, str, str, Any]] = []

    def put(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        ns = config["configurable"].get("checkpoint_ns", "")
        made = self.projector.checkpoint(config, checkpoint, metadata)
        self.projections[(ns, checkpoint["id"])] = None if made is None else json.loads(made.json)
        if not ns:
            self.has_next = None if made is None else made.has_next
        return super().put(config, checkpoint, metadata, new_versions)

    def put_writes(self, config: Any, writes: Any, task_id: str, task_path: str = "") -> None:
        configurable = config["configurable"]
        ns = configurable.get("checkpoint_ns", "")
        if (patch := self.projector.task(writes, ns, task_id)) is not None:
            self.patches.append((ns, configurable["checkpoint_id"], task_id, json.loads(patch)))
        super().put_writes(config, writes, task_id, task_path)

    def shown(self, ns: str, checkpoint_id: str) -> Any:
        """A projection with all its patches."""
        projection = json.loads(json.dumps(self.projections[(ns, checkpoint_id)]))
        for task in projection["tasks"]:
            for patch_ns, patch_checkpoint, task_id, patch in self.patches:
                if (patch_ns, patch_checkpoint, task_id) == (ns, checkpoint_id, task["id"]):
                    task.update(patch)
        return projection


class FakeChannel:
    """A run's channel without a server."""

    def __init__(self, saver: RecordingSaver | None = None) -> None:
        self.saver = saver or RecordingSaver()
        self.store = InMemoryStore()
        self.frames: list[tuple[str, Any]] = []
        self.saver.has_next = None  # As of a new run.

    @property
    def has_next(self) -> bool | None:
        return self.saver.has_next

    def send_frame(self, event: str, data: bytes) -> None:
        self.frames.append((event, json.loads(data)))

    async def drain(self) -> None:
        return None

    def events(self) -> list[str]:
        return [event for event, _ in self.frames]

    def of(self, event: str) -> list[Any]:
        return [data for name, data in self.frames if name == event]


def project_of(**graphs: Any) -> Project:
    """A project of graphs that exist already."""
    entries = {name: GraphEntry(name, target=graph) for name, graph in graphs.items()}
    return Project(Path("/nowhere/langgraph.json"), {}, entries, JsonPlusSerializer())


def lease_of(graph_id: str = "agent", **fields: Any) -> dict[str, Any]:
    """A lease as the server gives it."""
    run_id = str(uuid.uuid4())
    thread_id = fields.pop("thread_id", None) or str(uuid.uuid4())
    configurable = {"thread_id": thread_id, "run_id": run_id, **fields.pop("configurable", {})}
    base = {
        "run_id": run_id,
        "thread_id": thread_id,
        "graph_id": graph_id,
        "assistant_id": str(uuid.uuid4()),
        "epoch": 1,
        "attempt": 1,
        "input": None,
        "command": None,
        "config": {
            "configurable": configurable,
            "metadata": {"run_id": run_id},
            "tags": [],
            "recursion_limit": 25,
        },
        "context": None,
        "stream_modes": ["values"],
        "subgraphs": False,
        "interrupt_before": None,
        "interrupt_after": None,
        "durability": "async",
        "temporary": False,
    }
    return {**base, **fields}


def fake_model(replies: Iterable[Any]) -> GenericFakeChatModel:
    """A chat model that streams the given messages, word by word."""
    return GenericFakeChatModel(messages=iter(replies))


class State(TypedDict, total=False):
    items: Annotated[list[Any], operator.add]


def execute_run(graph: Any, channel: FakeChannel | None = None, **fields: Any) -> tuple[Outcome, FakeChannel]:
    project, channel = project_of(agent=graph), channel or FakeChannel()
    return asyncio.run(execute(project, project.graphs["agent"], lease_of(**fields), channel)), channel


def chain(**nodes: Any) -> AnyGraph:
    builder = StateGraph(State)
    names = [START, *nodes]
    for name, node in nodes.items():
        builder.add_node(name, node)
    for source, target in itertools.pairwise(names):
        builder.add_edge(source, target)
    return builder.compile()


def agent() -> AnyGraph:
    """An agent whose model calls a tool and then answers."""
    call = {"name": "look", "args": {}, "id": "c1"}
    model = fake_model([AIMessage("begin now", tool_calls=[call]), AIMessage("the end")])

    async def think(state: MessagesState) -> Any:
        return {"messages": [await model.ainvoke(state["messages"])]}

    def tool(state: MessagesState) -> Any:
        return {"messages": [ToolMessage("found", tool_call_id="c1", id="tool-1")]}

    def after(state: MessagesState) -> str:
        return "tool" if len(state["messages"]) == 2 else END

    builder = StateGraph(MessagesState)
    builder.add_node("agent", think)
    builder.add_node("tool", tool)
    builder.add_edge(START, "agent")
    builder.add_conditional_edges("agent", after, ["tool", END])
    builder.add_edge("tool", "agent")
    return builder.compile()


HELLO = {"messages": [{"role": "human", "content": "hello", "id": "h1"}]}
