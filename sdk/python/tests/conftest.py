"""Makes the host and the tests' own helpers importable without an installation, and starts workers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_HERE = Path(__file__).resolve().parent
for _folder in (_HERE, _HERE.parent):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from host_process import AGENT, Process, Start  # noqa: E402
from server_double import ServerDouble  # noqa: E402


@pytest.fixture
def server() -> Iterator[ServerDouble]:
    double = ServerDouble()
    yield double
    double.close()


@pytest.fixture
def start(server: ServerDouble, tmp_path: Path) -> Iterator[Start]:
    started: list[Process] = []
    (tmp_path / "agent.py").write_text(AGENT)
    (tmp_path / "langgraph.json").write_text(json.dumps({"graphs": {"agent": "./agent.py:graph"}}))

    def begin(wait: bool = True, **environment: str) -> Process:
        process = Process(server, tmp_path, **environment)
        started.append(process)
        if wait:
            server.wait(lambda: server.of("connected"), 60)
        return process

    yield begin
    for process in started:
        if process.process.poll() is None:
            process.process.kill()
        print(process.output)
        process.end()
