"""`duragraph serve` and NATS: events arrive outside, whatever happens to either of them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import nats.errors
import pytest

from certificates import Authority
from events import assert_in_order, ids, stored
from nats_operator import Operator
from nats_server import NatsServer
from postgres import Database
from processes import ROOT, Program, Project, ServeServer, free_port, until

FAILED = 1


@pytest.fixture
def broker() -> Iterator[NatsServer]:
    made = NatsServer()
    yield made
    made.close()


def serve(project: Project, database: Database, broker: NatsServer) -> ServeServer:
    """With a worker that takes runs."""
    server = ServeServer(project, database.url, NATS_URL=broker.url)
    server.wait_workers()
    return server


def told(database: Database, broker: NatsServer, **options: Any) -> list[Any]:
    """All messages, once there is one for each event."""

    def complete() -> list[Any] | None:
        messages = broker.events(**options)
        return messages if messages and stored(database) <= set(ids(messages)) else None

    return until(complete, "a message for each event") or []


def status(server: ServeServer) -> str:
    return str(server.api.get("/health")["status"])


def test_events_arrive_once_and_in_order(project: Project, migrated: Database, broker: NatsServer) -> None:
    server = serve(project, migrated, broker)
    runs = [server.play() for _ in range(5)]
    messages = told(migrated, broker)
    assert sorted(ids(messages)) == sorted(stored(migrated)), "each event once"
    assert_in_order(messages)
    scope = migrated.run("SELECT scope FROM outbox_state").strip()
    for run_id in runs:
        of_run = [m for m in messages if m.subject.startswith(f"duragraph.events.{scope}.run.{run_id}.")]
        types = [m.subject.rpartition(".")[2] for m in of_run]
        assert types[:2] == ["RunCreated", "RunStarted"] and types[-1] == "RunCompleted"
        assert set(types[2:-1]) == {"CheckpointSaved"}
        created = json.loads(of_run[0].data)
        assert created["aggregate_id"] == run_id and created["version"] == 1 and created["payload"]
        assert of_run[0].headers["ce-type"] == "duragraph.RunCreated"
        assert of_run[0].headers["ce-time"] == created["occurred_at"]
    health = server.api.get("/health")
    assert health["status"] == "healthy" and set(health["checks"]["nats"]) == {"status", "latency_ms"}
    assert migrated.run("SELECT count(*) FROM outbox").strip() == "0"


def test_a_broker_that_is_away_delays_events_alone(project: Project, migrated: Database, broker: NatsServer) -> None:
    broker.kill()
    server = serve(project, migrated, broker)
    server.play()
    health = server.api.http.get("/health")
    assert health.status_code == 200 and health.json()["status"] == "degraded"
    assert health.json()["checks"]["nats"]["error"]
    assert server.api.http.get("/readyz").status_code == 200
    broker.start()
    told(migrated, broker)
    until(lambda: status(server) == "healthy", "health")
    broker.kill()
    until(lambda: status(server) == "degraded", "a loss that is noticed")
    server.play()
    broker.start()
    messages = told(migrated, broker)
    assert_in_order(messages)
    assert sorted(ids(messages)) == sorted(stored(migrated)), "a stream that was kept is not filled again"


def test_a_wiped_broker_is_filled_again(project: Project, migrated: Database, broker: NatsServer) -> None:
    server = serve(project, migrated, broker)
    for _ in range(3):
        server.play()
    told(migrated, broker)
    broker.kill()
    broker.wipe()
    server.play()
    broker.start()
    messages = told(migrated, broker)
    assert_in_order(messages)
    assert any(m.headers.get("duragraph-replay") == "true" for m in messages)
    server.play()
    assert_in_order(told(migrated, broker))
    assert "published again" in server.output


def test_two_instances_relay_side_by_side(project: Project, migrated: Database, broker: NatsServer) -> None:
    first = serve(project, migrated, broker)
    second = ServeServer(project, migrated.url, worker=False, ready=False, NATS_URL=broker.url)
    until(lambda: "connected to NATS" in second.output, "the second instance's connection")
    for _ in range(10):
        first.play()
    messages = told(migrated, broker)
    assert_in_order(messages)
    assert sorted(ids(messages)) == sorted(stored(migrated))


def test_what_is_told_twice_has_the_same_id(project: Project, migrated: Database, broker: NatsServer) -> None:
    """An instance dies after NATS has stored events and before they have left the outbox."""
    server = serve(project, migrated, broker)
    server.play()
    told(migrated, broker)
    until(lambda: migrated.run("SELECT count(*) FROM outbox").strip() == "0", "an empty outbox")
    before = len(broker.events())
    blocker = migrated.session()
    # Whoever publishes cannot forget, since that changes this row at last.
    blocker.run("BEGIN")
    blocker.run("SELECT 1 FROM outbox_state FOR UPDATE")
    thread_id = server.api.thread()
    until(lambda: len(broker.events()) > before, "an event that is stored")
    assert migrated.run("SELECT count(*) FROM outbox").strip() != "0"
    server.kill()
    blocker.run("ROLLBACK")
    other = serve(project, migrated, broker)
    until(lambda: migrated.run("SELECT count(*) FROM outbox").strip() == "0", "an empty outbox")
    assert ids(broker.events()).count(f"thread:{thread_id}:1") == 1
    other.play()
    messages = told(migrated, broker)
    assert sorted(ids(messages)) == sorted(stored(migrated))


def test_a_server_without_jetstream_is_refused(project: Project, migrated: Database) -> None:
    plain = NatsServer(jetstream=False)
    try:
        refused = Program(
            project, "serve", "--port", "0", "--host", "127.0.0.1", DATABASE_URL=migrated.url, NATS_URL=plain.url
        )
        assert refused.wait() == FAILED, refused.output
        assert "--jetstream" in refused.output
    finally:
        plain.close()


@pytest.mark.parametrize("way", ["user", "token", "url", "tls"])
def test_it_is_let_in(project: Project, migrated: Database, tmp_path: Path, way: str) -> None:
    environment: dict[str, str] = {}
    if way == "tls":
        authority = Authority(tmp_path)
        certificate, key = authority.sign("localhost")
        made = NatsServer("--tls", f"--tlscert={certificate}", f"--tlskey={key}")
        environment = {
            "NATS_URL": f"tls://localhost:{made.port}",
            "DURAGRAPH_NATS_TLS_CA": str(authority.certificate),
        }
    elif way == "token":
        made = NatsServer("--auth", "s3cret")
        environment = {"NATS_URL": made.url, "DURAGRAPH_NATS_TOKEN": "s3cret"}
    else:
        made = NatsServer("--user", "dg", "--pass", "s3cret")
        environment = {"NATS_URL": made.url, "DURAGRAPH_NATS_USER": "dg", "DURAGRAPH_NATS_PASSWORD": "s3cret"}
        if way == "url":
            environment = {"NATS_URL": f"nats://dg:s3cret@{made.address}"}
    try:
        server = ServeServer(project, migrated.url, worker=False, **environment)
        until(lambda: status(server) == "healthy", lambda: f"a connection\n{server.output}")
        if way == "token":
            wrong = {"NATS_URL": made.url, "DURAGRAPH_NATS_TOKEN": "wr0ng"}
            refused = ServeServer(project, migrated.url, worker=False, ready=False, **wrong)
            assert refused.wait() == FAILED
            assert "Authorization Violation" in refused.output and "DURAGRAPH_NATS_TOKEN" in refused.output
            assert "wr0ng" not in refused.output
        assert "s3cret" not in server.output
    finally:
        made.close()


def test_it_shows_its_certificate(project: Project, migrated: Database, tmp_path: Path) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "another")
    certificate, key = authority.sign("localhost")
    shown = [f"--tlscert={certificate}", f"--tlskey={key}", f"--tlscacert={authority.certificate}"]
    broker = NatsServer("--tlsverify", *shown)
    try:
        for signer, let_in in ((authority, True), (other, False)):
            own, own_key = signer.sign("duragraph")
            settings = {
                "NATS_URL": f"tls://localhost:{broker.port}",
                "DURAGRAPH_NATS_TLS_CA": str(authority.certificate),
                "DURAGRAPH_NATS_TLS_CERT": str(own),
                "DURAGRAPH_NATS_TLS_KEY": str(own_key),
            }
            server = ServeServer(project, migrated.url, worker=False, **settings)
            until(lambda: status(server) == ("healthy" if let_in else "degraded"), lambda: server.output)
            if not let_in:
                until(lambda: "bad certificate" in broker.log or "unknown authority" in broker.log, lambda: broker.log)
                assert status(server) == "degraded"
            server.stop()
    finally:
        broker.close()


def test_it_shows_its_credentials(project: Project, migrated: Database, tmp_path: Path) -> None:
    operator, stranger = Operator(), Operator()
    configuration = tmp_path / "nats.conf"
    configuration.write_text(operator.configuration)
    broker = NatsServer("-c", str(configuration))
    credentials = tmp_path / "duragraph.creds"
    settings = {"NATS_URL": broker.url, "DURAGRAPH_NATS_CREDENTIALS": str(credentials)}
    try:
        operator.write_credentials(credentials)
        server = ServeServer(project, migrated.url, **settings)
        server.wait_workers()
        until(lambda: status(server) == "healthy", lambda: f"a connection\n{server.output}")
        server.play()
        until(lambda: migrated.run("SELECT count(*) FROM outbox").strip() == "0", "events that are told")
        server.stop()
        stranger.write_credentials(credentials)
        refused = ServeServer(project, migrated.url, worker=False, ready=False, **settings)
        assert refused.wait() == FAILED
        assert "DURAGRAPH_NATS_CREDENTIALS" in refused.output, refused.output
    finally:
        broker.close()


def test_the_stream_has_the_limits_that_are_set(project: Project, migrated: Database, broker: NatsServer) -> None:
    """Those of the last start."""
    week, gigabyte = 7 * 24 * 3600, 1 << 30
    chosen = [({}, week, gigabyte), ({"DURAGRAPH_NATS_MAX_AGE": "2d", "DURAGRAPH_NATS_MAX_BYTES": "3M"}, 2 * 86400, 3 << 20)]
    for settings, age, size in [*chosen, chosen[0]]:
        server = ServeServer(project, migrated.url, NATS_URL=broker.url, **settings)
        server.wait_workers()
        server.play()

        def limits() -> list[tuple[float | None, int | None, int]]:
            return [(of.max_age, of.max_bytes, of.num_replicas) for of in broker.streams()]

        until(lambda: limits() == [(age, size, 1)], lambda: f"{age} s and {size} bytes, not {limits()}")
        server.stop()


def test_a_cluster_keeps_the_replicas_that_are_set(project: Project, migrated: Database) -> None:
    ports = [free_port() for _ in range(3)]
    routes = ["--cluster_name=test", f"--routes={','.join(f'nats://127.0.0.1:{port}' for port in ports)}"]
    cluster = [NatsServer(f"--name=n{port}", f"--cluster=nats://127.0.0.1:{port}", *routes) for port in ports]
    urls = ",".join(broker.url for broker in cluster)
    try:
        for replicas in (3, 1):
            settings = {"NATS_URL": urls, "DURAGRAPH_NATS_REPLICAS": str(replicas)}
            server = ServeServer(project, migrated.url, worker=False, **settings)

            def kept() -> list[int]:
                # While the cluster has no leader, nobody answers.
                with suppress(nats.errors.Error):
                    return [of.num_replicas for of in cluster[0].streams()]
                return []

            until(lambda: status(server) == "healthy" and kept() == [replicas], lambda: f"{kept()}\n{server.output}")
            server.stop()
    finally:
        for broker in cluster:
            broker.close()


def test_replicas_that_nats_does_not_have_are_told(project: Project, migrated: Database, broker: NatsServer) -> None:
    server = ServeServer(project, migrated.url, NATS_URL=broker.url, DURAGRAPH_NATS_REPLICAS="3")
    server.wait_workers()
    until(lambda: "replicas" in server.api.get("/health")["checks"]["nats"].get("error", ""), lambda: server.output)
    server.play()


def test_a_password_that_is_changed_meanwhile_is_waited_out(project: Project, migrated: Database) -> None:
    broker = NatsServer("--auth", "s3cret")
    try:
        server = ServeServer(project, migrated.url, NATS_URL=broker.url, DURAGRAPH_NATS_TOKEN="s3cret")
        server.wait_workers()
        until(lambda: status(server) == "healthy", lambda: f"a connection\n{server.output}")
        broker.kill()
        broker.arguments[-1] = "an0ther"
        broker.start()
        refusal = "Authorization Violation"
        until(lambda: refusal in server.api.get("/health")["checks"]["nats"].get("error", ""), lambda: server.output)
        server.play()
        assert status(server) == "degraded"
        broker.kill()
        broker.arguments[-1] = "s3cret"
        broker.start()
        until(lambda: status(server) == "healthy", lambda: f"a connection\n{server.output}")
    finally:
        broker.close()


def test_the_example_of_a_consumer(project: Project, migrated: Database, broker: NatsServer, tmp_path: Path) -> None:
    """The program in docs/events.md, as it stands there."""
    (source,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "events.md").read_text(), re.S | re.M)
    (tmp_path / "consumer.py").write_text(source)
    server = serve(project, migrated, broker)
    run_id = server.play()
    running = subprocess.Popen(
        ["python", str(tmp_path / "consumer.py")],
        env=project.environment() | {"NATS_URL": broker.url, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        for line in running.stdout:
            if re.match(rf"run {run_id} \d+ RunCompleted", line):
                break
        else:
            raise AssertionError("the consumer has ended")
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
