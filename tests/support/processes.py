"""Real processes for tests: a project of its own in a temporary folder, servers and workers on it, and their kills."""

from __future__ import annotations

import ctypes
import functools
import json
import os
import shutil
import signal
import ssl
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx

ROOT = Path(__file__).resolve().parents[2]
GUARD = 30.0
"""Seconds after which a condition that did not come is a failure."""
MARK = "DG_TEST_PROJECT"
"""The environment variable by which every process of one project is found again, orphans included."""

T = TypeVar("T")


def until(ready: Callable[[], T], what: str | Callable[[], str] = "the condition", seconds: float = GUARD) -> T:
    """Returns the first true value of `ready`, asked every few milliseconds."""
    end = time.monotonic() + seconds
    while True:
        if value := ready():
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what() if callable(what) else what}: not within {seconds:g} s")
        time.sleep(0.005)


@functools.cache
def binary() -> str | None:
    """The program under test: DURAGRAPH_BIN, else the newest that was built; None without one."""
    if named := os.environ.get("DURAGRAPH_BIN"):
        return named
    built = [ROOT / "bin" / "duragraph", *ROOT.glob("build/*/bin/duragraph")]
    found = [path for path in built if path.exists()]
    return str(max(found, key=lambda path: path.stat().st_mtime)) if found else None


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def takes_connections(port: int) -> bool:
    """Whether somebody listens on the port of 127.0.0.1."""
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def system_program(name: str) -> str:
    """The path of a program that Debian may have in a folder that is not in everybody's PATH."""
    found = shutil.which(name) or f"/usr/sbin/{name}"
    assert Path(found).exists(), f"there is no {name} here: scripts/install-deps.sh installs one"
    return found


def start_service(name: str, *arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    """Starts such a program, which ends with this process."""
    words = [system_program(name), *map(str, arguments)]
    return _starter.submit(subprocess.Popen, words, preexec_fn=_end_with_parent, **options).result()


_starter = ThreadPoolExecutor(1)
"""To the kernel the parent is the thread that starts a process: this one lasts."""


def _end_with_parent() -> None:
    _libc.prctl(1, signal.SIGTERM)


_libc = ctypes.CDLL(None)


def is_alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


class Journal:
    """What the nodes recorded: one (node, thread, run, pid) per execution, in order."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self, run_id: str | None = None) -> list[tuple[str, str, str, int]]:
        text = self.path.read_text() if self.path.exists() else ""
        rows = [line.split() for line in text.splitlines()]
        return [(r[0], r[1], r[2], int(r[3])) for r in rows if run_id is None or r[2] == run_id]

    def nodes(self, run_id: str) -> list[str]:
        return [entry[0] for entry in self.entries(run_id)]

    def pids(self, run_id: str, node: str) -> list[int]:
        """The processes that began the node for the run, in order."""
        return [entry[3] for entry in self.entries(run_id) if entry[0] == node]

    def wait(self, run_id: str, node: str, times: int = 1, seconds: float = GUARD) -> int:
        """Waits until the run has begun the node that often; returns the process of the last time."""
        until(
            lambda: len(self.pids(run_id, node)) >= times,
            lambda: f"{times}x {node} of run {run_id}; so far {self.nodes(run_id)}",
            seconds,
        )
        return self.pids(run_id, node)[times - 1]


class Project:
    """A copy of the test graphs with a journal, and the processes that were started on it."""

    def __init__(self, folder: Path, graphs: str = "graphs") -> None:
        self.base = folder
        self.path = folder / "project"
        made = shutil.ignore_patterns("__pycache__", ".duragraph", ".langgraph*")
        shutil.copytree(ROOT / "tests" / graphs, self.path, ignore=made)
        self.journal = Journal(folder / "journal")
        self.mark = uuid.uuid4().hex
        self._gates = 0

    def gate(self, *, opened: bool = False) -> Path:
        """A file that holds a node until it exists."""
        self._gates += 1
        gate = self.base / f"gate-{self._gates}"
        if opened:
            gate.touch()
        return gate

    def environment(self, **more: str) -> dict[str, str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("DURAGRAPH_", "LANGGRAPH_"))}
        # The project's Python is the one that runs the tests, as if its environment were activated.
        prefix = Path(sys.executable).parent
        environment |= {
            MARK: self.mark,
            "DG_JOURNAL": str(self.journal.path),
            "VIRTUAL_ENV": str(prefix.parent),
            "PATH": f"{prefix}:{environment.get('PATH', '')}",
        }
        return environment | more

    def token(self) -> str:
        return (self.path / ".duragraph" / "worker-token").read_text().strip()

    def processes(self) -> list[int]:
        """Every living process that was started on this project, directly or not."""
        wanted = f"{MARK}={self.mark}".encode()
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            with suppress(OSError):
                if wanted in (folder / "environ").read_bytes().split(b"\0") and is_alive(int(folder.name)):
                    found.append(int(folder.name))
        return found

    def close(self) -> None:
        """Kills what is left of the project's processes."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not self.processes(), "the end of the project's processes")


MakeProject = Callable[..., Project]
"""Makes a project, of the folder of graphs named, whose processes end with the tests that asked for it."""


class Program:
    """One run of the binary, whose output is kept."""

    def __init__(
        self, project: Project, *arguments: str, within: Sequence[str] = (), **environment: str
    ) -> None:
        """`within` is a command that becomes the program, in other surroundings; DURAGRAPH_BIN is another program."""
        program = environment.get("DURAGRAPH_BIN") or binary()
        assert program, "there is no duragraph binary: build one, or name it in DURAGRAPH_BIN"
        self.project = project
        self.output = ""
        self._changed = threading.Condition()
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*within, program, *arguments],
            cwd=project.base,
            env=project.environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.output += line
                self._changed.notify_all()

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_output(self, ready: Callable[[str], Any], seconds: float = GUARD, since: int = 0) -> None:
        """Waits until the output from position `since` satisfies `ready`."""
        with self._changed:
            if not self._changed.wait_for(lambda: ready(self.output[since:]), seconds):
                raise AssertionError(f"not in the output within {seconds:g} s:\n{self.output[since:]}")

    def wait(self, seconds: float = GUARD) -> int:
        """Waits for the end, and for the last of the output; the exit code. A child that lives on holds the output open."""
        try:
            code = self.process.wait(seconds)
            self._reader.join(1)
            return code
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.process.args} has not ended within {seconds:g} s:\n{self.output}") from None

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, to this process alone."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to one that does not obey."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()


