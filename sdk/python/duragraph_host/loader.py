"""Reads ``langgraph.json``, imports the graphs that it names, and gives them out ready to be used."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import inspect
import json
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.store.base import BaseStore

from .errors import HostError
from .factory import AccessContext, Factory, as_pregel, is_graph
from .serde import HostSerializer

if TYPE_CHECKING:
    from .shapes import AnyGraph

logger = logging.getLogger("duragraph")

_SKIPPED_FOLDERS = {"__pycache__", "node_modules", "venv", "site-packages"}
_HOST_FOLDER = str(Path(__file__).resolve().parent)


@dataclass(frozen=True)
class GraphError:
    """Why a graph cannot be used. ``file`` is relative to the project where it lies in it; ``line`` counts
    from 1."""

    error: str
    message: str
    traceback: str = ""
    file: str | None = None
    line: int | None = None


class GraphUnavailable(HostError):
    """Raised when a graph is opened whose import failed; ``error`` says why."""

    def __init__(self, graph_id: str, error: GraphError) -> None:
        super().__init__(f"graph '{graph_id}' cannot be imported: {error.error}: {error.message}")
        self.graph_id = graph_id
        self.error = error


@dataclass
class GraphEntry:
    """One graph of a project: a finished graph, or a factory that makes one for each use; or the error of its
    import."""

    graph_id: str
    description: str | None = None
    error: GraphError | None = None
    target: AnyGraph | Factory | None = field(default=None, repr=False)

    @contextlib.asynccontextmanager
    async def open(
        self,
        config: RunnableConfig,
        access: AccessContext,
        store: BaseStore | None = None,
        context: Any = None,
    ) -> AsyncIterator[AnyGraph]:
        """Yields the graph for one use; a factory that is a context manager is left again at the end.

        ``access`` says what for, ``context`` is a run's. Raises GraphUnavailable where the import failed, and
        whatever a factory of the user's raises."""
        if self.error is not None or self.target is None:
            raise GraphUnavailable(self.graph_id, self.error or GraphError("ImportError", "not loaded"))
        if isinstance(self.target, Factory):
            async with self.target.open(config, access, store, context) as graph:
                yield graph
        else:
            yield self.target


