"""The checkpointer and the store against a real server: LangGraph's conformance kit, threads, one round trip."""

from __future__ import annotations

import asyncio
import sys
import threading
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver, empty_checkpoint
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import Capability
from langgraph.store.base import GetOp, PutOp, SearchOp

from duragraph_host.connection import Connection
from duragraph_host.errors import RequestError, RunDead
from duragraph_host.owner import Owner
from duragraph_host.saver import ServerSaver
from duragraph_host.session import Options
from duragraph_host.store import ServerStore
from support import Recorder, connected

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tests" / "support"))

import processes  # noqa: E402

pytestmark = pytest.mark.skipif(processes.binary() is None, reason="there is no duragraph binary")
THREADS = 6
GUARD = 60


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[processes.DevServer]:
    project = processes.Project(tmp_path_factory.mktemp("project"))
    yield processes.DevServer(project, "--no-worker")
    project.close()


@pytest.fixture
def connection(server: processes.DevServer) -> Iterator[Connection]:
    with connected(server.url, server.project.token()) as (connection, recorder):
        assert not recorder.failures
        yield connection


class _Serving(Recorder):
    """A worker that takes runs of one graph."""

    def hello(self) -> dict[str, Any]:
        return {**super().hello(), "graphs": [{"graph_id": "three_nodes"}]}


@contextmanager
def serves(server: processes.DevServer) -> Iterator[tuple[Connection, _Serving]]:
    recorder = _Serving()
    options = Options(server.url, server.project.token(), str(uuid.uuid4()), uuid.uuid4().hex * 2, False)
    connection = Connection(options, recorder)
    connection.start()
    try:
        recorder.wait(lambda: recorder.welcomes or recorder.failures)
        assert not recorder.failures
        yield connection, recorder
    finally:
        connection.stop()


@pytest.fixture
def serving(server: processes.DevServer) -> Iterator[tuple[Connection, _Serving]]:
    with serves(server) as pair:
        yield pair


def lease(server: processes.DevServer, recorder: Recorder) -> Owner:
    """A new run, as its worker owns it."""
    api, count = server.api, len(recorder.owners)
    run_id = api.start(api.thread(), "three_nodes", {"steps": []})
    recorder.wait(lambda: len(recorder.owners) > count)
    owner = recorder.owners[-1]
    assert owner.owner == run_id
    return owner


def in_threads(work: Callable[[int], None], count: int = THREADS) -> None:
    """Does the work once in each of several threads, and raises what any of them raised."""
    failures: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GUARD)
        assert not thread.is_alive(), "a thread hangs"
    if failures:
        raise failures[0]


def write_and_read(saver: ServerSaver, thread_id: str, ns: str) -> None:
    """A chain of checkpoints with writes in one namespace, each read back after it was written."""
    place: Any = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ns}}
    config = place
    for i in range(5):
        checkpoint = empty_checkpoint()
        checkpoint["channel_values"] = {"v": f"{ns}:{i}"}
        checkpoint["channel_versions"] = {"v": i + 1}
        parent = config
        config = saver.put(config, checkpoint, {"step": i}, {"v": i + 1})
        saver.put_writes(config, [("c", i), ("c", -i)], "task")
        latest = saver.get_tuple(place)
        assert latest is not None and latest.config == config
        assert latest.checkpoint["channel_values"] == {"v": f"{ns}:{i}"}
        assert latest.pending_writes == [("task", "c", i), ("task", "c", -i)]
        assert latest.parent_config == (parent if i else None)
        assert saver.get(config) == latest.checkpoint
    listed = list(saver.list(place))
    assert [each.metadata["step"] for each in listed] == [4, 3, 2, 1, 0]
    assert [each.config for each in saver.list(place, before=listed[1].config, limit=2)] == [
        listed[2].config,
        listed[3].config,
    ]
    assert [each.metadata["step"] for each in saver.list(place, filter={"step": 3})] == [3]


def test_every_capability_is_detected_and_passes(connection: Connection) -> None:
    @checkpointer_test(name="ServerSaver")
    async def saver() -> AsyncGenerator[BaseCheckpointSaver[Any], None]:
        yield ServerSaver(connection)

    report = asyncio.run(validate(saver))
    failures = {name: result.failures for name, result in report.results.items() if result.failures}
    assert not failures
    assert len(list(Capability)) == 8
    for capability in Capability:
        result = report.results[capability.value]
        assert result.detected and result.passed and result.tests_passed > 0, capability
    assert report.passed_all()


def test_sync_methods_of_a_free_saver_from_many_threads(connection: Connection) -> None:
    """Writes outside of a run are operations on their thread, which wait for each other."""
    saver, shared = ServerSaver(connection), str(uuid.uuid4())
    in_threads(lambda number: write_and_read(saver, str(uuid.uuid4()), ""))
    in_threads(lambda number: write_and_read(saver, shared, f"ns{number}"), 3)
    copies = [str(uuid.uuid4()) for _ in range(THREADS)]
    in_threads(lambda number: saver.copy_thread(shared, copies[number]))
    for copy in copies:
        assert len(list(saver.list({"configurable": {"thread_id": copy}}))) == 15
    in_threads(lambda number: saver.delete_thread(copies[number]))
    assert saver.get_tuple({"configurable": {"thread_id": copies[0], "checkpoint_ns": "ns0"}}) is None
    saver.prune([shared])
    assert len(list(saver.list({"configurable": {"thread_id": shared}}))) == 3