class Server(Program):
    """A server of a project's graphs. Ready means that it answers; a worker may come later."""

    def __init__(self, project: Project, port: int, *arguments: str, **environment: str) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__(project, *arguments, "--port", str(self.port), **environment)
        self.api = Api(self.url)

    def answers(self, path: str) -> bool:
        assert self.process.poll() is None, f"the server has ended:\n{self.output}"
        with suppress(httpx.HTTPError):
            return self.api.http.get(path).status_code == 200
        return False

    @property
    def log(self) -> str:
        """All that the server's processes wrote, workers it came with among them."""
        return self.output

    def wait_ready(self, path: str = "/ok") -> None:
        until(lambda: self.answers(path), lambda: f"the server's first answer to {path}\n{self.output}")

    def wait_workers(self, count: int = 1) -> list[dict[str, Any]]:
        """Waits until that many workers take runs."""

        def serving() -> list[dict[str, Any]]:
            return [w for w in self.api.workers() if w["connected"] and not w["draining"]]

        until(lambda: len(serving()) == count, lambda: f"{count} workers, not {self.api.workers()}\n{self.output}")
        return serving()


class DevServer(Server):
    """`duragraph dev` on a project."""

    def __init__(self, project: Project, *arguments: str, port: int = 0, **environment: str) -> None:
        super().__init__(project, port, "dev", str(project.path), "--no-browser", *arguments, **environment)
        self.wait_ready()


WORKER_TOKEN = "the-token-of-test-workers"


class ServeServer(Server):
    """`duragraph serve` on a PostgreSQL database that has its schema, and a worker for the project's graphs."""

    def __init__(
        self,
        project: Project,
        database_url: str,
        *arguments: str,
        port: int = 0,
        worker: bool = True,
        ready: bool = True,
        **environment: str,
    ) -> None:
        environment = {"DATABASE_URL": database_url, "DURAGRAPH_WORKER_TOKEN": WORKER_TOKEN} | environment
        super().__init__(project, port, "serve", "--host", "127.0.0.1", *arguments, **environment)
        self.database_url = database_url
        self.worker: WorkerProgram | None = None
        if ready:
            self.wait_ready("/readyz")
        if worker:
            self.worker = WorkerProgram(project, self.url, **environment)

    @property
    def log(self) -> str:
        return self.output + (self.worker.output if self.worker else "")

    def stop(self) -> None:
        if self.worker:
            self.worker.stop()
        super().stop()


    def play(self) -> str:
        """Has the worker execute a run; its id."""
        thread_id = self.api.thread()
        run_id = self.api.start(thread_id, "three_nodes", {"steps": []})
        assert self.api.join(thread_id, run_id)["steps"] == ["a", "b", "c"]
        assert self.project.journal.nodes(run_id) == ["a", "b", "c"]
        return run_id


def migrate(project: Project, database_url: str, **environment: str) -> str:
    """Makes the tables of `serve`; what was said."""
    made = Program(project, "db", "migrate", DATABASE_URL=database_url, **environment)
    assert made.wait() == 0, made.output
    return made.output


class WorkerProgram(Program):
    """`duragraph worker` on a project, by hand."""

    def __init__(self, project: Project, url: str, *arguments: str, **environment: str) -> None:
        super().__init__(project, "worker", str(project.path), "--server", url, *arguments, **environment)


