from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.pregel import Pregel
from langgraph.store.memory import InMemoryStore

from duragraph_host.loader import GraphUnavailable, Project, load_project

GRAPH = """
from typing_extensions import TypedDict
from langgraph.graph import StateGraph, START
class State(TypedDict):
    x: int
def node(state): return {"x": 1}
builder = StateGraph(State)
builder.add_node("node", node)
builder.add_edge(START, "node")
"""


@pytest.fixture(autouse=True)
def _imports() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if not name.startswith(("langgraph", "langchain", "pydantic", "duragraph_host")):
            del sys.modules[name]


def make(folder: Path, files: dict[str, str], graphs: dict[str, Any], **config: Any) -> Project:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text))
    (folder / "langgraph.json").write_text(json.dumps({"graphs": graphs, "dependencies": ["."], **config}))
    return load_project(folder / "langgraph.json")


def opened(project: Project, name: str, access: Any = "threads.read", **options: Any) -> Any:
    async def go() -> Any:
        config = options.pop("config", {"configurable": {"k": "v"}})
        async with project.graphs[name].open(config, access, InMemoryStore(), **options) as graph:
            assert isinstance(graph, Pregel)
            return graph

    return asyncio.run(go())


def test_kinds_of_graphs(tmp_path: Path) -> None:
    code = GRAPH + textwrap.dedent(
        """
        import contextlib
        from langchain_core.runnables import RunnableConfig
        from langgraph.func import entrypoint
        graph = builder.compile()
        seen = []
        def plain(): return builder
        def by_config(config: RunnableConfig): seen.append(config); return builder.compile()
        def by_name(config): return by_config(config)
        async def later(config: "RunnableConfig"): return by_config(config)
        @contextlib.contextmanager
        def managed():
            seen.append("in"); yield builder.compile(); seen.append("out")
        @contextlib.asynccontextmanager
        async def managed_later(config):
            seen.append(config); yield builder.compile(); seen.append("out")
        @entrypoint()
        def flow(x): return x
        """
    )
    names = ["graph", "builder", "plain", "by_config", "by_name", "later", "managed", "managed_later", "flow"]
    project = make(tmp_path, {"kinds_mod.py": code}, {n: f"./kinds_mod.py:{n}" for n in names})
    assert {n: e.error for n, e in project.graphs.items() if e.error} == {}
    for name in names:
        opened(project, name)
    seen = sys.modules["kinds_mod"].seen
    assert seen.count({"configurable": {"k": "v"}}) == 4
    assert seen[-4:] == ["in", "out", {"configurable": {"k": "v"}}, "out"]


def test_factories_with_a_runtime(tmp_path: Path) -> None:
    pytest.importorskip("langgraph_sdk.runtime")
    code = GRAPH + textwrap.dedent(
        """
        from dataclasses import dataclass
        from langchain_core.runnables import RunnableConfig
        from langgraph_sdk.runtime import ServerRuntime
        @dataclass
        class Ctx:
            model: str
        seen = []
        async def one(runtime: ServerRuntime[Ctx]): seen.append(runtime); return builder
        def two(runtime: ServerRuntime, config: RunnableConfig): seen.append((runtime, config)); return builder
        def unnamed(a, b): seen.append((a, b)); return builder
        """
    )
    project = make(
        tmp_path, {"runtime_mod.py": code}, {n: f"./runtime_mod.py:{n}" for n in ("one", "two", "unnamed")}
    )
    opened(project, "one", "threads.create_run", context={"model": "m"})
    opened(project, "one", "assistants.read")
    opened(project, "two", "threads.update")
    opened(project, "unnamed", "threads.read")
    seen = sys.modules["runtime_mod"].seen
    assert seen[0].execution_runtime.context.model == "m"
    assert seen[0].store is not None
    assert (seen[1].access_context, seen[1].execution_runtime) == ("assistants.read", None)
    assert (seen[2][0].access_context, seen[2][1]) == ("threads.update", {"configurable": {"k": "v"}})
    assert (seen[3][0], seen[3][1].access_context) == ({"configurable": {"k": "v"}}, "threads.read")


