"""What a server makes of a COMMIT that it got no answer to."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nats_server import NatsServer
from own_postgres import OwnPostgres
from postgres import Database, psql
from processes import Project, ServeServer, migrate
from wire import Loop, Point, PostgresTap, Proxy


class Served:
    """A server whose way to PostgreSQL leads through a proxy."""

    def __init__(self, folder: Path) -> None:
        self.project = Project(folder)
        self.postgres, self.nats, self.loop = OwnPostgres(), NatsServer(), Loop()
        self.database = Database(self.postgres)
        migrate(self.project, self.database.url)
        self.proxy = Proxy(self.loop, "127.0.0.1", self.database.port, PostgresTap)
        url = self.database.url.replace(f"127.0.0.1:{self.database.port}", self.proxy.address)
        self.server = ServeServer(self.project, url, worker=False, NATS_URL=self.nats.url)

    def create(self, thread_id: str) -> int:
        return self.server.api.http.post("/threads", json={"thread_id": thread_id}).status_code

    def versions(self, thread_id: str) -> list[str]:
        return self.database.run(f"SELECT event_version FROM events WHERE aggregate_id = '{thread_id}'").split()

    def close(self) -> None:
        self.project.close()
        self.loop.close()
        self.nats.close()
        self.postgres.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("point", [Point.before_commit, Point.after_commit])
def test_a_lost_connection_loses_and_repeats_nothing(served: Served, point: Point) -> None:
    for _ in range(5):
        thread_id, struck = str(uuid.uuid4()), threading.Event()
        served.proxy.lie_in_wait(point, struck.set)
        assert served.create(thread_id) == 200 and struck.is_set()
        assert served.versions(thread_id) == ["1"]


def test_a_transaction_that_a_crash_lost_is_not_taken_for_another_of_its_id(served: Served) -> None:
    """PostgreSQL gives the ids of transactions of which it has stored nothing once more."""
    served.database.run("CREATE TABLE spent (n integer)")
    spend = [word for n in range(50) for word in ("-c", f"INSERT INTO spent VALUES ({n})")]
    with ThreadPoolExecutor(1) as client:
        for _ in range(3):
            thread_id, struck = str(uuid.uuid4()), threading.Event()

            def strike() -> None:
                served.postgres.crash()
                struck.set()

            served.proxy.lie_in_wait(Point.before_commit, strike)
            answer = client.submit(served.create, thread_id)
            assert struck.wait(30)
            served.postgres.wait_end()
            served.proxy.stall()
            served.postgres.resume()
            psql(served.database.url, *spend)
            served.proxy.flow()
            status = answer.result(60)
            there = served.versions(thread_id) == ["1"]
            assert (status, there) in [(200, True), (504, False)], (status, there)
            served.server.wait_ready("/readyz")
