"""`duragraph dev` as a program: starting, reloading, ending, and whom it refuses."""

from __future__ import annotations

import json
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest

from processes import DevServer, MakeProject, Program, Project, WorkerProgram, binary, free_port, is_alive, until

CONNECT = "/api/v1/workers/connect"
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "duragraph.worker.v1",
}
ENVIRONMENT_GRAPH = """
import os
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    names: list
    found: dict


def read(state: State):
    return {"found": {name: os.environ.get(name) for name in state["names"]}}


builder = StateGraph(State)
builder.add_node(read)
builder.add_edge(START, "read")
graph = builder.compile()
"""


@pytest.fixture(scope="module")
def dev(make_project: MakeProject) -> Iterator[DevServer]:
    """A server whose project has an environment of its own that would break it."""
    project = make_project()
    (project.path / ".env").write_text(
        'PORT=1\nHOST=192.0.2.1\nDATABASE_URL="postgres://nobody@192.0.2.1/nothing"\nDURAGRAPH_URL=http://192.0.2.1\n'
    )
    (project.path / "environment.py").write_text(ENVIRONMENT_GRAPH)
    config = json.loads((project.path / "langgraph.json").read_text())
    config["env"] = ".env"
    config["graphs"]["environment"] = "./environment.py:graph"
    (project.path / "langgraph.json").write_text(json.dumps(config))
    server = DevServer(project)
    server.wait_workers()
    yield server
    server.stop()


def run(server: DevServer, graph: str, input: object) -> dict[str, object]:
    thread_id = server.api.thread()
    return dict(server.api.post(f"/threads/{thread_id}/runs/wait", {"assistant_id": graph, "input": input}))


