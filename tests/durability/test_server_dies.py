"""The server is killed while runs are in flight, and started again on the same port."""

from __future__ import annotations

import json
import signal
import time
import uuid

import pytest
import websockets.sync.client

from processes import DevServer, Project, Reader, WorkerProgram, assert_consecutive, attempts, until


@pytest.mark.parametrize("worker", ["child", "by hand"])
def test_a_run_in_its_second_node_goes_on(project: Project, worker: str) -> None:
    """With `duragraph dev` the worker loses its supervisor too; a worker by hand keeps the run."""
    by_hand = worker == "by hand"
    server = DevServer(project, *(["--no-worker"] if by_hand else []))
    if by_hand:
        WorkerProgram(project, server.url)
    server.wait_workers()
    api = server.api
    gate = project.gate()
    thread_id = api.thread()
    run_id = api.start(thread_id, "slow", {"gate": str(gate)})
    before = Reader(api, thread_id, run_id, "-1")
    project.journal.wait(run_id, "second")
    before.wait(lambda frames: any(data == {"node": "second"} for _, _, data in frames))
    api.wait_next(thread_id, "second")

    server.kill()
    before.wait_end()
    server = DevServer(project, *(["--no-worker"] if by_hand else []), port=server.port)
    after = Reader(api, thread_id, run_id, before.last_id)
    gate.touch()
    after.wait_end()
    assert after.error is None, after.error
    result = api.join(thread_id, run_id)

    assert result["steps"] == ["first", "second", "third"]
    assert api.run(run_id)["status"] == "success"
    nodes = project.journal.nodes(run_id)
    assert nodes.count("first") == 1 and nodes.count("third") == 1, nodes
    if by_hand:
        assert nodes.count("second") == 1, f"the worker has lost its run: {nodes}\n{server.output}"
        assert api.run(run_id)["attempt"] == 1
    frames = before.frames + after.frames
    assert_consecutive(frames)
    assert attempts(frames) == list(range(1, api.run(run_id)["attempt"] + 1))
    assert frames == api.frames(thread_id, run_id)
    # What came since the last attempt began is a whole account of what that attempt did.
    last = max(i for i, (_, event, _) in enumerate(frames) if event == "metadata")
    custom = [data["node"] for _, event, data in frames[last:] if event == "custom"]
    assert custom == (["first", "second", "third"] if last == 0 else ["second", "third"])


def test_everything_survives_a_kill(project: Project) -> None:
    """Queued and delayed runs, questions to people, store items, assistants and histories."""
    server = DevServer(project, "--no-worker")
    worker = WorkerProgram(project, server.url)
    server.wait_workers()
    api = server.api

    asking = api.thread()
    api.post(f"/threads/{asking}/runs/wait", {"assistant_id": "human", "input": {"topic": "tea"}})
    question = api.get(f"/threads/{asking}")
    assert question["status"] == "interrupted" and question["interrupts"]
    history = api.history(asking)
    assistant = api.post("/assistants", {"graph_id": "counter", "name": "by three", "context": {"step": 3}})
    written = {"namespace": ["a", "b"], "key": "k", "value": {"n": [1, "ü"]}}
    api.http.put("/store/items", json=written).raise_for_status()
    item = api.get("/store/items", params={"namespace": "a.b", "key": "k"})

    gate = project.gate()
    queued_on = api.thread()
    running = api.start(queued_on, "slow", {"gate": str(gate)})
    queued = api.start(queued_on, "three_nodes", {"steps": []}, multitask_strategy="enqueue")
    project.journal.wait(running, "second")
    api.wait_next(queued_on, "second")
    delayed_on = api.thread()
    began = time.monotonic()
    delayed = api.start(delayed_on, "three_nodes", {"steps": []}, after_seconds=3)
    assert api.why(queued)["code"] == "thread_busy" and api.why(delayed)["code"] == "delay"

    server.kill()
    server = DevServer(project, "--no-worker", port=server.port)
    assert api.run(queued)["status"] == "pending"
    assert api.get(f"/assistants/{assistant['assistant_id']}") == assistant
    assert api.get("/store/items", params={"namespace": "a.b", "key": "k"}) == item
    assert api.history(asking) == history
    assert api.get(f"/threads/{asking}") == question
    if worker.process.poll() is not None:
        pytest.fail(f"the worker has ended with its server:\n{worker.output}")

    project.journal.wait(delayed, "a")
    assert time.monotonic() - began >= 3
    assert project.journal.nodes(queued) == []
    gate.touch()
    assert api.join(queued_on, queued)["steps"] == ["first", "second", "third", "a", "b", "c"]
    assert project.journal.nodes(queued) == ["a", "b", "c"]
    assert project.journal.nodes(running).count("first") == 1
    assert api.join(delayed_on, delayed)["steps"] == ["a", "b", "c"]
    answered = api.post(
        f"/threads/{asking}/runs/wait", {"assistant_id": "human", "command": {"resume": "yes"}}
    )
    assert answered["result"] == "a plan for tea: yes"
    assert [entry[0] for entry in project.journal.entries() if entry[1] == asking].count("plan") == 1
    counted = api.post(
        f"/threads/{api.thread()}/runs/wait", {"assistant_id": assistant["assistant_id"], "input": {"count": 1}}
    )
    assert counted == {"count": 4}


