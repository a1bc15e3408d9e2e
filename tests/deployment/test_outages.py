"""What requests see of a database that is full, slow, silent, read-only or away, and how instances come through it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

import httpx
import pytest

from audit import assert_clean_postgres
from nats_server import NatsServer
from own_postgres import OwnPostgres
from postgres import Database
from processes import (
    GUARD,
    WORKER_TOKEN,
    Project,
    Reader,
    ServeServer,
    WorkerProgram,
    assert_consecutive,
    free_port,
    migrate,
    until,
)
from wire import Loop, Proxy, Wiretap


pytestmark = pytest.mark.waits

def create_thread(server: ServeServer, thread_id: str = "") -> httpx.Response:
    return server.api.http.post("/threads", json={"thread_id": thread_id or str(uuid.uuid4())})


def assert_told_to_come_back(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.headers.get("retry-after")) == (503, "1"), answer.text


@pytest.mark.parametrize("left", [0, 1])
def test_a_database_without_room_for_connections(project: Project, migrated: Database, left: int) -> None:
    """None is `left`, or only the one by which others know that the instance lives."""
    server = ServeServer(project, migrated.url)
    server.wait_workers()
    migrated.superuser(f"ALTER ROLE {migrated.name} CONNECTION LIMIT {left}")
    spared = migrated.lock_holders() if left else []
    others = f"usename = '{migrated.name}' AND pid <> ALL (ARRAY{spared}::int[])"
    migrated.superuser(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    with ThreadPoolExecutor(8) as clients:
        creations = [clients.submit(create_thread, server) for _ in range(4)]
        reads = [clients.submit(server.api.http.get, f"/threads/{uuid.uuid4()}") for _ in range(4)]
        for asked in creations + reads:
            assert_told_to_come_back(asked.result())
    assert server.answers("/livez") and not server.answers("/readyz")
    migrated.superuser(f"ALTER ROLE {migrated.name} CONNECTION LIMIT -1")
    server.wait_ready("/readyz")
    server.wait_workers()
    server.play()


@pytest.fixture
def failing(migrated: Database) -> Iterator[Callable[[str, int], None]]:
    """Has the first so many insertions of threads fail with a SQLSTATE."""
    migrated.run("CREATE SEQUENCE failures")

    def fail(state: str, times: int) -> None:
        migrated.run(
            "CREATE FUNCTION fail_first() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF nextval('failures') <= {times} THEN RAISE 'not now' USING ERRCODE = '{state}'; END IF; "
            "RETURN NULL; END $$"
        )
        migrated.run(
            "CREATE TRIGGER fail_first AFTER INSERT ON threads FOR EACH STATEMENT EXECUTE FUNCTION fail_first()"
        )

    yield fail
    migrated.run("DROP FUNCTION fail_first CASCADE")
    migrated.run("DROP SEQUENCE failures")


@pytest.mark.parametrize("state", ["40001", "40P01", "57014", "55P03"])
def test_what_the_database_rolls_back_is_done_once(
    project: Project, migrated: Database, failing: Callable[[str, int], None], state: str
) -> None:
    """Serialization failures, deadlocks, statements and locks that took too long."""
    server, thread_id = ServeServer(project, migrated.url, worker=False), str(uuid.uuid4())
    failing(state, 3)
    assert create_thread(server, thread_id).status_code == 200
    assert migrated.run(f"SELECT event_version FROM events WHERE aggregate_id = '{thread_id}'").split() == ["1"]
    assert migrated.run("SELECT last_value FROM failures").strip() == "4"


def test_what_the_database_rolls_back_again_and_again_is_not_done(
    project: Project, migrated: Database, failing: Callable[[str, int], None]
) -> None:
    server, thread_id = ServeServer(project, migrated.url, worker=False), str(uuid.uuid4())
    failing("57014", 1_000_000)
    assert_told_to_come_back(create_thread(server, thread_id))
    assert not migrated.run(f"SELECT 1 FROM events WHERE aggregate_id = '{thread_id}'")


def test_of_two_hosts_the_one_that_takes_changes_is_served(project: Project) -> None:
    """As in a switch-over, where the old primary comes back as a standby."""
    with OwnPostgres() as first, OwnPostgres() as second:
        old = Database(first)
        new = Database(second, old.name, old.password)
        migrate(project, old.url)
        migrate(project, new.url)
        places = f"{old.host}:{old.port},{new.host}:{new.port}"
        url = f"postgresql://{old.name}:{old.password}@{places}/{old.name}"
        server = ServeServer(project, url, worker=False)
        assert create_thread(server).status_code == 200
        assert int(old.run("SELECT count(*) FROM threads")) == 1
        first.become_standby()
        assert old.run("SELECT pg_is_in_recovery()") == "t\n"
        until(lambda: "the database is back" in server.output, lambda: server.output)
        server.wait_ready("/readyz")
        server.worker = WorkerProgram(project, server.url, DURAGRAPH_WORKER_TOKEN=WORKER_TOKEN)
        server.wait_workers()
        server.play()
        assert int(new.run("SELECT count(*) FROM runs")) == 1
        project.close()
        assert_clean_postgres(project, new.url)


def test_a_standby_alone_is_waited_for(project: Project) -> None:
    with OwnPostgres() as cluster:
        database = Database(cluster)
        migrate(project, database.url)
        cluster.become_standby()
        server = ServeServer(project, database.url, worker=False, ready=False)
        server.wait_output(lambda output: "cannot be used yet" in output)
        assert server.answers("/livez") and not server.answers("/readyz")
        assert_told_to_come_back(create_thread(server))
        database.superuser("SELECT pg_promote()")
        server.wait_ready("/readyz")
        assert create_thread(server).status_code == 200


def test_health_is_told_in_time_of_a_database_that_is_silent(project: Project, migrated: Database) -> None:
    loop = Loop()
    proxy = Proxy(loop, "127.0.0.1", migrated.port, Wiretap)
    url = migrated.url.replace(f"{migrated.host}:{migrated.port}", proxy.address)
    server = ServeServer(project, url, worker=False)

    def monitor(_: int) -> None:
        """Asks until it is told, which the last good answer puts off for a second."""

        def told() -> bool:
            answer = httpx.get(f"{server.url}/health", timeout=GUARD, trust_env=False)
            database = answer.json()["checks"]["database"]
            return answer.status_code == 503 and answer.json()["status"] == "unhealthy" and bool(database["error"])

        until(told, "an unhealthy server")

    proxy.stall()
    begun = time.monotonic()
    with ThreadPoolExecutor(50) as monitors:
        assert len(list(monitors.map(monitor, range(50)))) == 50
    assert time.monotonic() - begun < 10, "they share the wait for one answer"
    proxy.flow()
    server.wait_ready("/readyz")
    until(lambda: server.api.http.get("/health").status_code == 200, "a healthy server")
    server.stop()
    loop.close()


OUTAGE = 60.0
PATIENCE = 60.0
PROBE_PERIOD = 5.0


class Probed:
    """An instance under a liveness probe on /health, which kills what is not well and starts it again."""

    def __init__(self, start: Callable[[int], ServeServer]) -> None:
        self._start = start
        self.server = start(free_port())
        self.kills = 0
        self._stopped = threading.Event()
        self._probe = threading.Thread(target=self._watch)

    def __enter__(self) -> None:
        self._probe.start()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._probe.join()

    def _watch(self) -> None:
        while not self._stopped.wait(PROBE_PERIOD):
            if not self.answers("/health"):
                self.server.kill()
                self.kills += 1
                self.server = self._start(self.server.port)

    def answers(self, path: str) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.server.url}{path}", timeout=PROBE_PERIOD, trust_env=False).status_code == 200
        return False


class Waiting:
    """Who reads a run's stream and who waits for its result, over as many connections as it takes."""

    def __init__(self, clients: ThreadPoolExecutor, at: Probed, thread_id: str, run_id: str) -> None:
        self._at, self._path = at, f"/threads/{thread_id}/runs/{run_id}"
        self.frames: list[Any] = []
        self._stream = clients.submit(self._follow, thread_id, run_id)
        self._result = clients.submit(self._join)

    def _follow(self, thread_id: str, run_id: str) -> None:
        while True:
            after = self.frames[-1][0] if self.frames else "-1"
            reader = Reader(self._at.server.api, thread_id, run_id, after)
            reader.wait_end(PATIENCE)
            self.frames += reader.frames
            if reader.error is None:
                return

    def _join(self) -> Any:
        while True:
            with suppress(httpx.TransportError):
                answer = self._at.server.api.http.get(f"{self._path}/join", timeout=PATIENCE)
                if answer.status_code != 503:
                    assert answer.status_code == 200, answer.text
                    return answer.json()

    def result(self) -> Any:
        self._stream.result(PATIENCE)
        assert_consecutive(self.frames)
        assert self._result.result(PATIENCE) == self.frames[-1][2]
        return self.frames[-1][2]


