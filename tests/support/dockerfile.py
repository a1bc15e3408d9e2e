"""Reads the Dockerfile: its stages and their instructions, in order."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Stage:
    name: str
    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def of(self, word: str) -> list[str]:
        """The arguments of all instructions of that name."""
        return [arguments for name, arguments in self.steps if name == word]


def stages(file: Path) -> dict[str, Stage]:
    lines = [line for line in file.read_text().splitlines() if not line.lstrip().startswith("#")]
    found: dict[str, Stage] = {}
    stage = None
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if not line.strip():
            continue
        word, arguments = line.strip().split(None, 1)
        if word == "FROM":
            base, _, name = re.split(r"\s+(AS)\s+", arguments)
            found[name] = stage = Stage(name, base)
        else:
            assert stage, f"{line}: before the first FROM"
            stage.steps.append((word, arguments))
    return found


def chain(all_stages: dict[str, Stage], name: str) -> list[Stage]:
    """The stage and those that it is built on, the first one first."""
    stage = all_stages[name]
    return (chain(all_stages, stage.base) if stage.base in all_stages else []) + [stage]


def installed(stage: Stage) -> set[str]:
    """The packages that its RUN steps install with apt-get."""
    packages: set[str] = set()
    for step in stage.of("RUN"):
        for command in step.split("&&"):
            words = shlex.split(command)
            if words[:2] == ["apt-get", "install"]:
                packages |= {word for word in words[2:] if not word.startswith("-")}
    return packages


@dataclass
class Copy:
    sources: list[str]
    target: str
    stage: str | None


def copies(stage: Stage) -> list[Copy]:
    made = []
    for step in stage.of("COPY"):
        words = step.split()
        options = [word for word in words if word.startswith("--")]
        assert all(option.startswith("--from=") for option in options), step
        paths = [word for word in words if not word.startswith("--")]
        made.append(Copy(paths[:-1], paths[-1], options[0].removeprefix("--from=") if options else None))
    return made


def exec_form(arguments: str) -> list[str]:
    """What ENTRYPOINT, CMD and HEALTHCHECK start: without a shell, which would not pass signals on."""
    words = json.loads(arguments[arguments.index("[") :])
    assert isinstance(words, list) and all(isinstance(word, str) for word in words), arguments
    return words