@dataclass
class Project:
    """A loaded project: its folder, its graphs by id, and the serializer that its checkpoints are written
    with."""

    config_path: Path
    config: Mapping[str, Any]
    graphs: dict[str, GraphEntry]
    serde: JsonPlusSerializer

    @property
    def folder(self) -> Path:
        return self.config_path.parent

    def revision(self) -> str:
        """Names the code: ``DURAGRAPH_REVISION`` where set, else ``git:<commit>`` (with a hash of what
        differs from it), else ``content:<hash>`` of the Python files."""
        if given := os.environ.get("DURAGRAPH_REVISION"):
            return given
        if (commit := self._git("rev-parse", "--short=12", "HEAD")) and self._git("ls-files", "--", "."):
            dirty = self._git("status", "--porcelain", "--", ".")
            return f"git:{commit}+{self._content_hash()[:8]}" if dirty else f"git:{commit}"
        return f"content:{self._content_hash()[:12]}"

    def _git(self, *arguments: str) -> str:
        try:
            done = subprocess.run(
                ["git", *arguments], cwd=self.folder, capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.SubprocessError):
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""

    def _content_hash(self) -> str:
        digest = hashlib.sha256()
        for path in sorted([*_python_files(self.folder), self.config_path]):
            with contextlib.suppress(OSError):
                digest.update(os.fsencode(path.relative_to(self.folder)) + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()


def load_project(config_path: str | Path) -> Project:
    """Loads a project. A graph that cannot be imported is an entry with an error; only a ``langgraph.json``
    that cannot be read, or that names no graphs, raises (OSError, ValueError)."""
    path = Path(config_path).resolve()
    config = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(config, dict) or not isinstance(config.get("graphs"), dict):
        raise ValueError(f"{path}: an object 'graphs' is missing")
    roots = _extend_sys_path(path.parent, config.get("dependencies") or [])
    graphs = {
        str(name): _load_entry(str(name), spec, path.parent, roots) for name, spec in config["graphs"].items()
    }
    return Project(path, config, graphs, _serializer(config))


def _extend_sys_path(folder: Path, dependencies: list[Any]) -> list[Path]:
    roots = [folder]
    for dependency in dependencies:
        if (
            isinstance(dependency, str)
            and (local := (folder / dependency).resolve()).is_dir()
            and local not in roots
        ):
            roots.append(local)
    for root in roots:
        if str(root) not in sys.path:
            sys.path.append(str(root))
    return roots


def _serializer(config: Mapping[str, Any]) -> JsonPlusSerializer:
    """The serializer that ``checkpointer.serde`` asks for. Unpickling is never on: the blobs come from the
    network."""
    wanted = (config.get("checkpointer") or {}).get("serde") or {}
    if wanted.get("pickle_fallback"):
        logger.warning(
            "langgraph.json: checkpointer.serde.pickle_fallback is ignored: checkpoints are never unpickled"
        )
    known = inspect.signature(JsonPlusSerializer.__init__).parameters
    options: dict[str, Any] = {}
    for key in ("allowed_json_modules", "allowed_msgpack_modules"):
        if (value := wanted.get(key)) is None:
            continue
        if key not in known:
            logger.warning(
                "langgraph.json: checkpointer.serde.%s needs a newer langgraph-checkpoint; ignored", key
            )
            continue
        options[key] = True if value is True else [tuple(v) if isinstance(v, list) else (v,) for v in value]
    return HostSerializer(**options)


def _load_entry(graph_id: str, spec: Any, folder: Path, roots: list[Path]) -> GraphEntry:
    description = spec.get("description") if isinstance(spec, dict) else None
    reference = spec.get("path") if isinstance(spec, dict) else spec
    entry = GraphEntry(graph_id, description if isinstance(description, str) else None)
    try:
        entry.target = _load_target(reference, folder, roots)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module of the user's may do anything when it is imported
        entry.error = _describe_error(error, folder)
    return entry


def _load_target(reference: Any, folder: Path, roots: list[Path]) -> AnyGraph | Factory:
    if not isinstance(reference, str) or ":" not in reference:
        raise ValueError(
            f"a graph is named as 'path.py:attribute' or 'package.module:attribute', not {reference!r}"
        )
    source, attribute = reference.rsplit(":", 1)
    if source.endswith((".ts", ".js", ".mts", ".mjs", ".cts", ".cjs")):
        raise ValueError(f"{source} is JavaScript, which the Python host does not run")
    is_file = source.endswith(".py") or "/" in source or os.sep in source
    module = _import_file((folder / source).resolve(), roots) if is_file else importlib.import_module(source)
    target: Any = module
    for part in attribute.split("."):
        if not hasattr(target, part):
            graphs = [n for n, v in vars(module).items() if not n.startswith("_") and is_graph(v)]
            hint = f"; graphs there are: {', '.join(graphs)}" if graphs else ""
            raise AttributeError(f"{source} has no attribute '{attribute}'{hint}")
        target = getattr(target, part)
    if is_graph(target):
        return as_pregel(target, reference)
    if callable(target):
        return Factory(target, reference)
    raise TypeError(
        f"{reference} is neither a graph nor a function that makes one, but {type(target).__name__}"
    )


def _import_file(path: Path, roots: list[Path]) -> ModuleType:
    """Imports a file under the name by which the project's other modules would import it, so that its classes
    exist once and relative imports work; under a name of its own where it has none."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    for root in sorted(roots, key=lambda r: len(r.parts), reverse=True):
        if not path.is_relative_to(root):
            continue
        name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        if all(part.isidentifier() for part in name.split(".")) and _resolves_to(name, path):
            return importlib.import_module(name)
    name = "".join(c if c.isalnum() else "_" for c in str(path.with_suffix(""))).strip("_")
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _resolves_to(name: str, path: Path) -> bool:
    """Whether importing the name loads the file. A parent package is imported by this, and its errors are its
    own."""
    if (loaded := sys.modules.get(name)) is not None:
        return Path(getattr(loaded, "__file__", None) or "/").resolve() == path
    top = importlib.util.find_spec(name.split(".")[0])
    locations = (
        [Path(top.origin).parent] if top and top.origin and top.origin not in ("built-in", "frozen") else []
    )
    locations += [Path(p) for p in (top.submodule_search_locations or [])] if top else []
    if not any(path.is_relative_to(location.resolve()) for location in locations):
        return False
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve() == path


def _describe_error(error: BaseException, folder: Path) -> GraphError:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_users(f.filename)]
    own = [f for f in frames if _in_folder(f.filename, folder)]
    file: str | None = None
    line: int | None = None
    if isinstance(error, SyntaxError) and error.filename:
        file, line = error.filename, error.lineno
    elif own or frames:
        last = (own or frames)[-1]
        file, line = last.filename, last.lineno
    if file and _in_folder(file, folder):
        file = os.path.relpath(os.path.realpath(file), folder)
    text = "".join(
        ["Traceback (most recent call last):\n"] * bool(frames)
        + traceback.format_list(frames)
        + traceback.format_exception_only(type(error), error)
    )
    # The text of a SyntaxError names its place, too.
    message = error.msg if isinstance(error, SyntaxError) and file else str(error)
    return GraphError(type(error).__name__, message, text, file, line)


def _is_users(filename: str) -> bool:
    return not filename.startswith(("<frozen", _HOST_FOLDER)) and f"{os.sep}importlib{os.sep}" not in filename


def _in_folder(filename: str, folder: Path) -> bool:
    real = Path(os.path.realpath(filename))
    if not real.is_relative_to(folder):
        return False
    return not any(p in _SKIPPED_FOLDERS or p.startswith(".") for p in real.relative_to(folder).parts)


def _python_files(folder: Path) -> Iterator[Path]:
    for base, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if f not in _SKIPPED_FOLDERS and not f.startswith(".")]
        yield from (Path(base, name) for name in files if name.endswith(".py"))
