from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from langchain_core.runnables import RunnableConfig

from duragraph_host import wire
from duragraph_host.channel import RunChannel
from duragraph_host.connection import Connection
from duragraph_host.errors import HostError, RunDead, Superseded
from duragraph_host.owner import Owner
from duragraph_host.saver import ServerSaver
from duragraph_host.store import ServerStore
from server_double import OwnerState, ServerDouble
from support import Recorder, connected, leased

Worker = tuple[Connection, Recorder]


@pytest.fixture
def worker(server: ServerDouble) -> Iterator[Worker]:
    with connected(server.url) as pair:
        yield pair


def state_of(server: ServerDouble, owner: Owner) -> OwnerState:
    return server.owners[owner.key]


def marker(text: str) -> wire.Body:
    return wire.body({"type": "test", "text": text})


def flat(state: OwnerState) -> list[str]:
    """What was applied, in order: frames by their event, other messages by their text."""
    found: list[str] = []
    for message in state.applied:
        if message["type"] == "frames":
            found += [event for event, _ in message["frames"]]
        elif message["type"] == "test":
            found.append(message["text"])
    return found


def test_frames_keep_their_place_among_other_messages(server: ServerDouble, worker: Worker) -> None:
    owner = leased(server, worker[1])
    expected = []
    for i in range(300):
        owner.send_frame(f"f{i}", b'{"i":%d}' % i)
        expected.append(f"f{i}")
        if i % 7 == 0:
            owner.send(marker(f"m{i}"))
            expected.append(f"m{i}")
    owner.flush()
    state = state_of(server, owner)
    assert flat(state) == expected
    assert [m["n"] for m in state.applied] == list(range(1, owner.last_n + 1))
    assert len(state.applied) < len(expected), "frames are sent together"


