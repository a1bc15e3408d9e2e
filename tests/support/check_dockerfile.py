"""What scripts/check-dockerfile.sh does, in a namespace of its own."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import dockerfile

ROOT = Path(__file__).resolve().parents[2]
ENGINES_OWN = {"LABEL", "STOPSIGNAL", "HEALTHCHECK", "EXPOSE", "CMD", "ENTRYPOINT"}
"""What is said to the engine and does nothing to the files."""

AUTHORITIES = "/etc/authorities-of-the-checking-machine.pem"


def run(*command: str | Path, **options: object) -> None:
    subprocess.run([str(word) for word in command], check=True, **options)  # type: ignore[call-overload]


class Check:
    def __init__(self, folder: Path, program: Path | None) -> None:
        self.folder = folder
        self.program = program
        self.stages = dockerfile.stages(ROOT / "Dockerfile")
        self.made: dict[str, tuple[Path, dict[str, str], str]] = {}
        """By the name of a stage: its root folder, its environment and its user."""
        self.context = self.sent()

    def sent(self) -> Path:
        """The context as .dockerignore leaves it."""
        context = self.folder / "context"
        code = (
            "import sys; from docker.utils.build import exclude_paths\n"
            "lines = [line.strip() for line in open('.dockerignore')]\n"
            "print('\\n'.join(exclude_paths('.', [line for line in lines if line and line[0] != '#'])))"
        )
        names = subprocess.check_output(["/usr/bin/python3", "-c", code], cwd=ROOT, text=True)
        for name in names.splitlines():
            if (ROOT / name).is_file():
                (context / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, context / name)
        return context

    def base(self, image: str) -> Path:
        """Debian as its slim image is, near enough: what debootstrap's smallest variant has."""
        assert re.fullmatch(r"debian:12(\.\d+)?-slim", image), image
        root = self.folder / "debian"
        if not root.exists():
            run("debootstrap", "--variant=minbase", "bookworm", root, *mirror(), stdout=subprocess.DEVNULL)
            shutil.copy("/etc/resolv.conf", root / "etc" / "resolv.conf")
            copy_sources(root)
        return root

    def make(self, name: str) -> tuple[Path, dict[str, str], str]:
        if name in self.made:
            return self.made[name]
        stage = self.stages[name]
        root = self.folder / name
        if stage.base in self.stages:
            source, environment, user = self.make(stage.base)
        else:
            source = self.base(stage.base)
            environment, user = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, "0:0"
            # Where a proxy stands between, this machine's authorities are not Debian's alone.
            environment |= {"PIP_CERT": AUTHORITIES} if (source / AUTHORITIES.lstrip("/")).exists() else {}
        print(f"==> stage {name}", flush=True)
        run("cp", "-a", "--reflink=auto", source, root)
        environment, directory = dict(environment), "/"
        for word, arguments in stage.steps:
            if word == "RUN":
                print(f"    {word} {arguments}", flush=True)
                self.inside(root, environment, user, directory, "/bin/sh", "-c", arguments)
            elif word == "COPY":
                pass
            elif word == "USER":
                user = f"{arguments}:{arguments}" if ":" not in arguments else arguments
            elif word == "WORKDIR":
                directory = arguments
                (root / directory.lstrip("/")).mkdir(parents=True, exist_ok=True)
            elif word in ("ENV", "ARG"):
                pair = arguments.split("=", 1)
                environment[pair[0]] = pair[1]
            else:
                assert word in ENGINES_OWN, f"{word}: this check does not know it"
            if word == "COPY":
                for copy in dockerfile.copies(dockerfile.Stage("", "", [(word, arguments)])):
                    self.copy(copy, root / directory.lstrip("/"), root)
        self.made[name] = root, environment, user
        return self.made[name]

    def copy(self, copy: dockerfile.Copy, directory: Path, root: Path) -> None:
        target = root / copy.target.lstrip("/") if copy.target.startswith("/") else directory / copy.target
        for name in copy.sources:
            if copy.stage is None:
                source = self.context / name
            elif self.program:
                source = self.program
            else:
                source = self.make(copy.stage)[0] / name.lstrip("/")
            assert source.exists(), f"COPY {name}: the context has no such file"
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)
            elif copy.target.endswith("/"):
                target.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target / source.name)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)

    def inside(self, root: Path, environment: dict[str, str], user: str, directory: str, *command: str) -> str:
        """Runs it in there; what it wrote on standard output."""
        for name in ("proc", "dev"):
            (root / name).mkdir(exist_ok=True)
        run("mount", "-t", "proc", "proc", root / "proc")
        run("mount", "--bind", "/dev", root / "dev")
        try:
            words = " ".join(shlex.quote(word) for word in command)
            done = subprocess.run(
                ["chroot", f"--userspec={user}", root, "/bin/sh", "-c", f"cd {directory} && exec {words}"],
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
            )
        finally:
            run("umount", root / "dev")
            run("umount", root / "proc")
        if done.returncode:
            sys.exit(f"error: {words}: exit code {done.returncode}\n{done.stdout[-4000:]}")
        return done.stdout

    def start(self, name: str) -> None:
        """What the image starts is there and can be run by its user, who is not root and owns no code."""
        root, environment, user = self.make(name)
        assert not user.startswith("0:"), f"{name} runs as root"
        entry = dockerfile.exec_form(self.last(name, "ENTRYPOINT"))
        command = dockerfile.exec_form(self.last(name, "CMD"))
        print(f"    {' '.join(entry + command)} --help", flush=True)
        assert self.inside(root, environment, user, "/", *entry, "--version").strip()
        assert "Usage" in self.inside(root, environment, user, "/", *entry, command[0], "--help")
        assert self.inside(root, environment, user, "/", "/bin/sh", "-c", "command -v duragraph duragraph-probe curl")
        if name == "worker":
            project = command[1]
            check = f"cd {project} && $VIRTUAL_ENV/bin/python -c 'import agent; agent.graph' && test -w .duragraph"
            self.inside(root, environment, user, "/", "/bin/sh", "-c", check)
            assert (root / project.lstrip("/") / "agent.py").stat().st_uid == 0

    def last(self, name: str, word: str) -> str:
        return [arguments for stage in dockerfile.chain(self.stages, name) for arguments in stage.of(word)][-1]


