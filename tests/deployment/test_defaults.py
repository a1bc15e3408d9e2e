"""The guide's defaults: PostgreSQL, NATS and the server where it says they are, and not one variable of environment."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

import net_namespace
from postgres import Cluster, programs
from processes import Program, Project, start_service, system_program, until

WITHOUT_ENVIRONMENT = ["env", "-i"]


@pytest.fixture
def network() -> Iterator[net_namespace.NetNamespace]:
    """A network of its own, in which every port is free."""
    if not net_namespace.can_be_made():
        pytest.skip("only root may make a network namespace, in which the ports of the guide are free")
    made = net_namespace.NetNamespace()
    yield made
    made.close()


@pytest.fixture(params=[14, 15, 18])
def services(network: net_namespace.NetNamespace, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """What the guide takes for granted: PostgreSQL with appdb of appuser, and NATS."""
    cluster = Cluster(programs(request.param), port=5432, within=network.within)
    made = ["CREATE ROLE appuser LOGIN PASSWORD 'apppass'", "CREATE DATABASE appdb OWNER appuser"]
    commands = [word for sql in made for word in ("-c", sql)]
    subprocess.run([*network.within, "psql", "-X", "-q", *commands, cluster.url], check=True)
    nats = start_service(network.within[0], *network.within[1:], system_program("nats-server"), "-js", "-sd", tmp_path / "nats")
    yield
    nats.kill()
    nats.wait()
    cluster.close()


@pytest.mark.usefixtures("services")
def test_no_environment_at_all_is_enough(network: net_namespace.NetNamespace, project: Project) -> None:
    within = [*network.within, *WITHOUT_ENVIRONMENT]
    migration = Program(project, "db", "migrate", within=within)
    assert migration.wait() == 0 and "001_init.sql" in migration.output, migration.output
    server = Program(project, "serve", within=within)
    try:
        # From outside: it listens on every address, not on loopback alone.
        url = f"http://{network.inside}:8080/health"

        def health() -> str:
            assert server.process.poll() is None, server.output
            with suppress(httpx.TransportError):
                return str(httpx.get(url, trust_env=False).json()["status"])
            return ""

        until(lambda: health() == "healthy", lambda: f"health\n{server.output}")
        assert Path(f"/proc/{server.pid}/environ").read_bytes() == b""
        listening = [line.split()[1] for line in Path(f"/proc/{server.pid}/net/tcp").read_text().splitlines()[1:]]
        assert f"00000000:{8080:04X}" in listening
    finally:
        server.stop()