@pytest.mark.parametrize("how", ["stream", "wait"])
def test_a_stop_is_no_disconnect(project: Project, how: str) -> None:
    """A server that stops closes its streams; that cancels no run whose client asked for it when it leaves."""
    server = DevServer(project)
    server.wait_workers()
    api = server.api
    gate = project.gate()
    thread_id = api.thread()
    body = {"assistant_id": "slow", "input": {"gate": str(gate)}, "on_disconnect": "cancel", "durability": "sync"}
    with api.http.stream("POST", f"/threads/{thread_id}/runs/{how}", json=body) as response:
        run_id = response.headers["content-location"].rpartition("/")[2]
        project.journal.wait(run_id, "second")
        server.signal(signal.SIGINT)
        server.wait()
    server = DevServer(project, port=server.port)
    gate.touch()
    assert server.api.join(thread_id, run_id)["steps"] == ["first", "second", "third"]
    assert server.api.run(run_id)["status"] == "success"
    assert project.journal.nodes(run_id).count("first") == 1


@pytest.mark.waits
def test_an_operation_ends_after_a_restart(project: Project) -> None:
    """What a worker began on a thread before the server died does not hold the thread for ever."""
    server = DevServer(project, "--no-worker")
    worker = WorkerProgram(project, server.url)
    server.wait_workers()
    api = server.api
    thread_id = api.thread()
    api.join(thread_id, api.start(thread_id, "three_nodes", {"steps": []}))
    with websockets.sync.client.connect(
        server.url.replace("http", "ws") + "/api/v1/workers/connect",
        additional_headers={"Authorization": f"Bearer {project.token()}"},
        subprotocols=["duragraph.worker.v1"],
    ) as socket:
        session = {"session": str(uuid.uuid4()), "secret": "s" * 32}
        hello = {"type": "hello", "protocol": 1, **session, "supervised": False, "slots": 0, "graphs": [], "owned": []}
        socket.send(json.dumps(hello))
        assert json.loads(socket.recv(30))["type"] == "welcome"
        socket.send(json.dumps({"type": "begin", "id": 1, "thread_id": thread_id}))
        operation = json.loads(socket.recv(30))["result"]
        assert api.get(f"/threads/{thread_id}")["status"] == "busy"
        server.kill()
    server = DevServer(project, "--no-worker", port=server.port)
    with websockets.sync.client.connect(
        server.url.replace("http", "ws") + "/api/v1/workers/connect",
        additional_headers={"Authorization": f"Bearer {project.token()}"},
        subprotocols=["duragraph.worker.v1"],
    ) as socket:
        owned = [{"owner": operation["operation"], "epoch": operation["epoch"], "sent_n": 0}]
        socket.send(json.dumps({**hello, "owned": owned}))
        assert json.loads(socket.recv(30))["owned"][0]["state"] == "live"

        def is_idle() -> bool:
            socket.send(json.dumps({"type": "beat"}))
            return bool(server.api.get(f"/threads/{thread_id}")["status"] == "idle")

        until(is_idle, "the end of the operation", 60)
    worker.stop()
