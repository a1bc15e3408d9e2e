"""The processes of a storm: servers, supervisors with workers, and how they are found, killed and started again."""

from __future__ import annotations

import os
import signal
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path

import httpx

from journal import GUARD
from processes import Program, Project, WorkerProgram, free_port, is_alive, until

PROCESSES = [2, 1]
"""How many workers each supervisor has."""


class Cluster(ABC):
    """What serves at one URL, and its supervisors. Whoever is started again is not waited for."""

    worker_environment: dict[str, str] = {}

    def __init__(self, project: Project, url: str) -> None:
        self.project = project
        self.url = url
        self._http = httpx.Client(base_url=self.url, timeout=GUARD, trust_env=False)
        self.wait_server()
        self.supervisors = [self._start_supervisor(index) for index in range(len(PROCESSES))]
        self.output: list[str] = []
        """What those said that were killed."""
        self.wait_workers()

    @abstractmethod
    def servers(self) -> list[Program]:
        """The processes that serve."""

    @abstractmethod
    def wait_server(self) -> None:
        """Waits until all of them do."""

    def settle(self) -> None:
        """Waits until what a request without an answer had begun is there, or will never be."""

    def _start_supervisor(self, index: int) -> WorkerProgram:
        count = str(PROCESSES[index])
        return WorkerProgram(self.project, self.url, "--processes", count, **self.worker_environment)

    def kill_supervisor(self, index: int) -> None:
        """Its workers live on as orphans, until they have no more runs."""
        self.supervisors[index].kill()
        self.output.append(self.supervisors[index].output)

    def start_supervisor(self, index: int) -> None:
        self.supervisors[index] = self._start_supervisor(index)

    def wait_workers(self) -> None:
        """Waits until all workers serve."""
        wanted = sum(PROCESSES)

        def serve() -> bool:
            for supervisor in self.supervisors:
                assert supervisor.process.poll() is None, f"a supervisor has ended:\n{supervisor.output}"
            return len(self.sessions()) >= wanted

        until(serve, lambda: f"{wanted} workers, not {self.sessions()}", GUARD)

    def workers(self) -> list[int]:
        """The processes that execute graphs, orphans included."""
        return sorted(pid for pid in self.project.processes() if _is_host(pid))

    def sessions(self) -> list[int]:
        """The workers whose session the servers keep. A server that does not answer is asked again."""

        def ask() -> httpx.Response | None:
            with suppress(httpx.TransportError):
                answer = self._http.get("/api/v1/workers")
                return answer if answer.is_success else None
            return None

        answer = until(ask, "the list of workers", GUARD)
        assert answer is not None
        return [worker["pid"] for worker in answer.json()["workers"]]

    def signal_worker(self, pid: int, number: int) -> None:
        """Signals a process of this project, unless it has ended."""
        if is_alive(pid) and pid in self.project.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def heal(self) -> None:
        """Lets everything that is stopped go on, and waits for the servers."""
        for pid in self.project.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.wait_server()

    def stop(self) -> None:
        """Ends everything, the servers last; what all of them said is kept in the project's folder."""
        for program in (*self.supervisors, *self.servers()):
            program.stop()
            self.output.append(program.output)
        self.project.close()
        (self.project.base / "processes.log").write_text("\n".join(self.output))


class DevCluster(Cluster):
    """`duragraph dev` on one port."""

    def __init__(self, project: Project, *, own_worker: bool) -> None:
        """With `own_worker` the server's process is a supervisor, too, as it is by default."""
        self.project = project
        self.port = free_port()
        self._workers = ["--processes", "1"] if own_worker else ["--no-worker"]
        self.start_server()
        super().__init__(project, f"http://127.0.0.1:{self.port}")

    def servers(self) -> list[Program]:
        return [self.server]

    def start_server(self) -> None:
        flags = ["--port", str(self.port), "--no-browser", "--no-reload", *self._workers]
        self.server = Program(self.project, "dev", str(self.project.path), *flags)

    def kill_server(self) -> None:
        self.server.kill()
        self.output.append(self.server.output)

    def wait_server(self) -> None:
        def answers() -> bool:
            assert self.server.process.poll() is None, f"the server has ended:\n{self.server.output}"
            with suppress(httpx.TransportError):
                return self._http.get("/ok").status_code == 200
            return False

        until(answers, lambda: f"the server's answer\n{self.server.output}", GUARD)


def _is_host(pid: int) -> bool:
    with suppress(OSError):
        return b"duragraph_host" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return False
