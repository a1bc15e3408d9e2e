from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.graph import END, START, StateGraph
from langgraph.store.base import GetOp, InvalidNamespaceError, PutOp, SearchOp
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict

from duragraph_host.codec import Projection
from duragraph_host.connection import Connection
from duragraph_host.errors import RequestError, RunDead
from duragraph_host.saver import ServerSaver
from duragraph_host.store import ServerStore
from server_double import ServerDouble
from support import Recorder, connected, leased

Worker = tuple[Connection, Recorder]


@pytest.fixture
def worker(server: ServerDouble) -> Iterator[Worker]:
    with connected(server.url) as pair:
        yield pair


class State(TypedDict):
    seen: Annotated[list[str], lambda a, b: a + b]


def graph_with(saver: ServerSaver, **kwargs: Any) -> Any:
    def ask(state: State) -> dict[str, Any]:
        return {"seen": [interrupt("name?")]}

    builder = StateGraph(State)
    builder.add_node("first", lambda state: {"seen": ["first"]})
    builder.add_node("ask", ask)
    builder.add_edge(START, "first")
    builder.add_edge("first", "ask")
    builder.add_edge("ask", END)
    return builder.compile(checkpointer=saver, **kwargs)


def test_a_graph_runs_resumes_and_has_a_history(worker: Worker) -> None:
    graph = graph_with(ServerSaver(worker[0]))
    config: RunnableConfig = {"configurable": {"thread_id": str(uuid.uuid4())}}
    graph.invoke({"seen": []}, config)
    assert graph.get_state(config).next == ("ask",)
    assert graph.invoke(Command(resume="Ada"), config) == {"seen": ["first", "Ada"]}
    assert [s.next for s in graph.get_state_history(config)] == [(), ("ask",), ("first",), ("__start__",)]


def test_a_bound_graph_writes_numbered_messages_of_its_run(server: ServerDouble, worker: Worker) -> None:
    connection, recorder = worker
    owner = leased(server, recorder)
    saver = ServerSaver(connection, owner=owner)
    config: RunnableConfig = {"configurable": {"thread_id": owner.thread_id}}
    asyncio.run(graph_with(saver, interrupt_before=["ask"]).ainvoke({"seen": []}, config))
    owner.flush()
    kinds = [m["type"] for m in server.owners[owner.key].applied]
    assert kinds.count("checkpoint") == 3 and "writes" in kinds
    assert not server.of("begin")
    assert graph_with(saver).get_state(config).next == ("ask",)
    with pytest.raises(ValueError, match="cannot write checkpoints of thread"):
        saver.put_writes({"configurable": {"thread_id": "other", "checkpoint_id": "1"}}, [], "t")


def test_only_new_versions_travel_and_empty_channels_do_not(server: ServerDouble, worker: Worker) -> None:
    saver = ServerSaver(worker[0])
    thread = str(uuid.uuid4())
    checkpoint = empty_checkpoint()
    checkpoint["channel_values"] = {"a": 1, "b": 2}
    checkpoint["channel_versions"] = {"a": "1", "b": "2", "gone": "3"}
    config: RunnableConfig = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
    saver.put(config, checkpoint, {"odd": {1, 2}}, {"a": "1", "gone": "3"})  # type: ignore[typeddict-unknown-key]
    (message,) = server.of("checkpoint")
    assert [(v["channel"], v["version"]) for v in message["values"]] == [("a", "1")]
    found = saver.get_tuple(config)
    assert found is not None and found.checkpoint["channel_values"] == {"a": 1}
    assert sorted(found.metadata["odd"]) == [1, 2]  # type: ignore[typeddict-item]
    assert found.parent_config is None


class _Projector:
    def checkpoint(self, config: Any, checkpoint: Any, metadata: Any, parent_config: Any) -> Projection:
        return Projection(b'{"of":"%s"}' % checkpoint["id"].encode(), has_next=True)

    def task(self, writes: Any, ns: str, task_id: str) -> bytes:
        return b'{"result":"%s"}' % task_id.encode()


def test_projections_travel_with_what_they_project(server: ServerDouble, worker: Worker) -> None:
    saver = ServerSaver(worker[0], projector=_Projector())
    checkpoint = empty_checkpoint()
    config: RunnableConfig = {"configurable": {"thread_id": str(uuid.uuid4()), "checkpoint_ns": ""}}
    saved = saver.put(config, checkpoint, {}, {})
    saver.put_writes(saved, [("c", 1), ("__error__", "x")], "task-1")
    assert server.of("checkpoint")[0]["projection"] == {"of": checkpoint["id"]}
    (writes,) = server.of("writes")
    assert writes["task"] == {"result": "task-1"} and [w["idx"] for w in writes["writes"]] == [0, -1]


