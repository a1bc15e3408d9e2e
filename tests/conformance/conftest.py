"""One server over the test graphs, for every test of LangGraph's own Python client."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.client import SyncLangGraphClient

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from audit import assert_clean  # noqa: E402
from processes import DevServer, Project  # noqa: E402


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    project = Project(tmp_path_factory.mktemp("conformance"))
    made = DevServer(project, "--no-reload")
    made.wait_workers()
    yield made
    made.stop()
    project.close()
    assert_clean(project)


@pytest.fixture(scope="session")
def make_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., DevServer]]:
    """Starts a server of its own over a folder of graphs, named from tests/; its worker is up."""
    made: list[DevServer] = []

    def make(graphs: str = "graphs", **environment: str) -> DevServer:
        made.append(DevServer(Project(tmp_path_factory.mktemp("project"), graphs), "--no-reload", **environment))
        made[-1].wait_workers()
        return made[-1]

    yield make
    for server in made:
        server.stop()
        server.project.close()
    for server in made:
        assert_clean(server.project)


@pytest.fixture
def client(server: DevServer) -> SyncLangGraphClient:
    return get_sync_client(url=server.url)


@pytest.fixture
def http(server: DevServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as made:
        yield made


@pytest.fixture
def thread(client: SyncLangGraphClient) -> str:
    return client.threads.create()["thread_id"]
