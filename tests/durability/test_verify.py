"""`duragraph verify` and `duragraph rebuild` on databases that real servers made."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

from audit import FINDINGS, database, rebuild, run, verify
from processes import Api, DevServer, Project, until

USAGE, NOT_FOUND, CONFLICT = 2, 3, 5
READ_TABLES = ["assistants", "assistant_versions", "threads", "runs"]


def finish(api: Api, thread_id: str, graph: str, input: Any = None, **fields: Any) -> str:
    run_id = api.start(thread_id, graph, input, **fields)
    api.http.get(f"/threads/{thread_id}/runs/{run_id}/join").raise_for_status()
    return run_id


def delete(api: Api, path: str) -> None:
    api.http.delete(path).raise_for_status()


def live(project: Project, api: Api) -> None:
    """Does everything that leaves something in the database."""
    done = api.thread()
    finish(api, done, "three_nodes", {"steps": []})
    second = finish(api, done, "three_nodes", {"steps": []})
    finish(api, done, "three_nodes", None, checkpoint_id=api.history(done)[3]["checkpoint"]["checkpoint_id"])
    api.post(f"/threads/{done}/state", {"values": {"steps": ["by hand"]}, "as_node": "a"})
    api.http.patch(f"/threads/{done}", json={"metadata": {"mood": "fine"}}).raise_for_status()
    copied = api.post(f"/threads/{done}/copy")["thread_id"]
    finish(api, copied, "three_nodes", {"steps": []})
    delete(api, f"/threads/{done}/runs/{second}")

    asking = api.thread()
    finish(api, asking, "human", {"topic": "tea"})
    finish(api, api.thread(), "two_interrupts", {})
    finish(api, api.thread(), "subgraph", {})
    finish(api, api.thread(), "raises", {})
    api.post("/runs/wait", {"assistant_id": "counter", "input": {"count": 1}})
    stop(project, api)

    gone = api.thread()
    finish(api, gone, "three_nodes", {"steps": []})
    delete(api, f"/threads/{gone}")
    api.post("/threads", {"thread_id": gone})
    finish(api, gone, "counter", {"count": 1})
    delete(api, f"/threads/{asking}")

    finish(api, api.thread(), "store_graph", {"user": "u", "text": "t"})
    written = {"namespace": ["a", "b"], "key": "k", "value": {"n": [1, "ü"]}}
    api.http.put("/store/items", json=written).raise_for_status()
    assistant = api.post("/assistants", {"graph_id": "counter", "name": "n", "context": {"step": 3}})["assistant_id"]
    api.http.patch(f"/assistants/{assistant}", json={"name": "m", "description": ""}).raise_for_status()
    api.post(f"/assistants/{assistant}/latest", {"version": 1})
    delete(api, f"/assistants/{api.post('/assistants', {'graph_id': 'counter'})['assistant_id']}")


def stop(project: Project, api: Api) -> None:
    """Runs that are cancelled, rolled back and taken over from by newer ones."""
    for action in ("interrupt", "rollback"):
        thread_id = api.thread()
        running = api.start(thread_id, "slow", {"gate": str(project.gate())})
        queued = api.start(thread_id, "three_nodes", {"steps": []}, multitask_strategy="enqueue")
        project.journal.wait(running, "second")
        for run_id in (queued, running):
            api.post(f"/threads/{thread_id}/runs/{run_id}/cancel", params={"wait": 1, "action": action})
        newer = api.start(thread_id, "slow", {"gate": str(project.gate())})
        project.journal.wait(newer, "second")
        finish(api, thread_id, "three_nodes", {"steps": []}, multitask_strategy=action)


class Load:
    """Clients that create runs without a pause until they are told to stop."""

    def __init__(self, url: str, clients: int = 3) -> None:
        self.runs = 0
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._go, args=(url,), daemon=True) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _go(self, url: str) -> None:
        api = Api(url)
        thread_id = api.thread()
        while not self._stopped.is_set():
            finish(api, thread_id, "three_nodes", {"steps": []})
            self.runs += 1

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(60)


def files(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.iterdir()}


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        for statement in statements:
            db.execute(statement)


def content(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(path)) as db:
        return {table: db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in READ_TABLES}


def test_what_servers_leave_is_clean_and_rebuilt_as_it_was(project: Project) -> None:
    server = DevServer(project, "--no-reload")
    server.wait_workers()
    live(project, server.api)
    checked = verify(project)["checked"]
    assert checked["runs"] > 10 and checked["threads"] >= 10 and checked["checkpoints"] > 30, checked

    load = Load(server.url)
    for _ in range(5):
        so_far = load.runs
        assert verify(project)["clean"]
        until(lambda: load.runs > so_far, "runs under load")
    load.stop()

    # In flight: one that runs, one that waits for it, and one that is due later.
    gate, busy = project.gate(), server.api.thread()
    running = server.api.start(busy, "slow", {"gate": str(gate)})
    server.api.start(busy, "three_nodes", {"steps": []}, multitask_strategy="enqueue")
    server.api.start(server.api.thread(), "three_nodes", {"steps": []}, after_seconds=3600)
    project.journal.wait(running, "second")
    server.kill()
    project.close()
    before = files(database(project).parent)
    assert verify(project)["checked"]["leases"] == 1
    assert files(database(project).parent) == before, "reading has changed files"

    written = content(database(project))
    execute(database(project), *(f"DELETE FROM {table}" for table in READ_TABLES))
    assert verify(project, FINDINGS)["counts"]["row-missing"] == sum(len(rows) for rows in written.values())
    planned = rebuild(project, "--dry-run")
    assert planned == {t: {"added": len(written[t]), "changed": 0, "removed": 0} for t in READ_TABLES}
    assert verify(project, FINDINGS)["total"] > 0, "a dry run has changed something"
    assert rebuild(project) == planned
    assert content(database(project)) == written
    assert verify(project)["clean"]
    assert rebuild(project) == {t: {"added": 0, "changed": 0, "removed": 0} for t in READ_TABLES}

    gate.touch()
    server = DevServer(project, "--no-reload")
    assert server.api.join(busy, running)["steps"][:3] == ["first", "second", "third"]
    server.stop()
    assert verify(project)["clean"]


def test_a_rebuild_waits_for_no_server(project: Project) -> None:
    server = DevServer(project, "--no-worker")
    refused = run(project, "rebuild", code=CONFLICT)
    assert f"process {server.pid}" in refused.stderr, refused.stderr
    assert "0 rows to be added" in run(project, "rebuild", "--dry-run").stdout
    server.stop()
    assert "0 rows added" in run(project, "rebuild").stdout


def test_findings_are_named_and_bounded(project: Project) -> None:
    server = DevServer(project, "--no-worker")
    thread_id = server.api.thread()
    runs = [server.api.start(thread_id, "three_nodes", {"steps": []}) for _ in range(5)]
    server.stop()
    execute(database(project), "UPDATE runs SET state = 'failed'")
    lines = run(project, "verify", "--limit", "2", code=FINDINGS).stdout.splitlines()
    assert lines[0] == f"row-differs  run={runs[0]}: runs: state is failed, must be queued"
    assert len(lines) == 4 and "3 more" in lines[2], lines
    assert lines[3].startswith("5 findings: 5 row-differs; checked ") and "5 runs" in lines[3]
    found = verify(project, FINDINGS)
    assert found["findings"][4]["ids"] == {"run": runs[4]} and found["total"] == 5
    assert rebuild(project)["runs"] == {"added": 0, "changed": 5, "removed": 0}


def test_what_is_no_database_is_refused(project: Project) -> None:
    for command in ("verify", "rebuild"):
        assert "does not exist" in run(project, command, code=NOT_FOUND).stderr
    assert not database(project).parent.exists(), "a folder was made"
    other = project.base / "other.db"
    execute(other, "CREATE TABLE t (x)")
    assert "no database of this program" in run(project, "verify", "--database", str(other), code=CONFLICT).stderr
    run(project, "verify", "--limit", "x", code=USAGE)
