"""The log of `duragraph serve`: lines of JSON with the ids of requests, runs and traces, and nobody waits for it."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
from typing import Any

import httpx

from exposition import Scrape
from postgres import Database
from processes import WORKER_TOKEN, Project, ServeServer, binary, free_port, until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
Line = dict[str, Any]


def lines(server: ServeServer) -> list[Line]:
    """Every line that is ended; a line that is no JSON fails the test."""
    return [json.loads(line) for line in server.output.rpartition("\n")[0].splitlines()]


def wait_line(server: ServeServer, message: str, **fields: str) -> Line:
    def found() -> Line | None:
        for line in lines(server):
            if message in line["message"] and fields.items() <= line.items():
                return line
        return None

    line = until(found, lambda: f"{message} with {fields}\n{server.output}")
    assert line
    return line


def test_lines_are_json_with_ids(project: Project, migrated: Database) -> None:
    server = ServeServer(project, migrated.url, DURAGRAPH_LOG_LEVEL="debug")
    server.wait_workers()
    thread = server.api.thread()
    asked = server.api.http.post(
        f"/threads/{thread}/runs",
        json={"assistant_id": "raises", "input": {}},
        headers={"X-Request-Id": "my-request:1", "traceparent": TRACEPARENT},
    )
    run = asked.json()["run_id"]
    assert asked.headers["x-request-id"] == "my-request:1"
    server.api.wait_status(run, "error")

    answered = wait_line(server, "answered a request", request_id="my-request:1")
    assert answered["level"] == "debug" and answered["trace_id"] == TRACE
    assert (answered["method"], answered["route"], answered["status"]) == ("POST", "/threads/{thread_id}/runs", "200")
    assert float(answered["duration_ms"]) > 0
    accepted = wait_line(server, "accepted a run of raises", run_id=run)
    assert (accepted["request_id"], accepted["thread_id"], accepted["trace_id"]) == ("my-request:1", thread, TRACE)
    ended = wait_line(server, "ended: failed, CustomError", run_id=run)
    assert ended["level"] == "info" and ended["trace_id"] == TRACE and "Boo" not in server.output
    events = migrated.run(f"SELECT metadata FROM run_events WHERE run_id = '{run}' LIMIT 1")
    assert "my-request:1" in events

    instance = server.api.get("/info")["metadata"]["instance"]
    for line in lines(server):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]), line
        assert line["level"] in {"debug", "info", "warn", "error"} and line["message"], line
        assert line.get("instance", instance) == instance
    assert ended["instance"] == instance
    assert WORKER_TOKEN not in server.output and migrated.password not in server.output


def test_a_request_id_that_may_not_be_is_replaced(project: Project, migrated: Database) -> None:
    server = ServeServer(project, migrated.url, worker=False, DURAGRAPH_LOG_LEVEL="debug")
    for wrong in ("a b", "x" * 129, '"}{"'):
        given = server.api.http.get("/info", headers={"X-Request-Id": wrong}).headers["x-request-id"]
        assert given != wrong and re.fullmatch(r"[\w.:-]{1,128}", given)
        wait_line(server, "answered a request", request_id=given)


def test_each_format_can_be_chosen(project: Project, migrated: Database) -> None:
    server = ServeServer(project, migrated.url, worker=False, DURAGRAPH_LOG_FORMAT="text")
    until(lambda: "serving at" in server.output, lambda: server.output)
    assert re.search(r"^\S+ info +serving at http", server.output, re.M), server.output


def test_a_server_does_not_wait_for_its_log(project: Project, migrated: Database) -> None:
    """Its standard error is a pipe that nobody reads."""
    port = free_port()
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    environment = project.environment(DATABASE_URL=migrated.url, DURAGRAPH_LOG_LEVEL="debug")
    program = binary()
    assert program
    server = subprocess.Popen(
        [program, "serve", "--host", "127.0.0.1", "--port", str(port)], env=environment, stderr=writing
    )
    os.close(writing)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False) as http:

            def dropped() -> float:
                try:
                    return Scrape.read(http.get("/metrics").text).values("duragraph_log_lines_dropped_total")[0]
                except httpx.ConnectError:
                    return 0

            assert until(dropped, "lines that were dropped") > 0
            assert http.get("/ok").status_code == 200
            # Whoever reads again gets whole lines.
            os.set_blocking(reading, False)
            before = os.read(reading, 1 << 16)
            marked = http.get("/ok", headers={"X-Request-Id": "after-the-gap"})
            assert marked.status_code == 200
            after = until(lambda: read_some(reading), "a line after the gap")
            assert [json.loads(line) for line in before.rpartition(b"\n")[0].splitlines()]
            assert any(json.loads(line).get("request_id") == "after-the-gap" for line in after.splitlines() if line)
    finally:
        server.terminate()
        server.wait(30)
        os.close(reading)


def read_some(fd: int) -> bytes:
    try:
        return os.read(fd, 1 << 16)
    except BlockingIOError:
        return b""
