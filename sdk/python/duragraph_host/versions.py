"""Which library versions this host works with."""

from __future__ import annotations

import platform
import re
import shlex
import sys
from importlib import metadata

MIN_PYTHON = (3, 10)
MIN_LANGGRAPH = "1.0.0"
MIN_WEBSOCKETS = "13.0"
REPORTED = ("langgraph", "langgraph-checkpoint", "langchain-core", "websockets")


def complaint() -> str | None:
    """Why this Python and its libraries cannot be used, with the line that mends it; None where they can."""
    if sys.version_info < MIN_PYTHON:
        oldest = ".".join(map(str, MIN_PYTHON))
        return f"Python {platform.python_version()} is too old, {oldest} is the oldest supported"
    pip = f"{shlex.quote(sys.executable)} -m pip install"
    for package, oldest in (("langgraph", MIN_LANGGRAPH), ("websockets", MIN_WEBSOCKETS)):
        found = _installed(package)
        if found is None:
            return f"{package} is not installed; install it with: {pip} {package}"
        if _numbers(found) < _numbers(oldest):
            return (
                f"{package} {found} is too old, {oldest} is the oldest supported; "
                f"upgrade it with: {pip} -U {package}"
            )
    return None


def library_versions() -> dict[str, str]:
    """What the server is told about this process's libraries."""
    found = {package: _installed(package) for package in REPORTED}
    return {"python": platform.python_version(), **{p: v for p, v in found.items() if v is not None}}


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in match.group().split(".")) if match else ()