def test_many_threads_number_without_gaps(server: ServerDouble, worker: Worker) -> None:
    owner = leased(server, worker[1])

    def write(name: str) -> None:
        for i in range(200):
            if i % 3:
                owner.send_frame(f"{name}:{i}", b"1")
            else:
                owner.send(marker(f"{name}:{i}"))

    threads = [threading.Thread(target=write, args=(f"t{k}",)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    owner.flush()
    applied = flat(state_of(server, owner))
    assert len(applied) == 1600
    for k in range(8):
        mine = [text for text in applied if text.startswith(f"t{k}:")]
        assert mine == [f"t{k}:{i}" for i in range(200)]


def test_lost_connections_lose_and_repeat_nothing(server: ServerDouble, worker: Worker) -> None:
    owner = leased(server, worker[1])
    for round in range(5):
        server.lose_after = 20
        for i in range(100):
            owner.send(marker(f"{round}:{i}"))
            owner.send_frame(f"f{round}:{i}", b"1")
        owner.flush()
    expected = [text for r in range(5) for i in range(100) for text in (f"{r}:{i}", f"f{r}:{i}")]
    assert flat(state_of(server, owner)) == expected
    assert worker[1].welcomes == 6


def test_applied_but_unacknowledged_messages_are_not_repeated(server: ServerDouble, worker: Worker) -> None:
    owner = leased(server, worker[1])
    server.hold_acks = True
    for i in range(10):
        owner.send(marker(str(i)))
    server.wait(lambda: state_of(server, owner).applied_n == 10)
    server.cut()
    server.hold_acks = False
    owner.flush()
    assert flat(state_of(server, owner)) == [str(i) for i in range(10)]
    assert server.of("hello")[-1]["owned"] == [{"owner": owner.owner, "epoch": 1, "sent_n": 10}]
    assert len(server.of("test")) == 10


def test_full_buffer_blocks_until_acknowledged(server: ServerDouble, worker: Worker) -> None:
    owner = leased(server, worker[1])
    owner._backlog.limit_bytes = 10_000
    server.hold_acks = True
    done: list[int] = []

    def write() -> None:
        for i in range(40):
            owner.send(marker("x" * 1000))
            done.append(i)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    server.wait(lambda: state_of(server, owner).applied_n >= 9)
    assert thread.is_alive() and len(done) < 12
    channel = RunChannel(owner, ServerSaver(worker[0], owner=owner), ServerStore(worker[0], owner=owner))

    async def drain() -> bool:
        waiting = asyncio.ensure_future(channel.drain())
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        blocked = not done
        server.ack_all()
        await waiting
        return blocked

    assert asyncio.run(drain()), "drain waits while the buffer is full"
    thread.join(20)
    assert not thread.is_alive() and len(done) == 40


def test_message_count_is_bounded_too(server: ServerDouble, worker: Worker) -> None:
    owner = leased(server, worker[1])
    owner._backlog.limit_messages = 5
    server.hold_acks = True
    for _ in range(5):
        owner.send(marker("x"))
    thread = threading.Thread(target=owner.send, args=(marker("last"),), daemon=True)
    thread.start()
    server.wait(lambda: state_of(server, owner).applied_n == 5)
    assert thread.is_alive()
    server.ack_all()
    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.parametrize("how", ["superseded", "cancelled"])
def test_a_dead_run_raises_everywhere(server: ServerDouble, worker: Worker, how: str) -> None:
    connection, recorder = worker
    owner = leased(server, recorder)
    saver, store = ServerSaver(connection, owner=owner), ServerStore(connection, owner=owner)
    channel = RunChannel(owner, saver, store)
    server.answer_reads = False
    config: RunnableConfig = {"configurable": {"thread_id": owner.thread_id, "checkpoint_ns": "", "checkpoint_id": "1"}}
    raised: list[BaseException] = []

    def read() -> None:
        try:
            saver.get_tuple(config)
        except BaseException as error:  # noqa: BLE001
            raised.append(error)

    reading = threading.Thread(target=read)
    reading.start()
    server.wait(lambda: server.of("get_tuple"))
    where = {"owner": owner.owner, "epoch": owner.epoch}
    if how == "superseded":
        server.owners[owner.key].state = "superseded"
        server.send({"type": "superseded", **where, "reason": "gone"})
    else:
        server.send({"type": "cancel", **where, "action": "interrupt"})
    recorder.wait(lambda: recorder.stopped)
    reading.join(20)
    kind = Superseded if how == "superseded" else RunDead
    assert [type(error) for error in raised] == [kind]
    assert channel.dead

    async def drain() -> None:
        await channel.drain()

    for call in (
        lambda: channel.send_frame("values", b"1"),
        lambda: asyncio.run(drain()),
        lambda: saver.get_tuple(config),
        lambda: saver.put_writes(config, [("c", 1)], "task"),
        lambda: asyncio.run(saver.aput_writes(config, [("c", 1)], "task")),
        lambda: list(saver.list(config)),
        lambda: store.put(("a",), "k", {"v": 1}),
        lambda: store.get(("a",), "k"),
        lambda: asyncio.run(store.aput(("a",), "k", {"v": 1})),
        lambda: saver.delete_thread(owner.thread_id),
        owner.flush,
    ):
        with pytest.raises(kind):
            call()
    assert owner.complete("cancelled") is (how == "cancelled")
    if how == "cancelled":
        server.wait(lambda: state_of(server, owner).status == "cancelled")
    recorder.wait(lambda: not connection.owners)


def test_completion_comes_last_and_counts_once(server: ServerDouble, worker: Worker) -> None:
    connection, recorder = worker
    owner = leased(server, recorder)
    owner.send_frame("values", b"1")
    assert owner.complete("success")
    assert not owner.complete("cancelled")
    with pytest.raises(RunDead):
        owner.send_frame("values", b"2")
    recorder.wait(lambda: not connection.owners)
    assert [m["type"] for m in state_of(server, owner).applied] == ["frames", "complete"]
    assert state_of(server, owner).status == "success"


def test_completion_survives_a_lost_connection(server: ServerDouble, worker: Worker) -> None:
    connection, recorder = worker
    owner = leased(server, recorder)
    server.hold_acks = True
    owner.complete("error", {"error": "ValueError", "message": "lone \ud800"})
    server.wait(lambda: state_of(server, owner).status == "error")
    server.cut()
    recorder.wait(lambda: not connection.owners)


def test_cancel_told_at_reconnect_completes(server: ServerDouble, worker: Worker) -> None:
    owner = leased(server, worker[1])
    state_of(server, owner).state = "cancel"
    server.cut()
    worker[1].wait(lambda: worker[1].stopped)
    assert owner.dead
    server.wait(lambda: state_of(server, owner).status == "cancelled")


def test_an_expired_session_is_renewed_and_loses_its_runs(server: ServerDouble, worker: Worker) -> None:
    connection, recorder = worker
    owner = leased(server, recorder)
    before = connection.session
    server.close_worker(4409, "expired")
    recorder.wait(lambda: recorder.welcomes == 2)
    assert recorder.renewals == 1 and owner.superseded and connection.session != before
    first, second = server.of("hello")
    assert second["session"] == connection.session and second["secret"] != first["secret"]
    assert second["owned"] == []
    server.wait(lambda: server.of("beat"))


@pytest.mark.parametrize("code", [4400, 4403, 4426])
def test_fatal_close_codes_stop(server: ServerDouble, worker: Worker, code: int) -> None:
    connection, recorder = worker
    server.close_worker(code, "because")
    recorder.wait(lambda: recorder.failures)
    assert "because" in recorder.failures[0]
    with pytest.raises(HostError):
        ServerSaver(connection).get_tuple({"configurable": {"thread_id": "t"}})


def test_reads_are_asked_again_after_a_lost_connection(server: ServerDouble, worker: Worker) -> None:
    connection, _ = worker
    server.answer_reads = False
    store = ServerStore(connection)
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(store.get(("a",), "k")))
    thread.start()
    server.wait(lambda: server.of("items_read"))
    server.answer_reads = True
    server.cut()
    thread.join(20)
    assert found == [None] and len(server.of("items_read")) == 2


def test_a_blocked_loop_does_not_stop_acknowledgements(server: ServerDouble, worker: Worker) -> None:
    owner = leased(server, worker[1])

    async def block() -> None:
        for _ in range(50):
            owner.send(marker("x" * 100_000))  # Sync calls on the loop itself, over the bound together.
        owner.flush()

    owner._backlog.limit_bytes = 300_000
    asyncio.run(asyncio.wait_for(block(), 30))
    assert state_of(server, owner).applied_n == 50