class Api:
    """The server's HTTP interface, as much of it as these tests use."""

    def __init__(self, url: str, verify: ssl.SSLContext | bool = True) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=httpx.Timeout(60), trust_env=False, verify=verify)

    def get(self, path: str, **arguments: Any) -> Any:
        return _answer(self.http.get(path, **arguments))

    def post(self, path: str, body: Any = None, **arguments: Any) -> Any:
        return _answer(self.http.post(path, json=body, **arguments))

    def thread(self) -> str:
        return str(self.post("/threads", {})["thread_id"])

    def start(self, thread_id: str, graph: str, input: Any = None, **fields: Any) -> str:
        """Creates a run in the background; its id."""
        body = {"assistant_id": graph, "input": input, "stream_resumable": True, **fields}
        body.setdefault("stream_mode", ["values", "updates", "custom"])
        return str(self.post(f"/threads/{thread_id}/runs", body)["run_id"])

    def run(self, run_id: str) -> dict[str, Any]:
        return dict(self.get(f"/api/v1/runs/{run_id}"))

    def why(self, run_id: str) -> dict[str, Any]:
        return dict(self.get(f"/api/v1/runs/{run_id}/why")["reason"])

    def state(self, thread_id: str) -> dict[str, Any]:
        return dict(self.get(f"/threads/{thread_id}/state"))

    def history(self, thread_id: str) -> list[dict[str, Any]]:
        return list(self.get(f"/threads/{thread_id}/history", params={"limit": 100}))

    def join(self, thread_id: str, run_id: str) -> Any:
        return self.get(f"/threads/{thread_id}/runs/{run_id}/join")

    def gauge(self, name: str) -> float:
        """The metric of the instance that answers, over all its labels."""
        lines = [line.split() for line in self.http.get("/metrics").text.splitlines()]
        return sum(float(words[-1]) for words in lines if words[0].partition("{")[0] == name)

    def workers(self) -> list[dict[str, Any]]:
        return list(self.get("/api/v1/workers")["workers"])

    def wait_status(self, run_id: str, *statuses: str, seconds: float = GUARD) -> dict[str, Any]:
        """Waits until the run has one of the statuses; the run."""
        until(
            lambda: self.run(run_id)["status"] in statuses,
            lambda: f"{statuses} of {self.run(run_id)}, {self.why(run_id)}",
            seconds,
        )
        return self.run(run_id)

    def wait_next(self, thread_id: str, *nodes: str) -> None:
        """Waits until the checkpoint before these nodes is durable: a node begins while it is being written."""
        until(
            lambda: self.state(thread_id)["next"] == list(nodes), lambda: f"{nodes} next in {self.state(thread_id)}"
        )

    def frames(self, thread_id: str, run_id: str, after: str = "-1") -> list[Frame]:
        """Every frame after the given id, to the end of the run."""
        reader = Reader(self, thread_id, run_id, after)
        reader.wait_end()
        assert reader.error is None, reader.error
        return reader.frames


def _answer(response: httpx.Response) -> Any:
    asked = f"{response.request.method} {response.request.url}"
    assert response.is_success, f"{asked}: {response.status_code} {response.text}"
    return response.json() if response.content.strip() else None


Frame = tuple[str, str, Any]
"""The id, the event and the data of one server-sent event."""


class Reader:
    """A client that reads a run's stream on a thread of its own until the stream ends or breaks."""

    def __init__(self, api: Api, thread_id: str, run_id: str, after: str) -> None:
        self.frames: list[Frame] = []
        self.error: Exception | None = None
        self.ended = False
        self.retry: int | None = None
        """After how many milliseconds it was told to come back."""
        self._changed = threading.Condition()
        self._request = (api.url, f"/threads/{thread_id}/runs/{run_id}/stream", {"Last-Event-ID": after})
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def last_id(self) -> str:
        return self.frames[-1][0]

    def wait(self, ready: Callable[[list[Frame]], Any], seconds: float = GUARD) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: ready(self.frames), seconds), self.frames

    def wait_end(self, seconds: float = GUARD) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.ended, seconds), self.frames

    def _read(self) -> None:
        url, path, headers = self._request
        try:
            with httpx.Client(base_url=url, timeout=GUARD, trust_env=False) as client:
                with client.stream("GET", path, headers=headers) as response:
                    response.raise_for_status()
                    for frame in parse_sse(self._hear(response.iter_lines())):
                        with self._changed:
                            self.frames.append(frame)
                            self._changed.notify_all()
        except Exception as error:  # noqa: BLE001 - the tests kill servers
            self.error = error
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def _hear(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            if line.startswith("retry:"):
                self.retry = int(line.removeprefix("retry:"))
            yield line


def parse_sse(lines: Iterator[str]) -> Iterator[Frame]:
    """The frames of a stream; comments, which are heartbeats, are left out."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            if fields:
                yield fields.get("id", ""), fields.get("event", "message"), json.loads(fields["data"])
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")


def assert_consecutive(frames: list[Frame]) -> None:
    """The frames are numbered 0, 1, 2, … without a gap or a repetition."""
    assert [frame[0] for frame in frames] == [str(n) for n in range(len(frames))], frames


def attempts(frames: list[Frame]) -> list[int]:
    """The attempts that the metadata frames announce."""
    return [data["attempt"] for _, event, data in frames if event == "metadata"]
