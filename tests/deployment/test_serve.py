"""`duragraph serve` on real databases: how it starts, waits, goes on and is replaced."""

from __future__ import annotations

import json
import resource
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from own_postgres import OwnPostgres
from pooler import Pooler
from postgres import SCHEMA_FILES, Database
from processes import WORKER_TOKEN, Api, Program, Project, Reader, ServeServer, WorkerProgram, assert_consecutive, migrate, until

FAILED, USAGE = 1, 2


def serve(project: Project, url: str, *arguments: str, **environment: str) -> Program:
    return Program(project, "serve", "--port", "0", "--host", "127.0.0.1", *arguments, DATABASE_URL=url, **environment)


def patient(server: ServeServer, path: str) -> Any:
    """What is answered when it is no longer 503, which says when to ask again."""

    def answer() -> httpx.Response | None:
        response = server.api.http.get(path)
        if response.status_code != 503:
            return response
        assert response.headers["retry-after"] == "1"
        return None

    response = until(answer, lambda: f"an answer to {path}\n{server.output}")
    assert response is not None and response.status_code == 200, response
    return response.json()


def test_what_waiting_cannot_mend_ends_it(project: Project, database: Database) -> None:
    empty = serve(project, database.url)
    assert empty.wait() == FAILED and "duragraph db migrate" in empty.output
    wrong = serve(project, database.url.replace(database.password, "wrong-one"))
    assert wrong.wait() == FAILED and "password authentication failed" in wrong.output
    assert "wrong-one" not in wrong.output and database.password not in wrong.output
    missing = serve(project, database.url + "_of_nobody")
    assert missing.wait() == FAILED and "does not exist" in missing.output


THE_ORIGINALS = "CREATE TABLE task_assignments (id bigserial PRIMARY KEY, run_id uuid NOT NULL)"
A_LATER_FILE = "INSERT INTO schema_migrations VALUES (999, '999_future.sql', 999)"
ANOTHER_TEXT = "UPDATE schema_migrations SET checksum = 'that of another text' WHERE version = 1"


@pytest.mark.parametrize(
    ("files", "sql", "words"),
    [
        (0, THE_ORIGINALS, ["the original DuraGraph", "Make an empty database", "`duragraph db migrate`"]),
        (0, "CREATE TABLE runs (id integer)", ["another program", "(runs)", "Make an empty database"]),
        (4, "SELECT 1", [f"lacks {SCHEMA_FILES[-1].name}", "`duragraph db migrate`"]),
        (5, A_LATER_FILE, ["schema 999 of a newer release", "of that release"]),
        (5, ANOTHER_TEXT, ["another text of 001_init.sql", "of the release that made it"]),
    ],
    ids=["the original's", "foreign", "older", "newer", "altered"],
)
def test_a_database_that_is_not_the_programs_ends_it(
    project: Project, database: Database, files: int, sql: str, words: list[str]
) -> None:
    for file in SCHEMA_FILES[:files]:
        database.apply(file)
    database.run(sql)
    before = database.schema()
    refused = serve(project, database.url)
    assert refused.wait() == FAILED and all(word in refused.output for word in words), refused.output
    assert database.schema() == before


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "80a"), ("DB_SSLMODE", "sometimes"), ("RATE_LIMIT_RPS", "0"), ("AUTH_ENABLED", "true")],
)
def test_a_setting_that_cannot_be_had_stops_the_start(project: Project, name: str, value: str) -> None:
    refused = Program(project, "serve", **{name: value})
    assert refused.wait() == USAGE and name in refused.output, refused.output


def test_settings_that_disagree_are_logged(project: Project, migrated: Database) -> None:
    server = ServeServer(project, migrated.url, worker=False, DB_NAME="elsewhere", DB_USER=migrated.name)
    assert "DB_NAME (environment) is not used: DATABASE_URL (environment) has another dbname" in server.output
    assert "DB_USER" not in server.output


