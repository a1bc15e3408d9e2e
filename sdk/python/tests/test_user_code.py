"""What the worker makes of user code that raises, and of values that few libraries carry."""

from __future__ import annotations

import itertools
import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from host_process import Start, cancel, run
from server_double import ServerDouble


def test_input_reaches_the_graph_and_comes_back_as_it_was(server: ServerDouble, start: Start) -> None:
    start()
    odd = [2**70, -(2**64), "a\0b", {"\0": 10**30}]
    owner = run(server, "plain", input={"log": odd, "mode": "plain"})
    server.wait(lambda: owner.status)
    assert owner.status == "success", owner.applied[-1]
    frames = [data for m in owner.applied if m["type"] == "frames" for event, data in m["frames"] if event == "values"]
    assert frames[-1]["log"] == [*odd, "first", "second"]
    checkpoints = [m for m in owner.applied if m["type"] == "checkpoint"]
    assert checkpoints[-1]["projection"]["values"]["log"] == [*odd, "first", "second"]


@pytest.mark.parametrize("where", ["sync", "async", "task"])
def test_whatever_a_node_raises_ends_its_run_alone(server: ServerDouble, start: Start, where: str) -> None:
    start()
    beside = run(server, "sleep")
    said = {
        "exit": ("SystemExit", "3"),
        "interrupt": ("KeyboardInterrupt", "by hand"),
        "own": ("Stop", "enough"),
    }
    modes = (["values"], ["values", "events"])
    for kind, stream_modes in itertools.product(("exit", "interrupt", "own", "cancelled", "closed"), modes):
        owner = run(server, f"{where} {kind}", stream_modes=stream_modes)
        server.wait(lambda: owner.status, 10)
        assert owner.status == "error", kind
        error = owner.applied[-1]["error"]
        assert (error["error"], error["message"]) == said.get(kind, (error["error"], error["message"]))
        if kind == "cancelled":
            assert error["error"] in ("CancelledError", "NodeCancelledError") and error["message"]
    assert beside.status is None and len(server.of("hello")) == 1
    cancel(server, beside)
    server.wait(lambda: beside.status)
    assert beside.status == "cancelled"


FACTORIES = """
import sys
from agent import builder

def model(config):
    config["configurable"]["model"]
    return builder

def leaves(config):
    sys.exit("no key")
"""


def test_what_code_of_the_user_raises_for_a_request_is_told(
    server: ServerDouble, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "factories.py").write_text(FACTORIES)
    graphs = {
        "agent": "./agent.py:graph",
        "model": "./factories.py:model",
        "leaves": "./factories.py:leaves",
        "broken": "./broken.py:graph",
    }
    (tmp_path / "langgraph.json").write_text(json.dumps({"graphs": graphs}))
    process = start()
    owner = run(server, "plain")
    server.wait(lambda: owner.status)

    def refusal(method: str, graph_id: str, **params: Any) -> tuple[str, str]:
        error = server.ask(method, graph_id=graph_id, config={}, thread_id=owner.thread_id, **params)["error"]
        return error["code"], error["message"]

    def update(graph_id: str, values: Any, as_node: str = "first") -> tuple[str, str]:
        operation = str(uuid.uuid4())
        return refusal("update_state", graph_id, operation=operation, epoch=1, values=values, as_node=as_node)

    for method in ("schemas", "graph", "subgraphs", "get_state"):
        assert refusal(method, "model") == ("internal", "KeyError: 'model'")
        assert refusal(method, "leaves") == ("internal", "SystemExit: no key")
        assert refusal(method, "broken")[0] == "unavailable"
        assert refusal(method, "other")[0] == "not_found"
    assert update("model", {"log": []}) == ("internal", "KeyError: 'model'")
    for values in ({"log": 5}, 5):
        code, message = update("agent", values)
        assert code == "invalid_argument" and message.startswith("the values cannot be applied: "), values
    assert "InvalidUpdateError: " in update("agent", 5)[1] and "TypeError: " in update("agent", {"log": 5})[1]
    assert update("agent", {"log": []}, "nowhere")[0] == "invalid_argument"
    assert "KeyError: 'model'" in process.output and "factories.py" in process.output


@pytest.mark.parametrize("served", [None, '["agent", "broken"]', '["broken"]'])
def test_a_change_that_breaks_what_is_served_is_not_loaded(
    server: ServerDouble, start: Start, tmp_path: Path, served: str | None
) -> None:
    (tmp_path / "broken.py").write_text("def (:\n")
    graphs = {"agent": "./agent.py:graph", "broken": "./broken.py:graph"}
    (tmp_path / "langgraph.json").write_text(json.dumps({"graphs": graphs}))
    reload = {"DURAGRAPH_RELOAD": "1"}
    refused = start(wait=False, **reload, **({} if served is None else {"DURAGRAPH_SERVED": served}))
    assert refused.end() == 3
    told = refused.events[0]
    assert (told["graph_id"], told["file"], told["line"]) == ("broken", "broken.py", 1)
    assert "line" not in told["message"] and not server.of("hello")
    loaded = start(**reload, DURAGRAPH_SERVED='["agent", "gone"]')
    server.wait(lambda: len(loaded.events) == 2)
    assert loaded.events[1] == {"event": "ready", "graphs": ["agent"]}