@pytest.mark.timeout(300)
def test_nothing_is_lost_when_instances_are_killed_for_an_outage_of_the_database(project: Project) -> None:
    """As by a liveness probe on /health, which nobody should have."""
    with OwnPostgres() as cluster, ExitStack() as afterwards:
        database, nats = Database(cluster), NatsServer()
        afterwards.callback(nats.close)
        migrate(project, database.url)

        def start(port: int) -> ServeServer:
            return ServeServer(project, database.url, port=port, worker=False, ready=False, NATS_URL=nats.url)

        instances = [Probed(start) for _ in range(2)]
        for instance in instances:
            instance.server.wait_ready("/readyz")
            WorkerProgram(project, instance.server.url, DURAGRAPH_WORKER_TOKEN=WORKER_TOKEN)
        for instance in instances:
            instance.server.wait_workers(2)
        api, gate = instances[0].server.api, project.gate()
        threads = [api.thread() for _ in range(4)]
        held = [(thread_id, api.start(thread_id, "slow", {"gate": str(gate)})) for thread_id in threads]
        for thread_id, run_id in held:
            project.journal.wait(run_id, "second")
            api.wait_next(thread_id, "second")
        thread_id = api.thread()
        queued = [(thread_id, api.start(thread_id, "three_nodes", {"steps": []}, after_seconds=30)) for _ in range(2)]
        clients = afterwards.enter_context(ThreadPoolExecutor(8))
        waiting = [Waiting(clients, instances[n % 2], *ids) for n, ids in enumerate(held)]
        cluster.halt("immediate")
        begun = time.monotonic()
        for instance in instances:
            afterwards.enter_context(instance)
        until(lambda: time.monotonic() - begun > OUTAGE, "the end of the outage", OUTAGE + GUARD)
        kills = [instance.kills for instance in instances]
        cluster.resume()
        assert min(kills) > 3, kills
        for instance in instances:
            until(lambda: instance.answers("/readyz"), "an instance that serves", PATIENCE)
        gate.touch()
        for client in waiting:
            assert client.result()["steps"] == ["first", "second", "third"]
        api = instances[1].server.api
        for _, run_id in held + queued:
            attempts, nodes = api.wait_status(run_id, "success")["attempt"], project.journal.nodes(run_id)
            # A worker that lost its run goes on until it is told; what it did since its checkpoint is done again.
            assert max(map(nodes.count, nodes)) <= attempts <= 2 and nodes.count("first") <= 1, nodes
        assert api.state(thread_id)["values"]["steps"] == ["a", "b", "c"] * 2
        afterwards.close()
        project.close()
        assert_clean_postgres(project, database.url)