def test_it_listens_at_once(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Meant are 100 ms from exec to the first answer; the guard is for machines under load."""
    took = []
    for _ in range(3):
        port = free_port()
        began = time.monotonic()
        process = subprocess.Popen(
            [str(binary()), "dev", str(project.path), "--port", str(port), "--no-worker", "--no-browser"],
            env=project.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while True:
                assert time.monotonic() - began < 30 and process.poll() is None
                with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port), 10) as connection:
                    connection.sendall(b"GET /ok HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                    if connection.recv(100).startswith(b"HTTP/1.1 200"):
                        break
            took.append(time.monotonic() - began)
        finally:
            process.terminate()
            assert process.wait(10) in (0, 130)
    with capsys.disabled():
        print(f"\n  first answer {', '.join(f'{1000 * t:.0f}' for t in took)} ms after exec")
    assert min(took) < 1


def test_the_projects_environment_reaches_the_worker_only(dev: DevServer) -> None:
    found = run(dev, "environment", {"names": ["PORT", "DATABASE_URL", "DURAGRAPH_WORKER_TOKEN"]})["found"]
    assert found == {
        "PORT": "1",
        "DATABASE_URL": "postgres://nobody@192.0.2.1/nothing",
        "DURAGRAPH_WORKER_TOKEN": None,
    }
    # The server answers on the port of its own command line, from its own database.
    assert dev.api.get("/ok") == {"ok": True}
    assert (dev.project.path / ".duragraph" / "duragraph.db").exists()


def test_the_data_folder_is_private(dev: DevServer) -> None:
    folder = dev.project.path / ".duragraph"
    assert (folder / ".gitignore").read_text() == "*\n"
    assert stat.S_IMODE((folder / "worker-token").stat().st_mode) == 0o600
    announced = json.loads((folder / "server.json").read_text())
    assert announced["pid"] == dev.pid and announced["url"].endswith(f":{dev.port}")


def test_the_worker_endpoint_asks_for_its_token(dev: DevServer) -> None:
    token = {"Authorization": f"Bearer {dev.project.token()}"}

    def status(**headers: str) -> int:
        return dev.api.http.get(CONNECT, headers={**UPGRADE, **headers}).status_code

    assert status() == 401
    assert status(Authorization="Bearer wrong") == 401
    assert status(**token, Origin="http://localhost") == 403
    assert status(Origin="http://localhost") in (401, 403)
    with dev.api.http.stream("GET", CONNECT, headers={**UPGRADE, **token}) as accepted:
        assert accepted.status_code == 101


def test_it_answers_loopback_names_only(dev: DevServer) -> None:
    assert dev.api.http.get("/ok", headers={"Host": f"localhost:{dev.port}"}).status_code == 200
    assert dev.api.http.get("/ok", headers={"Host": "evil.example"}).status_code in (403, 421)
    assert dev.api.http.get("/threads", headers={"Host": "evil.example"}).status_code in (403, 421)


def test_a_second_one_on_the_same_folder_is_refused(dev: DevServer) -> None:
    second = Program(dev.project, "dev", str(dev.project.path), "--port", "0", "--no-browser")
    assert second.wait() not in (0, 130)
    until(lambda: str(dev.pid) in second.output, lambda: f"who holds the folder: {second.output}")
    assert "Traceback" not in second.output
    assert dev.api.get("/ok") == {"ok": True}


def test_a_taken_port_is_named_with_its_holder(dev: DevServer, project: Project) -> None:
    second = Program(project, "dev", str(project.path), "--port", str(dev.port), "--no-browser")
    assert second.wait() not in (0, 130)
    until(lambda: "--port 0" in second.output, lambda: f"how to choose another port: {second.output}")
    assert str(dev.port) in second.output and str(dev.pid) in second.output and "duragraph" in second.output


def test_an_edit_reloads_the_worker_and_a_broken_one_does_not(dev: DevServer) -> None:
    project, api = dev.project, dev.api
    source = project.path / "three_nodes.py"
    original = source.read_text()
    (worker,) = dev.wait_workers()
    thread_id, gate = api.thread(), project.gate()
    in_flight = api.start(thread_id, "slow", {"gate": str(gate)})
    project.journal.wait(in_flight, "second")

    source.write_text(original.replace('{"steps": ["c"]}', '{"steps": ["changed"]}'))
    until(lambda: run(dev, "three_nodes", {"steps": []})["steps"] == ["a", "b", "changed"], lambda: dev.output)
    gate.touch()
    assert api.join(thread_id, in_flight)["steps"] == ["first", "second", "third"]
    assert project.journal.nodes(in_flight).count("first") == 1
    (reloaded,) = dev.wait_workers()
    assert reloaded["pid"] != worker["pid"] and reloaded["revision"] != worker["revision"]
    until(lambda: not is_alive(worker["pid"]), "the end of the old worker")
    assert dev.process.poll() is None and api.state(thread_id)["values"]["steps"] == ["first", "second", "third"]

    since = len(dev.output)
    broken = original + "\n\ndef broken(:\n    pass\n"
    line = broken[: broken.index("def broken")].count("\n") + 1
    source.write_text(broken)
    dev.wait_output(lambda text: "three_nodes.py" in text and "SyntaxError" in text, since=since)
    dev.wait_output(lambda text: f"three_nodes.py:{line}" in text or f"line {line}" in text, since=since)
    (kept,) = dev.wait_workers()
    assert kept["pid"] == reloaded["pid"]
    assert run(dev, "three_nodes", {"steps": []})["steps"] == ["a", "b", "changed"]

    source.write_text(original)
    until(lambda: run(dev, "three_nodes", {"steps": []})["steps"] == ["a", "b", "c"], lambda: dev.output)


def test_broken_graphs_do_not_keep_changes_of_others_out(project: Project) -> None:
    """Only a graph that serves and would not any more keeps the new code from being loaded."""
    good = (project.path / "three_nodes.py").read_text()
    graphs = {name: f"./{name}.py:graph" for name in ("three_nodes", "one", "two")}
    (project.path / "langgraph.json").write_text(json.dumps({"graphs": graphs}))
    for name in ("one", "two"):
        (project.path / f"{name}.py").write_text("def (:\n")
    server = DevServer(project)

    def serves(graph: str, *steps: str) -> None:
        found = until(lambda: run(server, graph, {"steps": []}).get("steps"), lambda: server.output)
        assert found == list(steps)

    def edit(name: str, text: str) -> int:
        """Writes a file and waits for the worker that has read it; where the output was before."""
        before, (worker,) = len(server.output), server.wait_workers()
        (project.path / f"{name}.py").write_text(text)
        until(lambda: [w["pid"] for w in server.wait_workers()] != [worker["pid"]], lambda: server.output)
        return before

    server.wait_workers()
    for name in ("one", "two"):
        said = f'the graph "{name}" cannot be imported: SyntaxError: invalid syntax ({name}.py, line 1)\n'
        assert server.output.count(said) == 1 and server.output.count(f"{name}.py, line 1") == 1, server.output
    edit("three_nodes", good.replace('{"steps": ["c"]}', '{"steps": ["changed"]}'))
    serves("three_nodes", "a", "b", "changed")
    since = edit("one", good)
    serves("one", "a", "b", "c")
    assert 'the graph "one"' not in server.output[since:]
    since = len(server.output)
    (project.path / "one.py").write_text("def (:\n")
    server.wait_output(lambda text: "the change cannot be loaded" in text, since=since)
    serves("one", "a", "b", "c")


def test_a_worker_that_cannot_serve_here_ends(dev: DevServer, project: Project) -> None:
    """Where trying again would change nothing: a token that is refused, none at all, an address that is none."""
    folder = project.path / ".duragraph"

    def ends(code: int, said: str, server: str = dev.url, **environment: str) -> None:
        worker = WorkerProgram(project, server, **environment)
        assert worker.wait() == code, worker.output
        worker.wait_output(lambda text: said in text)
        assert len(worker.output.splitlines()) == 1, worker.output

    ends(2, "nonsense", server="nonsense", DURAGRAPH_WORKER_TOKEN="any")
    ends(4, "DURAGRAPH_WORKER_TOKEN")
    assert not folder.exists()
    ends(4, "refuses the token", DURAGRAPH_WORKER_TOKEN="wrong")
    assert (folder / ".gitignore").read_text() == "*\n" and stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not project.processes()


def test_a_worker_shows_the_token_of_its_server(project: Project, make_project: MakeProject) -> None:
    """That of the folder to the folder's own server, whatever the environment says, and the environment's to others."""
    own, other = DevServer(project, "--no-worker"), DevServer(make_project(), "--no-worker")
    WorkerProgram(project, own.url, DURAGRAPH_WORKER_TOKEN="of another server")
    own.wait_workers()
    WorkerProgram(project, other.url, DURAGRAPH_WORKER_TOKEN=other.project.token())
    other.wait_workers()


def test_a_graph_that_exits_fails_its_run_alone(project: Project) -> None:
    (project.path / "exits.py").write_text(
        ENVIRONMENT_GRAPH.replace('return {"found"', 'raise SystemExit("bad flag")\n    return {"found"')
    )
    (project.path / "langgraph.json").write_text(json.dumps({"graphs": {"exits": "./exits.py:graph"}}))
    server = DevServer(project)
    (worker,) = server.wait_workers()
    for _ in range(2):
        thread_id = server.api.thread()
        run_id = server.api.start(thread_id, "exits", {"names": []})
        until(lambda: server.api.run(run_id)["status"] == "error", lambda: server.output)
        assert "SystemExit" in json.dumps(server.api.run(run_id)) and "bad flag" in json.dumps(server.api.run(run_id))
    assert [w["pid"] for w in server.wait_workers()] == [worker["pid"]]


def test_what_langgraph_json_names_elsewhere_reloads_the_worker(project: Project) -> None:
    """The file of variables and the local dependency lie outside the project's folder, or look like nothing."""
    shared, variables = project.base / "shared", project.base / "secrets" / "variables"
    shared.mkdir()
    variables.parent.mkdir()
    variables.write_text("COLOUR=red\n")
    (shared / "shade.py").write_text('shade = "dark"\n')
    (project.path / "environment.py").write_text(
        ENVIRONMENT_GRAPH.replace("import os", "import os\nimport shade").replace(
            "{name: os.environ.get(name)", '{"shade": shade.shade} | {name: os.environ.get(name)'
        )
    )
    config = {
        "graphs": {"environment": "./environment.py:graph"},
        "dependencies": [".", "../shared"],
        "env": "../secrets/variables",
    }
    (project.path / "langgraph.json").write_text(json.dumps(config))
    server = DevServer(project)
    server.wait_workers()

    def found() -> object:
        return run(server, "environment", {"names": ["COLOUR"]})["found"]

    assert found() == {"shade": "dark", "COLOUR": "red"}
    variables.write_text("COLOUR=blue\n")
    until(lambda: found() == {"shade": "dark", "COLOUR": "blue"}, lambda: server.output)
    (shared / "shade.py").write_text('shade = "very light"\n')
    until(lambda: found() == {"shade": "very light", "COLOUR": "blue"}, lambda: server.output)
    # A change may name another file, which counts from then on.
    other = project.path / ".env.local"
    other.write_text("COLOUR=green\n")
    (project.path / "langgraph.json").write_text(json.dumps({**config, "env": ".env.local"}))
    until(lambda: found() == {"shade": "very light", "COLOUR": "green"}, lambda: server.output)
    other.write_text("COLOUR=white\n")
    until(lambda: found() == {"shade": "very light", "COLOUR": "white"}, lambda: server.output)


def test_a_reload_configures_graphs_that_are_new_or_changed(project: Project) -> None:
    server = DevServer(project)
    server.wait_workers()
    config = json.loads((project.path / "langgraph.json").read_text())
    config["graphs"]["late"] = "./three_nodes.py:graph"
    configured = {"three_nodes": {"context": {"tone": "calm"}}, "late": {"configurable": {"model": "m"}}}
    config["env"] = {"LANGGRAPH_CONFIG": json.dumps(configured)}
    (project.path / "langgraph.json").write_text(json.dumps(config))

    def assistant(graph: str) -> dict[str, object]:
        (found,) = server.api.post("/assistants/search", {"graph_id": graph})
        return dict(found)

    until(lambda: server.api.post("/assistants/search", {"graph_id": "late"}), lambda: server.output)
    assert assistant("late")["config"] == {"configurable": {"model": "m"}}
    until(lambda: assistant("three_nodes")["context"] == {"tone": "calm"}, lambda: server.output)
    assert assistant("three_nodes")["version"] == 2
    until(lambda: run(server, "late", {"steps": []}).get("steps") == ["a", "b", "c"], lambda: server.output)

    # One that is named no more is gone as soon as the last worker that has it drains.
    del config["graphs"]["late"]
    (project.path / "langgraph.json").write_text(json.dumps(config))
    until(lambda: "late" not in server.api.http.get("/assistants/nobody").json()["detail"], lambda: server.output)
    refused = server.api.http.post("/runs", json={"assistant_id": "late"})
    assert refused.status_code == 404, refused.text
    assert 'its graph "late" is no longer here' in refused.json()["detail"] and "three_nodes" in refused.text


def test_a_python_without_langgraph_is_told_once_what_mends_it(project: Project) -> None:
    """The worker is tried again and again without a word, and serves as soon as the Python has what it needs."""
    environment, tries = project.base / "environment", project.base / "tries"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True, timeout=60)
    python = environment / "bin" / "python"
    (packages,) = environment.glob("lib/python*/site-packages")
    # A line of a .pth file runs at each start; a sitecustomize would be hidden where the system has its own.
    (packages / "tries.pth").write_text(f"import sys; print('.', end='', file=open({str(tries)!r}, 'a'))\n")
    server = DevServer(project, VIRTUAL_ENV=str(environment))
    until(lambda: tries.exists() and len(tries.read_text()) >= 5, lambda: f"five tries:\n{server.output}")
    assert server.output.count(f"{python} -m pip install langgraph\n") == 1, server.output
    assert server.output.count("langgraph is not installed") == 1 and "Traceback" not in server.output
    (packages / "those-of-the-tests.pth").write_text(sysconfig.get_path("purelib") + "\n")
    server.wait_workers()
    assert run(server, "three_nodes", {"steps": []})["steps"] == ["a", "b", "c"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains(project: Project, number: signal.Signals) -> None:
    server = DevServer(project)
    (worker,) = server.wait_workers()
    api, gate = server.api, project.gate()
    thread_id = api.thread()
    run_id = api.start(thread_id, "slow", {"gate": str(gate)})
    project.journal.wait(run_id, "second")
    server.signal(number)
    server.wait_output(lambda text: "stopping" in text)
    gate.touch()
    assert server.wait() in (0, 130), server.output
    assert ("press Ctrl-C again" in server.output) == (number == signal.SIGINT)
    until(lambda: not is_alive(worker["pid"]), "the end of the worker")
    assert not (project.path / ".duragraph" / "server.json").exists()
    if number == signal.SIGINT:
        return
    server = DevServer(project, port=server.port)
    assert server.api.join(thread_id, run_id)["steps"] == ["first", "second", "third"]
    assert project.journal.nodes(run_id).count("first") == 1


def test_an_idle_one_stops_at_once(project: Project) -> None:
    server = DevServer(project)
    server.wait_workers()
    run(server, "three_nodes", {"steps": []})
    began = time.monotonic()
    server.signal(signal.SIGTERM)
    server.wait()
    assert time.monotonic() - began < 2, server.output  # Meant is less than one; the guard is for machines under load.


def test_what_does_nothing_is_warned_of_once(project: Project) -> None:
    (project.path / ".env").write_text("A=1\nwhat is this\n")
    flags = ["--tunnel", "--debug-port", "5678", "--allow-blocking"]
    server = DevServer(project, "--no-worker", *flags)
    server.wait_output(lambda text: "Studio" in text)
    warnings = [line for line in server.output.splitlines() if "nothing here" in line]
    assert len(warnings) == 1 and all(flag in warnings[0] for flag in ("--tunnel", "--debug-port", "--allow-blocking"))
    assert server.output.count("line 2 is not NAME=VALUE") == 1 and str(project.path / ".env") in server.output
    server.stop()


def test_an_orphaned_worker_ends(project: Project) -> None:
    server = DevServer(project)
    by_hand = WorkerProgram(project, server.url)
    orphans = {worker["pid"] for worker in server.wait_workers(2)}
    server.kill()
    by_hand.kill()
    until(lambda: not any(is_alive(pid) for pid in orphans), "the end of the orphans")


def test_runs_wait_for_a_worker_that_comes_later(project: Project) -> None:
    server = DevServer(project, "--no-worker")
    api = server.api
    thread_id = api.thread()
    run_id = api.start(thread_id, "three_nodes", {"steps": []})
    assert api.run(run_id)["status"] == "pending"
    worker = WorkerProgram(project, server.url, "--processes", "2")
    assert api.join(thread_id, run_id)["steps"] == ["a", "b", "c"]
    assert len({each["pid"] for each in server.wait_workers(2)}) == 2
    worker.signal(signal.SIGTERM)
    assert worker.wait() in (0, 130), worker.output
    until(lambda: api.workers() == [], lambda: f"the workers' sessions: {api.workers()}")
    with pytest.raises(httpx.HTTPError):
        server.stop()
        api.http.get("/ok")