def test_names_of_modules(tmp_path: Path) -> None:
    files = {
        "pkg_a/__init__.py": "",
        "pkg_a/part.py": "VALUE = 1\n",
        "pkg_a/agent.py": "from .part import VALUE\n" + GRAPH,
        "lib/helper_b.py": "NAME = 'b'\n",
        "my graph.py": "import helper_b\n" + GRAPH,
        "json.py": GRAPH,
    }
    graphs = {
        "file": "./pkg_a/agent.py:builder",
        "module": "pkg_a.agent:builder",
        "odd": {"path": "./my graph.py:builder", "description": "odd one"},
        "shadow": "./json.py:builder",
    }
    project = make(tmp_path, files, graphs, dependencies=[".", "./lib", "requests"])
    assert {n: e.error for n, e in project.graphs.items() if e.error} == {}
    assert project.graphs["odd"].description == "odd one"
    assert sys.modules["json"] is json
    assert "pkg_a.agent" in sys.modules


def test_errors_name_file_and_line(tmp_path: Path) -> None:
    files = {
        "helper_c.py": "x = 1\ndef fail():\n    raise ValueError('inner')\n",
        "raises.py": "import helper_c\n\nhelper_c.fail()\n",
        "syntax.py": "x = 1\ndef broken(:\n",
        "missing.py": "import no_such_module_here\n",
        "good.py": GRAPH,
        "quits.py": "import sys\nsys.exit(3)\n",
    }
    graphs = {n: f"./{n}.py:builder" for n in ("raises", "syntax", "missing", "good", "quits", "absent")}
    graphs |= {
        "attribute": "./good.py:nothing",
        "number": "./good.py:__name__",
        "js": "./a.ts:graph",
        "form": "good",
    }
    project = make(tmp_path, files, graphs)
    errors: dict[str, Any] = {n: e.error for n, e in project.graphs.items()}
    assert errors.pop("good") is None
    assert (errors["raises"].error, errors["raises"].file, errors["raises"].line) == (
        "ValueError",
        "helper_c.py",
        3,
    )
    assert "importlib" not in errors["raises"].traceback and "raises.py" in errors["raises"].traceback
    assert (errors["syntax"].error, errors["syntax"].file, errors["syntax"].line) == (
        "SyntaxError",
        "syntax.py",
        2,
    )
    assert (errors["missing"].error, errors["missing"].line) == ("ModuleNotFoundError", 1)
    assert errors["quits"].error == "SystemExit"
    assert "does not exist" in errors["absent"].message
    assert "builder" in errors["attribute"].message
    assert errors["number"].error == "TypeError"
    assert "JavaScript" in errors["js"].message
    assert errors["form"].error == "ValueError"
    with pytest.raises(GraphUnavailable, match="inner"):
        opened(project, "raises")


def test_config_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "langgraph.json").write_text("{}")
    with pytest.raises(ValueError, match="graphs"):
        load_project(tmp_path / "langgraph.json")


def test_serde(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    serde = {"pickle_fallback": True, "allowed_msgpack_modules": [["m", "C"]], "allowed_json_modules": True}
    project = make(
        tmp_path, {"serde_mod.py": GRAPH}, {"g": "./serde_mod.py:builder"}, checkpointer={"serde": serde}
    )
    assert not project.serde.pickle_fallback
    assert "pickle_fallback" in caplog.text
    allowed = getattr(project.serde, "_allowed_msgpack_modules", None)
    assert allowed is None or ("m", "C") in allowed


def test_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DURAGRAPH_REVISION", raising=False)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    project = make(tmp_path, {"rev_mod.py": GRAPH}, {"g": "./rev_mod.py:builder"})
    first = project.revision()
    assert first.startswith("content:") and first == project.revision()
    (tmp_path / "rev_mod.py").write_text(GRAPH + "# changed\n")
    assert project.revision() != first

    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    (tmp_path / ".gitignore").write_text("__pycache__\n")
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "one"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    clean = project.revision()
    assert clean.startswith("git:") and "+" not in clean
    (tmp_path / "rev_mod.py").write_text(GRAPH)
    assert project.revision().startswith(clean + "+")
    monkeypatch.setenv("DURAGRAPH_REVISION", "v7")
    assert project.revision() == "v7"
