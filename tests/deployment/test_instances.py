"""Three instances over one database behind a balancer: any request at any of them, whoever dies."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_sync_client

from audit import assert_clean_postgres
from balancers import Balancer
from follower import Follower
from nats_server import NatsServer
from postgres import Database
from processes import (
    WORKER_TOKEN,
    Api,
    Project,
    Reader,
    ServeServer,
    WorkerProgram,
    assert_consecutive,
    migrate,
    takes_connections,
    until,
)

STEPS = ["first", "second", "third"]


class Deployment:
    def __init__(self, project: Project, database: Database, nats: NatsServer, kind: str) -> None:
        migrate(project, database.url)
        self.project = project
        self.database = database
        self.nats = nats
        self.instances = [self.start_instance() for _ in range(3)]
        for instance in self.instances:
            instance.wait_ready("/readyz")
        self.balancer = Balancer(kind, [f"127.0.0.1:{instance.port}" for instance in self.instances])
        self.api = Api(self.balancer.url)
        self.workers: list[WorkerProgram] = []

    def start_instance(self, port: int = 0) -> ServeServer:
        return ServeServer(
            self.project,
            self.database.url,
            port=port,
            worker=False,
            ready=False,
            NATS_URL=self.nats.url,
            DURAGRAPH_TRUSTED_PROXIES="127.0.0.1",
        )

    def start_worker(self) -> WorkerProgram:
        worker = WorkerProgram(self.project, self.balancer.url, DURAGRAPH_WORKER_TOKEN=WORKER_TOKEN)
        self.workers.append(worker)
        wanted = len(self.workers)
        for instance in self.instances:
            instance.wait_workers(wanted)
        return worker

    def home(self) -> ServeServer:
        """The instance that the worker is connected to."""

        def found() -> ServeServer | None:
            for instance in self.instances:
                with suppress(httpx.HTTPError):
                    if instance.api.gauge("duragraph_workers") == 1:
                        return instance
            return None

        home = until(found, "an instance with the worker")
        assert home is not None
        return home

    def urls(self, first: int = 0) -> list[str]:
        """Of the instances, from that one on around."""
        urls = [instance.url for instance in self.instances]
        return urls[first:] + urls[:first]

    def others(self, one: ServeServer) -> list[ServeServer]:
        return [instance for instance in self.instances if instance is not one]

    def replace(self, dead: ServeServer) -> None:
        """Starts it again where it was."""
        again = self.start_instance(dead.port)
        again.wait_ready("/readyz")
        self.instances[self.instances.index(dead)] = again

    def close(self) -> None:
        self.balancer.close()
        self.project.close()
        assert_clean_postgres(self.project, self.database.url)


@pytest.fixture(scope="module")
def nats() -> Iterator[NatsServer]:
    server = NatsServer()
    yield server
    server.close()


@pytest.fixture(params=["nginx", "haproxy"])
def deployment(
    request: pytest.FixtureRequest, tmp_path: Path, database: Database, nats: NatsServer
) -> Iterator[Deployment]:
    made = Deployment(Project(tmp_path), database, nats, request.param)
    yield made
    made.close()


@pytest.fixture
def one(tmp_path: Path, database: Database, nats: NatsServer) -> Iterator[Deployment]:
    """Behind one balancer, for what does not depend on it."""
    made = Deployment(Project(tmp_path), database, nats, "haproxy")
    yield made
    made.close()


def begin_slow(deployment: Deployment, api: Api) -> tuple[str, str, Path]:
    """A run that waits in its second node, whose checkpoint is durable: thread, run, and what lets it go on."""
    gate, thread_id = deployment.project.gate(), api.thread()
    run_id = api.start(thread_id, "slow", {"gate": str(gate)})
    deployment.project.journal.wait(run_id, "second")
    deployment.api.wait_next(thread_id, "second")
    return thread_id, run_id, gate


def finish_slow(deployment: Deployment, api: Api, thread_id: str, run_id: str, gate: Path) -> None:
    gate.touch()
    assert api.join(thread_id, run_id)["steps"] == STEPS
    assert deployment.project.journal.nodes(run_id).count("first") == 1
    assert deployment.project.journal.nodes(run_id).count("third") == 1


def test_any_request_at_any_instance(deployment: Deployment) -> None:
    deployment.start_worker()
    thread_id, run_id, gate = begin_slow(deployment, deployment.api)
    readers = [Reader(instance.api, thread_id, run_id, "-1") for instance in deployment.instances]
    gate.touch()
    for instance in deployment.instances:
        assert instance.api.join(thread_id, run_id)["steps"] == STEPS
    for reader in readers:
        reader.wait_end()
        assert reader.error is None and reader.frames == readers[0].frames
    assert [frame[0] for frame in readers[0].frames] == [str(n) for n in range(len(readers[0].frames))]
    for _ in range(6):  # twice around
        thread = deployment.api.thread()
        result = deployment.api.post(
            f"/threads/{thread}/runs/wait", {"assistant_id": "three_nodes", "input": {"steps": []}}
        )
        assert result["steps"][-3:] == ["a", "b", "c"]


def test_a_reader_comes_back_at_another_instance(one: Deployment) -> None:
    one.start_worker()
    thread_id, run_id, gate = begin_slow(one, one.api)
    followers = [Follower(one.urls(first), thread_id, run_id, each=2) for first in range(3)]
    for follower in followers:
        # Now it waits at an instance, since nothing more comes before the gate is open.
        follower.wait(lambda frames: frames[-1:] and frames[-1][2] == {"node": "second"})
    finish_slow(one, one.api, thread_id, run_id, gate)
    for follower in followers:
        assert follower.read_all()[-1][2]["steps"] == STEPS
        assert follower.connections > len(one.instances)
    # And while it is written.
    thread_id = one.api.thread()
    run_id = one.api.start(thread_id, "custom_stream", {"count": 200})
    followers = [Follower(one.urls(first), thread_id, run_id, each=7) for first in range(3)]
    for follower in followers:
        assert len([data for _, event, data in follower.read_all() if event == "custom" and "index" in data]) == 400
        assert follower.connections > 400 / 7


def test_state_is_updated_by_a_worker_at_another_instance(one: Deployment) -> None:
    one.start_worker()
    home = one.home()
    for instance in one.others(home):
        thread = instance.api.thread()
        instance.api.join(thread, instance.api.start(thread, "three_nodes", {"steps": []}))
        instance.api.post(f"/threads/{thread}/state", {"values": {"steps": ["mine"]}, "as_node": "c"})
        assert home.api.state(thread)["values"]["steps"] == ["a", "b", "c", "mine"]


def test_a_cancel_at_another_instance_reaches_the_worker(one: Deployment) -> None:
    one.start_worker()
    other = one.others(one.home())[0]
    thread_id, run_id, gate = begin_slow(one, other.api)
    other.api.post(f"/threads/{thread_id}/runs/{run_id}/cancel", None, params={"wait": "true"})
    assert other.api.run(run_id)["status"] == "interrupted"
    gate.touch()
    again = other.api.start(thread_id, "three_nodes", {"steps": []})
    assert other.api.join(thread_id, again)["steps"][-3:] == ["a", "b", "c"]


def test_of_a_hundred_creations_that_reject_one_is_accepted(one: Deployment) -> None:
    thread_id = one.api.thread()
    body = {"assistant_id": "slow", "input": {"gate": str(one.project.gate())}, "multitask_strategy": "reject"}
    one.start_worker()

    def create(_: int) -> int:
        return one.api.http.post(f"/threads/{thread_id}/runs", json=body).status_code

    with ThreadPoolExecutor(32) as pool:
        answers = sorted(pool.map(create, range(100)))
    assert answers == [200] + [409] * 99


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
def test_runs_outlive_the_instance_of_their_worker(deployment: Deployment, number: signal.Signals) -> None:
    deployment.start_worker()
    home = deployment.home()
    other = deployment.others(home)[0]
    thread_id, run_id, gate = begin_slow(deployment, deployment.api)
    reader = Reader(other.api, thread_id, run_id, "-1")
    home.signal(number)
    if number == signal.SIGSTOP:
        # Nobody closes its connections: the worker is silent to others until its heartbeat is missed.
        gate.touch()
        assert other.api.join(thread_id, run_id)["steps"] == STEPS
        os.kill(home.pid, signal.SIGCONT)
        home.wait_ready("/readyz")
    else:
        home.wait()
        finish_slow(deployment, other.api, thread_id, run_id, gate)
        assert other.api.run(run_id)["attempt"] == 1
        deployment.replace(home)
    reader.wait_end()
    assert reader.error is None
    assert [frame[0] for frame in reader.frames] == [str(n) for n in range(len(reader.frames))]
    assert deployment.project.journal.nodes(run_id).count("first") == 1


def test_everything_goes_on_without_nats(one: Deployment, nats: NatsServer) -> None:
    one.start_worker()
    other = one.others(one.home())[0]
    nats.kill()
    try:
        until(lambda: other.api.get("/health")["status"] == "degraded", "a degraded instance")
        assert other.answers("/readyz")
        thread_id, run_id, gate = begin_slow(one, other.api)
        reader = Reader(other.api, thread_id, run_id, "-1")
        finish_slow(one, other.api, thread_id, run_id, gate)
        reader.wait_end()
        assert reader.error is None and reader.frames[-1][2]["steps"] == STEPS
        thread_id, run_id, gate = begin_slow(one, other.api)
        other.api.post(f"/threads/{thread_id}/runs/{run_id}/cancel", None, params={"wait": "true"})
        gate.touch()
    finally:
        nats.start()
    until(lambda: other.api.get("/health")["status"] == "healthy", "a healthy instance")
    thread_id, run_id, gate = begin_slow(one, other.api)
    finish_slow(one, other.api, thread_id, run_id, gate)


@pytest.mark.timeout(400)
def test_a_rolling_restart_loses_nothing(one: Deployment) -> None:
    one.start_worker()
    one.start_worker()
    stop = threading.Event()
    made: list[tuple[str, str]] = []
    failures: list[str] = []

    def patiently(ask: Callable[[], httpx.Response]) -> Any:
        """A request that is safe to repeat, as clients do on 503 and lost connections."""
        while True:
            with suppress(httpx.TransportError):
                response = ask()
                if response.status_code not in (502, 503, 504):
                    assert response.status_code in (200, 409), f"{response.status_code} {response.text}"
                    return response.json()

    def use() -> None:
        http = Api(one.balancer.url).http
        try:
            while not stop.is_set():
                thread = patiently(lambda: http.post("/threads", json={}))["thread_id"]
                body = {"assistant_id": "three_nodes", "input": {"steps": []}, "multitask_strategy": "reject"}
                run = patiently(lambda: http.post(f"/threads/{thread}/runs", json=body))
                if "run_id" not in run:  # the answer that was lost had created it
                    run = patiently(lambda: http.get(f"/threads/{thread}/runs"))[0]
                made.append((thread, run["run_id"]))
                result = patiently(lambda: http.get(f"/threads/{thread}/runs/{run['run_id']}/join"))
                assert result["steps"] == ["a", "b", "c"], result
                frames = Follower([one.balancer.url], thread, run["run_id"]).read_all()
                assert frames[-1][2]["steps"] == ["a", "b", "c"], frames
        except Exception as error:  # told by the test's own thread
            failures.append(repr(error))

    users = [threading.Thread(target=use) for _ in range(4)]
    for user in users:
        user.start()
    for instance in list(one.instances):
        enough = len(made) + 10
        until(lambda: len(made) >= enough or failures, lambda: f"more than {len(made)} runs")
        thread_id, run_id, gate = begin_slow(one, one.api)
        followers = [Follower(urls, thread_id, run_id) for urls in [[one.balancer.url], *map(one.urls, range(3))]]
        for follower in followers:
            follower.wait(lambda frames: frames[-1:] and frames[-1][2] == {"node": "second"})
        instance.signal(signal.SIGTERM)
        assert instance.wait() == 0, instance.output
        one.replace(instance)
        finish_slow(one, one.api, thread_id, run_id, gate)
        for follower in followers:
            assert follower.read_all()[-1][2]["steps"] == STEPS
    stop.set()
    for user in users:
        user.join()
    assert not failures
    for _, run_id in made:
        assert one.project.journal.nodes(run_id) == ["a", "b", "c"]
        assert one.api.run(run_id)["attempt"] == 1


def reading_at(deployment: Deployment) -> ServeServer:
    """The instance that somebody reads a stream at."""

    def found() -> ServeServer | None:
        return next((each for each in deployment.instances if each.api.gauge("duragraph_run_waiters")), None)

    home = until(found, "an instance with a reader")
    assert home is not None
    return home


def test_readers_of_an_instance_that_stops_go_on_at_another(deployment: Deployment) -> None:
    deployment.start_worker()
    thread_id, run_id, gate = begin_slow(deployment, deployment.api)
    reader = Reader(deployment.api, thread_id, run_id, "-1")
    reader.wait(len)
    home = reading_at(deployment)
    home.signal(signal.SIGTERM)
    reader.wait_end()
    assert reader.retry is not None and 0 < reader.retry < 2000
    assert isinstance(reader.error, httpx.RemoteProtocolError), "a clean end is that of a run to older clients"
    again = Reader(deployment.api, thread_id, run_id, reader.last_id)
    finish_slow(deployment, deployment.others(home)[0].api, thread_id, run_id, gate)
    again.wait_end()
    assert again.error is None
    assert_consecutive(reader.frames + again.frames)
    assert again.frames[-1][2]["steps"] == STEPS
    assert home.wait() == 0, home.output


def test_clients_of_langgraph_go_on_at_another_instance(one: Deployment) -> None:
    one.start_worker()
    thread_id, run_id, gate = begin_slow(one, one.api)
    parts: list[Any] = []
    failures: list[Exception] = []

    def read() -> None:
        try:
            with get_sync_client(url=one.balancer.url) as client:
                parts.extend(client.runs.join_stream(thread_id, run_id, last_event_id="-1"))
        except Exception as error:  # told by the test's own thread
            failures.append(error)

    client = threading.Thread(target=read)
    client.start()
    home = reading_at(one)
    home.signal(signal.SIGTERM)
    assert home.wait() == 0, home.output
    finish_slow(one, one.api, thread_id, run_id, gate)
    client.join()
    assert not failures
    assert [part.id for part in parts] == [str(n) for n in range(len(parts))]
    assert parts[-1].data["steps"] == STEPS


def test_an_instance_that_is_told_to_stop_answers_until_balancers_know(project: Project, migrated: Database) -> None:
    server = ServeServer(project, migrated.url, DURAGRAPH_STOP_DELAY="4")
    server.wait_workers()
    server.signal(signal.SIGTERM)

    def refusal() -> httpx.Response | None:
        response = httpx.get(f"{server.url}/readyz", trust_env=False)  # over a connection of its own
        return response if response.status_code == 503 else None

    refused = until(refusal, "an instance that is not ready")
    assert refused is not None and "stopping" in refused.text
    server.play()
    assert server.wait() == 0 and not takes_connections(server.port)
