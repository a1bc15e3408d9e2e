"""The client commands: what they print as JSON and as text, and their exit codes."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import time
import uuid
from typing import Any, NamedTuple

import pytest

from processes import DevServer, MakeProject, Program, binary, free_port, until

FAILED, USAGE, NOT_FOUND, CONFLICT, TIMEOUT, AWAITING_HUMAN, UNREACHABLE = 1, 2, 3, 5, 6, 7, 69
INTERRUPTED = 130


class Answer(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def command(self) -> str:
        """The command that standard error names as the next one, without the program's name."""
        (line,) = [line for line in self.err.splitlines() if "duragraph run resume" in line]
        return line.partition("duragraph ")[2]

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Cli:
    def __init__(self, server: DevServer) -> None:
        self.server = server
        self.environment = server.project.environment(DURAGRAPH_URL=server.url, DURAGRAPH_API_KEY="any")

    def __call__(self, *arguments: str, code: int = 0, url: str | None = None) -> Answer:
        environment = self.environment | ({"DURAGRAPH_URL": url} if url else {})
        done = subprocess.run(
            [str(binary()), *arguments], env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return Answer(done.returncode, done.stdout, done.stderr)

    def watch(self, run_id: str) -> Program:
        """Watches a run in the background."""
        return Program(self.server.project, "run", "watch", run_id, "--json", DURAGRAPH_URL=self.server.url)

    def create(self, graph: str, input: Any, *arguments: str) -> dict[str, Any]:
        """Starts a run in the background; the run."""
        return dict(self("run", "create", graph, "--input", json.dumps(input), "--json", *arguments).json)


@pytest.fixture(scope="module")
def cli(make_project: MakeProject) -> Cli:
    server = DevServer(make_project())
    server.wait_workers()
    return Cli(server)


def test_create_wait_get_and_list(cli: Cli) -> None:
    run = cli.create("three_nodes", {"steps": []}, "--metadata", '{"from": "a test"}')
    run_id, thread_id = run["run_id"], run["thread_id"]
    waited = cli("run", "wait", run_id, "--json")
    assert waited.json["steps"] == ["a", "b", "c"]
    got = cli("run", "get", run_id, "--json").json
    assert got["status"] == "success" and got["why"]["code"] == "finished" and got["metadata"]["from"] == "a test"
    text = cli("run", "get", run_id).out
    assert run_id in text and thread_id in text and "success" in text and "why" in text
    assert [r["run_id"] for r in cli("run", "list", "--thread", thread_id, "--json").json] == [run_id]
    listed = cli("run", "list", "--status", "success", "--limit", "1000", "--json").json
    assert run_id in [r["run_id"] for r in listed] and {r["status"] for r in listed} == {"success"}
    assert run_id in cli("run", "list", "--limit", "1000").out
    again = cli.create("three_nodes", {"steps": []}, "--thread", thread_id)
    assert cli("run", "wait", again["run_id"], "--json").json["steps"] == ["a", "b", "c"] * 2


def test_watch_prints_every_frame_as_a_line(cli: Cli) -> None:
    watched = cli("run", "create", "slow", "--input", "{}", "--watch", "--json").lines
    assert [line["id"] for line in watched] == [str(n) for n in range(len(watched))]
    assert watched[0]["event"] == "metadata"
    run_id = watched[0]["data"]["run_id"]
    assert watched[-1]["data"].get("steps") == ["first", "second", "third"] or any(
        line["event"] == "values" and line["data"].get("steps") == ["first", "second", "third"] for line in watched
    )
    assert cli("run", "watch", run_id, "--json").lines == watched
    assert "first" in cli("run", "watch", run_id).out


def test_a_question_is_asked_and_answered(cli: Cli) -> None:
    asked = cli("run", "create", "human", "--input", '{"topic": "tea"}', "--watch", "--json", code=AWAITING_HUMAN)
    run_id = asked.lines[0]["data"]["run_id"]
    assert cli("run", "wait", run_id, "--json", code=AWAITING_HUMAN).json["__interrupt__"]
    assert cli("run", "get", run_id, "--json").json["why"]["code"] == "person"
    assert "thread_id" not in cli("run", "get", run_id).out, "the thread is named at the top"
    thread_id = cli("run", "get", run_id, "--json").json["thread_id"]
    assert "Is this plan good?" in cli("thread", "get", thread_id).out
    answered = cli("run", "resume", thread_id, "--value", '{"ok": 1}', "--watch", "--json").lines
    assert answered[-1]["event"] in ("values", "updates")
    assert cli("thread", "get", thread_id, "--json").json["values"]["result"] == "a plan for tea: {'ok': 1}"
    cli("run", "resume", thread_id, "--value", "yes", code=CONFLICT)
    by_run = cli.create("human", {"topic": "milk"})["run_id"]
    cli("run", "wait", by_run, code=AWAITING_HUMAN)
    resumed = cli("run", "resume", by_run, "--value", "plain text", "--json").json
    assert cli("run", "wait", resumed["run_id"], "--json").json["answer"] == "plain text"


def test_retry_of_a_run_without_a_thread_has_a_thread_of_its_own(cli: Cli) -> None:
    api = cli.server.api
    run_id = api.post("/runs", {"assistant_id": "three_nodes", "input": {"steps": []}})["run_id"]
    first = api.wait_status(run_id, "success")
    retried = cli("run", "retry", run_id, "--json").json
    assert retried["thread_id"] != first["thread_id"] and retried["kwargs"]["temporary"] is True
    assert cli("run", "wait", retried["run_id"], "--json").json["steps"] == ["a", "b", "c"]
    shown = cli("run", "retry", run_id, "--watch")
    assert "succeeded" in shown.err and "thread" in shown.err and first["thread_id"] not in shown.err
    lines = cli("run", "retry", run_id, "--watch", "--json").lines
    again = api.run(lines[0]["data"]["run_id"])
    assert again["thread_id"] not in (first["thread_id"], retried["thread_id"])
    assert api.state(again["thread_id"])["values"]["steps"] == ["a", "b", "c"]
    assert api.state(first["thread_id"])["values"]["steps"] == ["a", "b", "c"]


def test_several_questions_are_answered_by_their_ids(cli: Cli) -> None:
    run = cli.create("two_interrupts", {})
    thread_id = run["thread_id"]
    waited = cli("run", "wait", run["run_id"], "--json", code=AWAITING_HUMAN)
    ids = {question["value"]["question"]: question["id"] for question in waited.json["__interrupt__"]}
    assert set(ids) == {"a?", "b?"}
    watched, got = cli("run", "watch", run["run_id"], code=AWAITING_HUMAN), cli("thread", "get", thread_id)
    for told in (waited.err, watched.err, got.out):
        assert all(id in told and question in told for question, id in ids.items()), told
    assert waited.command == watched.command == got.command

    ambiguous = cli("run", "resume", thread_id, "--value", "yes", "--watch", code=FAILED)
    assert "you must specify the interrupt id" in ambiguous.out and ambiguous.command == waited.command
    assert cli("thread", "get", thread_id, "--json").json["status"] == "error"
    silent = cli("run", "resume", thread_id, code=CONFLICT)
    assert all(id in silent.err for id in ids.values()) and silent.command == waited.command

    partly = cli("run", "resume", thread_id, "--value", json.dumps({ids["a?"]: "A"}), "--watch", code=AWAITING_HUMAN)
    assert "--value VALUE" in partly.command
    answered = shlex.split(partly.command.replace("VALUE", "B"))
    cli(*answered)
    assert cli("thread", "get", thread_id, "--json").json["values"]["result"] == "a=A b=B"
    cli("run", "resume", thread_id, code=CONFLICT)


def test_the_command_that_is_told_answers_several_questions(cli: Cli) -> None:
    asked = cli("run", "create", "two_interrupts", "--input", "{}", "--watch", code=AWAITING_HUMAN)
    cli(*shlex.split(asked.command.replace("VALUE", '"yes"')))
    values = cli("thread", "get", shlex.split(asked.command)[2], "--json").json["values"]
    assert values["result"] == "a=yes b=yes"


@pytest.mark.parametrize("breakpoints", [{"interrupt_before": ["b"]}, {"interrupt_after": ["a"]}])
def test_a_breakpoint_is_told_from_a_question_and_passed(cli: Cli, breakpoints: dict[str, list[str]]) -> None:
    api = cli.server.api
    thread_id = api.thread()
    run_id = api.start(thread_id, "three_nodes", {"steps": []}, **breakpoints)
    waited = cli("run", "wait", run_id, code=AWAITING_HUMAN)
    assert "stopped before b and asks nothing" in waited.err
    assert cli("run", "watch", run_id, code=AWAITING_HUMAN).command == waited.command
    assert cli("run", "get", run_id).command == waited.command
    why = cli("run", "get", run_id, "--json").json["why"]
    assert (why["code"], why["interrupts"], why["next"]) == ("person", [], ["b"])
    assert "stopped at a breakpoint before b" in why["message"] and "value" not in why["message"]
    refused = cli("run", "resume", thread_id, "--value", "yes", code=CONFLICT)
    assert refused.command == waited.command and api.state(thread_id)["next"] == ["b"]
    assert "succeeded" in cli(*shlex.split(waited.command)).err
    assert api.state(thread_id)["values"]["steps"] == ["a", "b", "c"]
    assert "nothing on it" in cli("run", "resume", thread_id, code=CONFLICT).err


def test_a_run_that_is_named_goes_on_with_its_breakpoints(cli: Cli) -> None:
    api = cli.server.api
    thread_id = api.thread()
    run_id = api.start(thread_id, "three_nodes", {"steps": []}, interrupt_before=["b", "c"])
    cli("run", "wait", run_id, code=AWAITING_HUMAN)
    assert "before c" in cli("run", "resume", run_id, "--watch", code=AWAITING_HUMAN).err
    cli("run", "resume", run_id, "--watch")
    assert api.state(thread_id)["values"]["steps"] == ["a", "b", "c"]


def test_a_thread_goes_on_from_the_node_that_failed(cli: Cli) -> None:
    gate = cli.server.project.gate()
    run = cli.create("raises", {"unless": str(gate)})
    cli("run", "wait", run["run_id"], code=FAILED)
    assert "asks nothing" in cli("run", "resume", run["thread_id"], "--value", "yes", code=CONFLICT).err
    gate.touch()
    cli("run", "resume", run["thread_id"], "--watch")
    assert cli("thread", "get", run["thread_id"], "--json").json["values"]["result"] == "fine"


def test_a_busy_thread_is_not_resumed(cli: Cli) -> None:
    gate = cli.server.project.gate()
    run = cli.create("slow", {"gate": str(gate)})
    cli.server.project.journal.wait(run["run_id"], "second")
    assert "busy" in cli("run", "resume", run["thread_id"], code=CONFLICT).err
    gate.touch()
    cli("run", "wait", run["run_id"])


def test_an_answer_that_is_broken_json_is_refused_and_plain_text_is_none(cli: Cli) -> None:
    run_id = cli.create("human", {"topic": "tea"})["run_id"]
    cli("run", "wait", run_id, code=AWAITING_HUMAN)
    for broken in ("{bad", '["a"', '"yes'):
        refused = cli("run", "resume", run_id, "--value", broken, code=USAGE)
        assert "--value: not valid JSON" in refused.err and "--value '" in refused.err, refused.err
    told = cli("run", "resume", run_id, "--value", "{bad", code=USAGE).err
    (quoted,) = shlex.split(told.rpartition("--value ")[2])
    answered = cli("run", "resume", run_id, "--value", quoted, "--json").json
    assert cli("run", "wait", answered["run_id"], "--json").json["answer"] == "{bad"


def test_retry_is_a_new_run_of_the_same_request(cli: Cli) -> None:
    gate = cli.server.project.gate()
    run = cli.create("raises", {"unless": str(gate)})
    failed = cli("run", "wait", run["run_id"], "--json", code=FAILED)
    assert failed.json["__error__"] == {"error": "CustomError", "message": "Boo!"}
    assert "retry" in failed.err
    assert "CustomError: Boo!" in cli("run", "get", run["run_id"]).out
    assert cli("run", "get", run["run_id"], "--json").json["error"] == {"error": "CustomError", "message": "Boo!"}
    cli("run", "watch", run["run_id"], code=FAILED)
    gate.touch()
    retried = cli("run", "retry", run["run_id"], "--json").json
    assert retried["run_id"] != run["run_id"] and retried["thread_id"] == run["thread_id"]
    assert cli("run", "wait", retried["run_id"], "--json").json["result"] == "fine"
    assert cli("run", "get", run["run_id"], "--json").json["status"] == "error"


def test_fork_goes_on_from_a_checkpoint(cli: Cli) -> None:
    run = cli.create("three_nodes", {"steps": []})
    cli("run", "wait", run["run_id"])
    history = cli("thread", "history", run["thread_id"], "--json").json
    (origin,) = [state for state in history if state["next"] == ["b"]]
    checkpoint = origin["checkpoint"]["checkpoint_id"]
    assert checkpoint in cli("thread", "history", run["thread_id"]).out
    forked = cli("run", "fork", run["run_id"], "--checkpoint", checkpoint, "--json").json
    assert cli("run", "wait", forked["run_id"], "--json").json["steps"] == ["a", "b", "c"]
    assert cli.server.project.journal.nodes(forked["run_id"]) == ["b", "c"]
    by_thread = cli("run", "fork", run["thread_id"], "--checkpoint", checkpoint, "--json").json
    cli("run", "wait", by_thread["run_id"])


def test_cancel(cli: Cli) -> None:
    gate = cli.server.project.gate()
    run = cli.create("slow", {"gate": str(gate)})
    cli.server.project.journal.wait(run["run_id"], "second")
    cli("run", "create", "slow", "--thread", run["thread_id"], "--multitask", "reject", code=CONFLICT)
    timed_out = cli("run", "wait", run["run_id"], "--timeout", "0.2", code=TIMEOUT)
    assert "goes on" in timed_out.err
    assert cli("run", "cancel", run["run_id"], "--json").json == {
        "run_id": run["run_id"],
        "status": "interrupted",
        "cancelled": True,
    }
    cli("run", "wait", run["run_id"], code=FAILED)
    rolled = cli.create("slow", {"gate": str(gate)})
    cli.server.project.journal.wait(rolled["run_id"], "second")
    assert cli("run", "cancel", rolled["run_id"], "--rollback", "--json").json["status"] == "gone"
    cli("run", "get", rolled["run_id"], code=NOT_FOUND)
    delayed = cli.create("slow", {}, "--after", "3600")
    assert cli("run", "get", delayed["run_id"], "--json").json["why"]["code"] == "delay"
    cli("run", "cancel", delayed["run_id"])


def test_a_run_that_is_over_is_not_cancelled(cli: Cli) -> None:
    run_id = cli.create("three_nodes", {"steps": []})["run_id"]
    cli("run", "wait", run_id)
    for options in ([], ["--rollback"], ["--no-wait"]):
        told = cli("run", "cancel", run_id, "--json", *options, code=CONFLICT)
        assert told.json == {"run_id": run_id, "status": "success", "cancelled": False}
        assert "over already; nothing was cancelled" in told.err
    assert cli("run", "get", run_id, "--json").json["status"] == "success"
    paused = cli.create("human", {"topic": "tea"})["run_id"]
    cli("run", "wait", paused, code=AWAITING_HUMAN)
    assert cli("run", "cancel", paused, "--json").json["cancelled"] is True
    cli("run", "cancel", paused, code=CONFLICT)


def test_an_interrupted_watch_leaves_the_run_alone(cli: Cli) -> None:
    gate = cli.server.project.gate()
    run = cli.create("slow", {"gate": str(gate)})
    watch = cli.watch(run["run_id"])
    watch.wait_output(lambda text: '"metadata"' in text)
    watch.signal(signal.SIGINT)
    assert watch.wait() == INTERRUPTED
    watch.wait_output(lambda text: "the run goes on" in text and text.count(run["run_id"]) >= 2)
    gate.touch()
    assert cli("run", "wait", run["run_id"], "--json").json["steps"] == ["first", "second", "third"]


def test_threads_assistants_workers_and_versions(cli: Cli) -> None:
    run = cli.create("three_nodes", {"steps": []})
    cli("run", "wait", run["run_id"])
    thread_id = run["thread_id"]
    threads = cli("thread", "list", "--status", "idle", "--limit", "1000", "--json").json
    assert thread_id in [thread["thread_id"] for thread in threads]
    assert thread_id in cli("thread", "list", "--limit", "1000").out
    thread = cli("thread", "get", thread_id, "--json").json
    assert thread["status"] == "idle" and thread["values"]["steps"] == ["a", "b", "c"]
    assert [state["next"] for state in cli("thread", "history", thread_id, "--json").json] == [
        [],
        ["c"],
        ["b"],
        ["a"],
        ["__start__"],
    ]
    assistants = cli("assistant", "list", "--json").json
    assert {"agent", "slow", "three_nodes"} <= {assistant["graph_id"] for assistant in assistants}
    assert "three_nodes" in cli("assistant", "list").out
    (worker,) = cli("worker", "list", "--json").json
    assert worker["pid"] == cli.server.project.journal.pids(run["run_id"], "a")[0]
    assert worker["revision"] in cli("worker", "list").out
    versions = cli("version", "--json").json
    assert versions["version"] and versions["server"] == versions["version"]
    assert versions["version"] in cli("version").out


def test_exit_codes_of_what_cannot_be_done(cli: Cli) -> None:
    unknown = str(uuid.uuid4())
    for command in ("get", "wait", "watch", "cancel", "retry"):
        cli("run", command, unknown, code=NOT_FOUND)
    cli("run", "resume", unknown, "--value", "1", code=NOT_FOUND)
    cli("run", "fork", unknown, "--checkpoint", unknown, code=NOT_FOUND)
    cli("thread", "get", unknown, code=NOT_FOUND)
    refused = cli("run", "create", "no_such_graph", "--input", "{}", code=NOT_FOUND)
    assert "three_nodes" in refused.err, "the error says which graphs exist"
    cli(code=USAGE)
    cli("run", code=USAGE)
    cli("run", "create", code=USAGE)
    cli("run", "create", "three_nodes", "--input", "{not json", code=USAGE)
    cli("run", "get", "not-an-id", code=USAGE)
    cli("run", "list", "--status", "odd", code=USAGE)
    cli("run", "create", "three_nodes", "--no-such-flag", code=USAGE)
    nowhere = f"http://127.0.0.1:{free_port()}"
    lost = cli("run", "list", url=nowhere, code=UNREACHABLE)
    assert nowhere.removeprefix("http://") in lost.err
    alone = cli("version", "--json", url=nowhere)
    assert alone.json["server"] is None and f"no server answers at {nowhere}" in alone.err


def test_the_servers_address_is_understood_or_refused(cli: Cli) -> None:
    for end in ("/", "/api/v1", "/api/v1/"):
        cli("run", "list", "--json", url=cli.server.url + end)
    for wrong in ("http://127.0.0.1:99999", "nonsense", "ftp://127.0.0.1"):
        refused = cli("run", "list", "--json", url=wrong, code=USAGE)
        assert "DURAGRAPH_URL" in refused.err and wrong in refused.err and not refused.out


def test_a_wrong_command_line_is_named(cli: Cli) -> None:
    for words, said in {
        ("bogus",): '"bogus"',
        ("run", "craete"): "did you mean create?",
        ("run", "list", "--limt", "1"): "did you mean --limit?",
        ("run", "list", "--limit", "0"): "--limit: must be a whole number, from 1 to 1000",
        ("run", "create", "agent", "--after", "-1"): "--after: must be 0 or more",
        ("dev", "--n-jobs-per-worker", "0"): "--n-jobs-per-worker: must be a whole number, 1 or more",
        ("dev", "--port", "70000"): "--port: must be a port from 0 to 65535",
        ("dev", "--host", "nonsense"): "--host: must be an IP address such as 127.0.0.1, or localhost",
        ("dev", "--cors-origin", "nonsense"): "--cors-origin: must be * or an origin",
        ("dev", "/no/such/folder"): "/no/such/folder/langgraph.json does not exist",
        ("dev", "--config", "/nope.json"): "--config: /nope.json does not exist",
        ("worker", "/no/such/folder"): "/no/such/folder/langgraph.json does not exist",
    }.items():
        refused = cli(*words, code=USAGE)
        assert said in refused.err and not refused.out, refused.err
        assert len(refused.err.splitlines()) == 2 and max(map(len, refused.err.splitlines())) < 200, refused.err


def test_help_and_version_of_the_program(cli: Cli) -> None:
    assert cli("--version").out == cli("version").out.splitlines(keepends=True)[0]
    for words in (["run"], ["run", "create"], ["thread", "get"], ["assistant", "list"], ["version"]):
        text = cli(*words, "--help").out
        assert "DURAGRAPH_URL" in text and "DURAGRAPH_API_KEY" in text, text
    assert "http://127.0.0.1:2024" in cli("worker", "--help").out


def test_a_watch_survives_the_servers_death(cli: Cli) -> None:
    """Last in this module: it replaces the server."""
    server, gate = cli.server, cli.server.project.gate()
    run = cli.create("slow", {"gate": str(gate)})
    server.project.journal.wait(run["run_id"], "second")
    watch = cli.watch(run["run_id"])
    watch.wait_output(lambda text: '"second"' in text)
    server.kill()
    watch.wait_output(lambda text: "the connection was lost" in text)
    time.sleep(0.5)  # Several tries to connect fail meanwhile.
    cli.server = DevServer(server.project, port=server.port)
    gate.touch()
    assert watch.wait() == 0, watch.output
    watch.wait_output(lambda text: "succeeded" in text)
    assert watch.output.count("the connection was lost") == 1, watch.output
    frames = [json.loads(line) for line in watch.output.splitlines() if line.startswith("{")]
    assert [frame["id"] for frame in frames] == [str(n) for n in range(len(frames))]
    assert cli("run", "watch", run["run_id"], "--json").lines == frames
    until(lambda: cli.server.project.journal.nodes(run["run_id"]).count("first") == 1, "the first node, once")
