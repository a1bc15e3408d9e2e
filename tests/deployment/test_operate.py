"""What Taskfile.yml's tasks do: the services as processes with go-task itself, and compose as far as it goes without an
engine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from processes import ROOT, free_port, is_alive, until
from stack import SERVICES, Stack

GO_TASKS_OWN = 201
"""The exit code of go-task when what it ran has failed, unless it is to pass that one on."""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    made = Stack()
    yield made
    made.close()


def pids(stack: Stack) -> dict[str, int]:
    return {name: stack.pid(name) for name in SERVICES}


@pytest.mark.timeout(600)
def test_up_health_and_down(stack: Stack) -> None:
    assert stack.health() == dict.fromkeys(SERVICES, "down")
    assert stack.task("-x", "health").returncode == 1
    assert stack.task("health").returncode == GO_TASKS_OWN
    stack.do("up:local", **stack.ports)
    assert stack.health() == dict.fromkeys(SERVICES, "healthy")
    first = pids(stack)
    thread_id = stack.api.thread()
    run_id = stack.api.start(thread_id, "three_nodes", {"steps": []})
    assert stack.api.join(thread_id, run_id)["steps"] == ["a", "b", "c"]
    secret = stack.folder / "stack" / "worker-token"
    assert secret.stat().st_mode & 0o777 == 0o600 and len(secret.read_text()) == 64

    # Again: what runs is left alone, at the ports it was told.
    stack.do("up:local")
    assert pids(stack) == first
    assert "nothing to do" in stack.do("db:migrate")
    assert "serving at" in stack.do("logs")
    refused = stack.task("up:local", PORT=str(free_port()))
    assert refused.returncode != 0 and "task down:local" in refused.stdout

    # The probe of the image, and the engine's way of asking after health, of the same services.
    probe = [ROOT / "deploy" / "docker" / "probe.sh", "readyz"]
    assert subprocess.run(probe, env=os.environ | stack.ports).returncode == 0

    # One that died is missed, and started again by itself.
    os.kill(first["server"], signal.SIGKILL)
    until(lambda: not is_alive(first["server"]), "the server's end")
    assert stack.health() == {"postgres": "healthy", "nats": "healthy", "server": "down", "worker": "down"}
    assert subprocess.run(probe, env=os.environ | stack.ports, stderr=subprocess.DEVNULL).returncode != 0
    stack.do("up:local")
    now = pids(stack)
    assert {name for name in SERVICES if now[name] != first[name]} == {"server"}
    assert stack.api.state(thread_id)["values"]["steps"] == ["a", "b", "c"]

    stack.do("down:local")
    assert not [name for name, pid in now.items() if is_alive(pid)]
    assert stack.health() == dict.fromkeys(SERVICES, "down")
    # What is not there cannot be ended, and nothing else is.
    stack.do("down:local")


def test_a_process_with_a_number_of_old_is_left_alone(stack: Stack) -> None:
    with subprocess.Popen(["sleep", "infinity"]) as stranger:
        (stack.folder / "stack").mkdir(exist_ok=True)
        (stack.folder / "stack" / "server.pid").write_text(f"{stranger.pid} 1\n")
        stack.do("down:local")
        assert stranger.poll() is None
        stranger.kill()


def test_a_port_that_is_taken_is_named(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = stack.task("up:local", **stack.ports | {"DB_PORT": str(port)})
    assert done.returncode != 0
    assert f"port {port}, for PostgreSQL, is taken; choose another: DB_PORT={port + 1}" in done.stdout


def fake(folder: Path, name: str, script: str) -> str:
    """A PATH on which the program of that name is this script."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_without_an_engine_the_other_way_is_named(stack: Stack, tmp_path: Path) -> None:
    done = stack.task("up", PATH=fake(tmp_path / "bin", "docker", "exit 1"))
    assert done.returncode != 0
    assert "no Docker engine answers here; `task up:local` does the same" in done.stdout


@pytest.mark.parametrize(("worker", "profile"), [("yes", "--profile example "), ("no", "")])
def test_up_asks_the_engine_and_waits_for_health(stack: Stack, tmp_path: Path, worker: str, profile: str) -> None:
    asked = tmp_path / "asked"
    path = fake(tmp_path / "bin", "docker", f'echo "$* token=${{#DURAGRAPH_WORKER_TOKEN}} port=$PORT" >>{asked}')
    done = stack.task("up", f"WORKER={worker}", PATH=path, UP_TIMEOUT="0", **stack.ports)
    started = asked.read_text().splitlines()[-1]
    assert started == (
        f"compose --project-name duragraph {profile}up --detach --build token=64 port={stack.ports['PORT']}"
    )
    # The engine said that it was done, but nothing answers.
    assert done.returncode != 0 and "`task logs` shows why" in done.stdout
    assert stack.health()["server"] == "down"
    stack.do("down", PATH=path)
    assert asked.read_text().splitlines()[-1].startswith("compose --project-name duragraph --profile example down")
