"""One server over the test graphs, for every test of LangGraph's own Python client.

DURAGRAPH_TEST_SERVER says which: `dev`, on SQLite, or `serve`, on a PostgreSQL database of its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.client import SyncLangGraphClient

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from audit import assert_clean, assert_clean_postgres  # noqa: E402
from nats_server import NatsServer  # noqa: E402
from postgres import Database, SharedCluster  # noqa: E402
from processes import DevServer, Project, ServeServer, Server, migrate, until  # noqa: E402

ON_POSTGRES = os.environ.get("DURAGRAPH_TEST_SERVER") == "serve"


class Servers:
    """Makes servers, each over a project and, where it has one, a database of its own."""

    def __init__(self) -> None:
        self.cluster = SharedCluster() if ON_POSTGRES else None
        self.nats = NatsServer() if ON_POSTGRES else None
        self.made: list[Server] = []
        self.databases: list[Database] = []

    def start(self, project: Project, **environment: str) -> Server:
        server = self.serve(project, **environment) if self.cluster else DevServer(project, "--no-reload", **environment)
        server.wait_workers()
        self.made.append(server)
        return server

    def serve(self, project: Project, **environment: str) -> ServeServer:
        assert self.cluster and self.nats
        self.databases.append(Database(self.cluster))
        url = self.databases[-1].url
        migrate(project, url)
        server = ServeServer(project, url, NATS_URL=self.nats.url, **environment)
        until(lambda: server.api.get("/health")["status"] == "healthy", "a connection to NATS")
        return server

    def close(self) -> None:
        for server in self.made:
            server.stop()
            server.project.close()
            if isinstance(server, ServeServer):
                assert_clean_postgres(server.project, server.database_url)
            else:
                assert_clean(server.project)
        for database in self.databases:
            database.close()
        if self.cluster:
            self.cluster.close()
        if self.nats:
            self.nats.close()


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    made = Servers()
    yield made
    made.close()


@pytest.fixture(scope="session")
def server(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Server:
    return servers.start(Project(tmp_path_factory.mktemp("conformance")))


@pytest.fixture(scope="session")
def make_server(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Server]:
    """Starts a server of its own over a folder of graphs, named from tests/; its worker is up."""

    def make(graphs: str = "graphs", **environment: str) -> Server:
        return servers.start(Project(tmp_path_factory.mktemp("project"), graphs), **environment)

    return make


@pytest.fixture
def client(server: Server) -> SyncLangGraphClient:
    return get_sync_client(url=server.url)


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as made:
        yield made


@pytest.fixture
def thread(client: SyncLangGraphClient) -> str:
    return client.threads.create()["thread_id"]