def test_origins_that_are_named_may_use_it(project: Project, migrated: Database) -> None:
    server = ServeServer(project, migrated.url, worker=False, CORS_ALLOWED_ORIGINS="https://app.example")
    allowed = server.api.http.post("/threads", json={}, headers={"Origin": "https://app.example"})
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    other = server.api.http.post("/threads", json={}, headers={"Origin": "https://evil.example"})
    assert other.status_code == 403 and "access-control-allow-origin" not in other.headers


def test_without_a_token_no_worker_is_taken(project: Project, migrated: Database) -> None:
    server = ServeServer(project, migrated.url, worker=False, DURAGRAPH_WORKER_TOKEN="")
    assert "DURAGRAPH_WORKER_TOKEN" in server.output
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    for token in ("guessed", WORKER_TOKEN):
        answer = server.api.http.get("/api/v1/workers/connect", headers=upgrade | {"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401 and "DURAGRAPH_WORKER_TOKEN" in answer.text, answer.text


def test_it_may_have_as_many_connections_as_the_system_allows(project: Project, migrated: Database) -> None:
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, usual[1]), usual[1]))
    try:
        server = ServeServer(project, migrated.url, worker=False)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)
    assert f"process_max_fds {usual[1]}\n" in server.api.http.get("/metrics").text
    server.stop()


def test_it_waits_for_a_database_that_comes_later(project: Project) -> None:
    with OwnPostgres() as cluster:
        database = Database(cluster)
        migrate(project, database.url)
        cluster.halt("fast")
        server = ServeServer(project, database.url, ready=False)
        server.wait_ready("/ok")
        assert server.answers("/livez") and not server.answers("/readyz") and server.answers("/metrics")
        refused = server.api.http.post("/threads", json={})
        assert refused.status_code == 503 and refused.headers["retry-after"] == "1", refused.text
        health = server.api.http.get("/health")
        assert health.status_code == 503 and health.json()["status"] == "unhealthy"
        assert health.json()["checks"]["database"]["error"]
        cluster.resume()
        server.wait_ready("/readyz")
        server.wait_workers()
        server.play()


def hold_a_run(project: Project, cluster: OwnPostgres) -> tuple[ServeServer, str, str, Path]:
    """A server on a database of that cluster, and a run that waits in its second node: thread, run, and what lets it go
    on."""
    database = Database(cluster)
    migrate(project, database.url)
    server = ServeServer(project, database.url)
    server.wait_workers()
    thread_id, gate = server.api.thread(), project.gate()
    run_id = server.api.start(thread_id, "slow", {"gate": str(gate)})
    project.journal.wait(run_id, "second")
    return server, thread_id, run_id, gate


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_runs_go_on_after_a_restart_of_the_database(project: Project, how: str) -> None:
    with OwnPostgres() as cluster:
        server, thread_id, run_id, gate = hold_a_run(project, cluster)
        server.api.wait_next(thread_id, "second")
        cluster.halt(how)
        until(lambda: server.api.http.get("/health").status_code == 503, "an unhealthy server")
        assert server.api.http.get("/readyz").status_code == 503 and server.api.http.get("/ok").status_code == 200
        gate.touch()
        cluster.resume()
        # Whoever asks before the server has its lock again is told to come back.
        assert patient(server, f"/threads/{thread_id}/runs/{run_id}/join")["steps"] == ["first", "second", "third"]
        assert patient(server, f"/api/v1/runs/{run_id}")["attempt"] == 1
        assert project.journal.nodes(run_id) == ["first", "second", "second.end", "third"]
        until(lambda: "the database is back" in server.output, lambda: server.output)
        server.wait_ready("/readyz")
        server.play()