def test_a_new_thread_is_asked_for_nothing_but_what_its_run_wrote(
    server: ServerDouble, worker: Worker
) -> None:
    connection, recorder = worker
    owner = leased(server, recorder)
    saver = ServerSaver(connection, owner=owner, is_new_thread=True)

    def config(ns: str) -> RunnableConfig:
        return {"configurable": {"thread_id": owner.thread_id, "checkpoint_ns": ns}}

    assert saver.get_tuple(config("")) is None
    assert asyncio.run(saver.aget_tuple(config("sub:1"))) is None
    assert server.of("get_tuple") == []
    checkpoint = empty_checkpoint()
    saver.put(config(""), checkpoint, {}, {})
    found = saver.get_tuple(config(""))
    assert found is not None and found.checkpoint["id"] == checkpoint["id"]
    assert saver.get_tuple(config("sub:1")) is None
    assert len(server.of("get_tuple")) == 1
    owner.supersede("lost")
    with pytest.raises(RunDead):
        saver.get_tuple(config("sub:1"))


def test_sync_durability_waits_for_the_commit(server: ServerDouble, worker: Worker) -> None:
    connection, recorder = worker
    owner = leased(server, recorder)
    server.hold_acks = True
    config: RunnableConfig = {"configurable": {"thread_id": owner.thread_id, "checkpoint_ns": ""}}
    checkpoint = empty_checkpoint()
    ServerSaver(connection, owner=owner).put(config, checkpoint, {}, {})
    waiting = threading.Thread(
        target=ServerSaver(connection, owner=owner, wait=True).put, args=(config, checkpoint, {}, {})
    )
    waiting.start()
    server.wait(lambda: server.owners[owner.key].applied_n == 2)
    assert waiting.is_alive()
    server.ack_all()
    waiting.join(20)
    assert not waiting.is_alive()


@pytest.mark.parametrize("bound", [True, False])
def test_sync_methods_from_many_threads(server: ServerDouble, worker: Worker, bound: bool) -> None:
    connection, recorder = worker
    owner = leased(server, recorder) if bound else None
    saver = ServerSaver(connection, owner=owner)
    thread_id = owner.thread_id if owner else str(uuid.uuid4())
    failures: list[BaseException] = []

    def work(ns: str) -> None:
        try:
            config: Any = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ns}}
            for i in range(5):
                checkpoint = empty_checkpoint()
                checkpoint["channel_values"] = {"v": f"{ns}:{i}"}
                checkpoint["channel_versions"] = {"v": i + 1}
                config = saver.put(config, checkpoint, {"step": i}, {"v": i + 1})
                saver.put_writes(config, [("c", i)], "task")
                latest = saver.get_tuple({"configurable": {"thread_id": thread_id, "checkpoint_ns": ns}})
                assert latest is not None
                assert latest.checkpoint["channel_values"] == {"v": f"{ns}:{i}"}
                assert latest.pending_writes == [("task", "c", i)]
            listed = list(saver.list({"configurable": {"thread_id": thread_id, "checkpoint_ns": ns}}))
            assert [t.metadata["step"] for t in listed] == [4, 3, 2, 1, 0]
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"ns{k}",)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    assert all(o.status == "ended" for key, o in server.owners.items() if not owner or key != owner.key)