def test_sync_methods_inside_a_run_from_many_threads(
    server: processes.DevServer, serving: tuple[Connection, _Serving]
) -> None:
    connection, recorder = serving
    owner = lease(server, recorder)
    saver = ServerSaver(connection, owner=owner)
    in_threads(lambda number: write_and_read(saver, owner.thread_id, f"ns{number}"))
    owner.flush()
    owner.complete("success")
    recorder.wait(lambda: owner.over)
    run = server.api.wait_status(owner.owner, "success")
    assert run["attempt"] == 1
    with pytest.raises(RunDead):
        saver.put_writes(
            {"configurable": {"thread_id": owner.thread_id, "checkpoint_ns": "", "checkpoint_id": "1"}}, [], "task"
        )


def test_a_run_sees_its_own_thread_only(server: processes.DevServer, serving: tuple[Connection, _Serving]) -> None:
    connection, recorder = serving
    other = str(uuid.uuid4())
    write_and_read(ServerSaver(connection), other, "")
    owner = lease(server, recorder)
    with pytest.raises(RequestError) as refused:
        ServerSaver(connection, owner=owner).get_tuple({"configurable": {"thread_id": other, "checkpoint_ns": ""}})
    assert refused.value.code == "not_found"
    owner.complete("success")
    server.api.wait_status(owner.owner, "success")


def test_an_owner_that_was_superseded_changes_nothing(server: processes.DevServer) -> None:
    with serves(server) as (_, recorder):
        first = lease(server, recorder)
        first.send_frame("custom", b'"first"')
        first.flush()
    run_id, thread_id = first.owner, first.thread_id
    with serves(server) as (connection, recorder):
        recorder.wait(lambda: recorder.owners)
        second = recorder.owners[0]
        assert second.owner == run_id and second.epoch > first.epoch == 1
        for say in (
            lambda stale: stale.send_frame("custom", b'"stale"'),
            lambda stale: write_and_read(ServerSaver(connection, owner=stale), thread_id, "stale"),
            lambda stale: ServerStore(connection, owner=stale).put(("stale",), "k", {"v": 1}),
            lambda stale: stale.complete("success"),
        ):
            stale = connection.adopt(run_id, 1, thread_id)
            try:
                say(stale)
            except (RunDead, RequestError):
                pass
            recorder.wait(lambda: stale.superseded)  # noqa: B023 - waited for at once
        assert server.api.run(run_id)["status"] == "running"
        second.send_frame("custom", b'"second"')
        second.complete("success")
        server.api.wait_status(run_id, "success")
        assert list(ServerSaver(connection).list({"configurable": {"thread_id": thread_id}})) == []
        assert ServerStore(connection).get(("stale",), "k") is None
    custom = [data for _, event, data in server.api.frames(thread_id, run_id) if event == "custom"]
    assert custom == ["first", "second"]


def test_delta_history_takes_one_round_trip(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    saver = ServerSaver(connection)
    config: Any = {"configurable": {"thread_id": str(uuid.uuid4()), "checkpoint_ns": ""}}
    for step in range(4):
        checkpoint = empty_checkpoint()
        checkpoint["channel_values"] = {"d": "seed"} if step == 0 else {}
        checkpoint["channel_versions"] = {"d": step + 1}
        config = saver.put(config, checkpoint, {"step": step}, {"d": step + 1})
        saver.put_writes(config, [("d", f"w{step}b")], "a", task_path="~2")
        saver.put_writes(config, [("d", f"w{step}a")], "b", task_path="~1")
    asked: list[str] = []
    request = connection.request

    def count(fields: dict[str, Any], **arguments: Any) -> Any:
        asked.append(fields["type"])
        return request(fields, **arguments)

    monkeypatch.setattr(connection, "request", count)
    history = saver.get_delta_channel_history(config=config, channels=["d", "other"])
    assert asked == ["delta_history"]
    assert [write[2] for write in history["d"]["writes"]] == ["w0a", "w0b", "w1a", "w1b", "w2a", "w2b"]
    assert history["d"]["seed"] == "seed" and history["other"] == {"writes": []}
    assert asyncio.run(saver.aget_delta_channel_history(config=config, channels=["d", "other"])) == history


def test_the_store_from_many_threads(server: processes.DevServer, connection: Connection) -> None:
    store, root = ServerStore(connection), f"users-{uuid.uuid4().hex}"

    def work(number: int) -> None:
        ns = (root, str(number))
        for i in range(5):
            store.put(ns, f"k{i}", {"i": i, "ü": [number]})
        store.delete(ns, "k0")
        assert store.get(ns, "k0") is None
        item = store.get(ns, "k1")
        assert item is not None and item.value == {"i": 1, "ü": [number]} and item.namespace == ns
        assert sorted(found.key for found in store.search(ns)) == ["k1", "k2", "k3", "k4"]
        assert [found.key for found in store.search(ns, filter={"i": {"$gte": 4}})] == ["k4"]
        results = store.batch([PutOp(ns, "last", {"i": 9}), GetOp(ns, "k2"), SearchOp((root, str(number)), limit=2)])
        assert results[0] is None and results[1] is not None and len(results[2]) == 2  # type: ignore[arg-type]

    in_threads(work)
    assert sorted(store.list_namespaces(prefix=(root,))) == [(root, str(n)) for n in range(THREADS)]
    found = server.api.get("/store/items", params={"namespace": f"{root}.1", "key": "last"})
    assert found["value"] == {"i": 9}