def apt_files() -> list[Path]:
    etc = Path("/etc/apt")
    names = ("sources.list", "sources.list.d/debian.sources")
    return [etc / name for name in names if (etc / name).is_file() and (etc / name).read_text().strip()]


def mirror() -> list[str]:
    """The mirror of Debian that this machine uses."""
    for file in apt_files():
        if found := re.search(r"^(?:URIs:|deb(?:\s+\[.*?\])?)\s+(\S+)", file.read_text(), re.M):
            return [found[1]]
    return []


def copy_sources(root: Path) -> None:
    """Where this machine takes Debian from, and how it gets there."""
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    for file in [*apt_files(), *Path("/etc/apt/apt.conf.d").glob("*prox*")]:
        if file.is_file():
            shutil.copy(file, root / str(file).lstrip("/"))
    authorities = Path("/etc/ssl/certs/ca-certificates.crt")
    if authorities.is_file():
        shutil.copy(authorities, root / AUTHORITIES.lstrip("/"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/check-dockerfile.sh")
    parser.add_argument("--program", type=Path, metavar="FILE")
    parser.add_argument("stages", nargs="*", metavar="STAGE")
    arguments = parser.parse_args()
    # Nothing that is mounted from here on is seen outside.
    run("mount", "--make-rprivate", "/")
    folder = Path(tempfile.mkdtemp(prefix="duragraph-dockerfile-", dir=os.environ.get("TMPDIR", "/var/tmp")))
    try:
        check = Check(folder, arguments.program and arguments.program.resolve())
        for name in arguments.stages or ["server", "worker"]:
            check.start(name)
        print("the Dockerfile's steps work")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