def test_listing_goes_on_over_many_pages(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("duragraph_host.listing.PAGE", 3)
    saver = ServerSaver(worker[0])
    config: Any = {"configurable": {"thread_id": str(uuid.uuid4()), "checkpoint_ns": ""}}
    for step in range(10):
        saver.put(config, empty_checkpoint(), {"step": step}, {})
    assert len(list(saver.list(config))) == 10
    assert len(list(saver.list(config, limit=7))) == 7
    assert len(list(saver.list(config, limit=6))) == 6
    assert list(saver.list(config, limit=0)) == []
    assert len(list(saver.list(None))) == 10


def test_delta_history_takes_one_round_trip(server: ServerDouble, worker: Worker) -> None:
    saver = ServerSaver(worker[0])
    config: Any = {"configurable": {"thread_id": str(uuid.uuid4()), "checkpoint_ns": ""}}
    for step in range(4):
        checkpoint = empty_checkpoint()
        checkpoint["channel_values"] = {"d": "seed"} if step == 0 else {}
        checkpoint["channel_versions"] = {"d": step + 1}
        config = saver.put(config, checkpoint, {"step": step}, {"d": step + 1})
        saver.put_writes(config, [("d", f"w{step}b")], "a", task_path="~2")
        saver.put_writes(config, [("d", f"w{step}a")], "b", task_path="~1")
    before = len(server.log)
    history = saver.get_delta_channel_history(config=config, channels=["d", "other"])
    assert [w[2] for w in history["d"]["writes"]] == ["w0a", "w0b", "w1a", "w1b", "w2a", "w2b"]
    assert history["d"]["seed"] == "seed" and history["other"] == {"writes": []}
    asked = [m["type"] for m in server.log[before:] if m["type"] != "beat"]
    assert asked == ["delta_history"]
    again = asyncio.run(saver.aget_delta_channel_history(config=config, channels=["d", "other"]))
    assert again == history


def test_a_busy_thread_is_refused_in_the_end(
    server: ServerDouble, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("duragraph_host.operation.BUSY_PATIENCE", 0.1)
    connection, recorder = worker
    owner = leased(server, recorder)
    config: RunnableConfig = {"configurable": {"thread_id": owner.thread_id, "checkpoint_ns": "", "checkpoint_id": "1"}}
    with pytest.raises(RequestError) as caught:
        ServerSaver(connection).put_writes(config, [("c", 1)], "task")
    assert caught.value.code == "busy"


@pytest.mark.parametrize("bound", [True, False])
def test_store_reads_what_it_wrote(server: ServerDouble, worker: Worker, bound: bool) -> None:
    connection, recorder = worker
    owner = leased(server, recorder) if bound else None
    store = ServerStore(connection, owner=owner)
    store.put(("users", "1"), "prefs", {"theme": "dark"})
    asyncio.run(store.aput(("users", "2"), "prefs", {"theme": "light"}))
    item = store.get(("users", "1"), "prefs")
    assert item is not None and item.value == {"theme": "dark"} and item.namespace == ("users", "1")
    assert item.created_at.tzinfo is not None
    assert [i.namespace for i in store.search(("users",), filter={"theme": "light"})] == [("users", "2")]
    assert store.list_namespaces(prefix=("users",)) == [("users", "1"), ("users", "2")]
    assert store.list_namespaces(suffix=("2",), max_depth=1) == [("users",)]
    store.delete(("users", "1"), "prefs")
    assert store.get(("users", "1"), "prefs") is None
    numbered = [m for m in server.of("items") if "n" in m]
    assert len(numbered) == (3 if bound else 0) and len(server.of("items")) == 3


def test_store_batch_reads_first_and_in_one_request(server: ServerDouble, worker: Worker) -> None:
    store = ServerStore(worker[0])
    results = store.batch(
        [
            PutOp(("a",), "k", {"v": 1}),
            GetOp(("a",), "k"),
            PutOp(("a",), "k", {"v": 2}),
            SearchOp(("a",)),
        ]
    )
    assert results == [None, None, None, []]
    assert len(server.of("items_read")) == 1
    assert [put["value"] for put in server.of("items")[0]["puts"]] == [{"v": 2}]


def test_store_validates_as_the_library_does(worker: Worker) -> None:
    store = ServerStore(worker[0])
    for namespace in ((), ("a.b",), ("",), ("langgraph",)):
        with pytest.raises(InvalidNamespaceError):
            store.put(namespace, "k", {})
        with pytest.raises(InvalidNamespaceError):
            store.batch([PutOp(namespace, "k", {})])
    with pytest.raises(NotImplementedError):
        store.put(("a",), "k", {}, ttl=1)


def test_a_store_write_whose_answer_is_lost_still_returns(server: ServerDouble, worker: Worker) -> None:
    connection, recorder = worker
    owner = leased(server, recorder)
    server.hold_acks = True
    store = ServerStore(connection, owner=owner)
    thread = threading.Thread(target=store.put, args=(("a",), "k", {"v": 1}))
    thread.start()
    server.wait(lambda: server.owners[owner.key].applied_n == 1)
    server.cut()
    thread.join(20)
    assert not thread.is_alive() and len(server.owners[owner.key].applied) == 1