@pytest.mark.waits
@pytest.mark.timeout(180)
def test_who_waits_is_not_told_of_an_outage(project: Project) -> None:
    with OwnPostgres() as cluster:
        server, thread_id, run_id, gate = hold_a_run(project, cluster)
        reader = Reader(server.api, thread_id, run_id, "-1")
        reader.wait(len)
        received: list[bytes] = []

        def join() -> None:
            with server.api.http.stream("GET", f"/threads/{thread_id}/runs/{run_id}/join") as answer:
                received.extend(answer.iter_raw())

        waiting = threading.Thread(target=join)
        waiting.start()
        until(lambda: received, "a heartbeat")
        cluster.halt("immediate")
        # Before a heartbeat the server has looked whether the run is over, and could not.
        before = len(received)
        until(lambda: len(received) > before + 1, "two heartbeats", 90)
        gate.touch()
        cluster.resume()
        waiting.join()
        assert json.loads(b"".join(received))["steps"] == ["first", "second", "third"]
        reader.wait_end()
        assert reader.error is None
        assert_consecutive(reader.frames)
        assert reader.frames[-1][2]["steps"] == ["first", "second", "third"]
        server.stop()


def test_a_run_that_takes_too_long_is_ended(project: Project, migrated: Database) -> None:
    server = ServeServer(project, migrated.url, DURAGRAPH_RUN_TIMEOUT="2s")
    server.wait_workers()
    # The one stops when it is told to, and the other cannot.
    for graph in ("slow", "sync_sleeper"):
        thread_id, gate = server.api.thread(), project.gate()
        run_id = server.api.start(thread_id, graph, {"gate": str(gate)})
        assert server.api.join(thread_id, run_id)["__error__"]["error"] == "TimeoutError"
        assert server.api.get(f"/threads/{thread_id}/runs/{run_id}")["status"] == "timeout"
        assert server.api.get(f"/threads/{thread_id}")["status"] == "error"
        gate.touch()
    server.stop()


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_pooler_that_shares_sessions_is_refused(project: Project, migrated: Database, mode: str) -> None:
    with Pooler(migrated, mode) as pooler:
        if mode == "transaction":
            refused = serve(project, pooler.url)
            assert refused.wait() == FAILED and "pooler" in refused.output and "DATABASE_URL" in refused.output
        else:
            server = ServeServer(project, pooler.url)
            server.wait_workers()
            server.play()
            server.stop()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A folder with cert.pem, for 127.0.0.1 and its own authority, and key.pem."""
    made = tmp_path / "tls"
    made.mkdir()
    names = "subjectAltName=IP:127.0.0.1"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        + ["-subj", "/CN=127.0.0.1", "-addext", names, "-keyout", made / "key.pem", "-out", made / "cert.pem"],
        check=True,
        capture_output=True,
    )
    return made


def test_clients_and_workers_speak_tls(project: Project, migrated: Database, certificate: Path) -> None:
    settings = {
        "DURAGRAPH_TLS_CERT": str(certificate / "cert.pem"),
        "DURAGRAPH_TLS_KEY": str(certificate / "key.pem"),
        "SSL_CERT_FILE": str(certificate / "cert.pem"),
        "RATE_LIMIT_ENABLED": "true",
        "RATE_LIMIT_RPS": "1000",
        "RATE_LIMIT_BURST": "2000",
    }
    server = ServeServer(project, migrated.url, worker=False, ready=False, **settings)
    server.url = server.url.replace("http://", "https://")
    server.api = Api(server.url, ssl.create_default_context(cafile=certificate / "cert.pem"))
    server.wait_ready("/readyz")
    server.worker = WorkerProgram(project, server.url, DURAGRAPH_WORKER_TOKEN=WORKER_TOKEN, **settings)
    server.wait_workers()
    server.play()
    limited = server.api.http.get("/info")
    assert limited.headers["x-ratelimit-limit"] == "2000" and "x-ratelimit-remaining" in limited.headers
    assert "x-ratelimit-limit" not in server.api.http.get("/health").headers
    plain = httpx.get(server.url.replace("https://", "http://") + "/ok", trust_env=False)
    assert plain.status_code == 400 and "https" in plain.text, plain.text
    told = Program(project, "run", "list", DURAGRAPH_URL=server.url, **settings)
    assert told.wait() == 0 and "success" in told.output, told.output
