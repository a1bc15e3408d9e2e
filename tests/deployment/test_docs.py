"""The commands of docs/deployment.md, as somebody types them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import httpx
import pytest
import yaml

import dockerfile
import net_namespace
from postgres import Database
from processes import ROOT, WORKER_TOKEN, Api, Project, binary, free_port, until
from stack import Stack
from tools import tool

GUIDE = (ROOT / "docs" / "deployment.md").read_text()
LOCAL, MIGRATE, BY_HAND, SERVE, WORKER = re.findall(r"^```sh\n(.*?)^```$", GUIDE, re.S | re.M)
ELSEWHERE = dict(re.findall(r"^```sh (\w+)\n(.*?)^```$", GUIDE, re.S | re.M))
"""Commands that need something of their own, by what it is. Those of the server beside compose and of root are run all
the same; of an engine, systemd or a cluster what the commands name is looked for, and test_compose, test_operate,
test_images, test_systemd and test_kubernetes judge that."""


@pytest.fixture
def shell(tmp_path: Path, database: Database) -> dict[str, str]:
    """The environment of the guide: the program on the path, the settings, a project at path/to/project."""
    program = binary()
    assert program
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "duragraph").symlink_to(program)
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    return {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "DB_HOST": database.host,
        "DB_PORT": str(database.port),
        "DB_USER": database.name,
        "DB_PASSWORD": database.password,
        "DB_NAME": database.name,
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
        "DURAGRAPH_WORKER_TOKEN": WORKER_TOKEN,
    }


def run(block: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-euc", block], cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("tables", [MIGRATE, BY_HAND], ids=["db migrate", "by hand"])
def test_a_run_is_played(tmp_path: Path, shell: dict[str, str], tables: str) -> None:
    project = Project(tmp_path / "path" / "to")
    run(tables, tmp_path, shell)
    assert "has the schema" in run("duragraph db status", tmp_path, shell)
    environment = project.environment(**shell)
    environment["PATH"] = f"{tmp_path / 'bin'}:{environment['PATH']}"
    started = [
        subprocess.Popen(["bash", "-euc", f"exec {block}"], cwd=tmp_path, env=environment) for block in (SERVE, WORKER)
    ]
    try:
        api = Api(f"http://127.0.0.1:{shell['PORT']}")
        until(lambda: served(api), "a worker that is connected")
        thread_id = api.thread()
        assert api.join(thread_id, api.start(thread_id, "three_nodes", {"steps": []}))["steps"] == ["a", "b", "c"]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(30)
        project.close()


def served(api: Api) -> bool:
    try:
        return any(worker["connected"] for worker in api.workers())
    except (httpx.HTTPError, AssertionError):  # it is starting
        return False


@pytest.mark.timeout(600)
def test_the_services_as_processes() -> None:
    stack = Stack()
    try:
        path = f"{tool('task').parent}:{stack.environment()['PATH']}"
        log = stack.folder / "said"
        with log.open("w") as said:  # what is left running would hold a pipe
            rc = subprocess.run(
                ["bash", "-euxc", LOCAL],
                cwd=ROOT,
                env=stack.environment(PATH=path, **stack.ports),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                timeout=300,
            ).returncode
        assert rc == 0, log.read_text()
    finally:
        stack.close()


def test_each_failure_names_tests_that_exist() -> None:
    text = (ROOT / "docs" / "guarantees.md").read_text()
    rows = [line for line in text.partition("## What happens when")[2].splitlines() if line.startswith("| ")][1:]
    faults = (ROOT / "tests" / "chaos" / "deployment_faults.py").read_text()
    for row in rows:
        tests, named = re.findall(r"`(tests/[^`]+)::(\w+)`", row), re.findall(r'"([^"]+)"', row)
        assert tests or named, row
        for file, test in tests:
            assert f"def {test}(" in (ROOT / file).read_text(), row
        for fault in named:
            assert f'"{fault}": ' in faults, row


def test_every_block_is_run_or_looked_at() -> None:
    assert set(ELSEWHERE) == {"compose", "server", "root", "systemd", "cluster"}


def test_the_tasks_exist() -> None:
    tasks = yaml.safe_load((ROOT / "Taskfile.yml").read_text())["tasks"]
    named = set(re.findall(r"\btask ([a-z]+(?::[a-z]+)?)", GUIDE))
    assert named and named <= set(tasks)


@pytest.mark.timeout(600)
def test_a_worker_beside_compose_takes_the_token_that_was_made(tmp_path: Path) -> None:
    """Beside what `up:local` starts in compose's place, at the ports of compose."""
    if not net_namespace.can_be_made():
        pytest.skip("only root may make a network namespace, in which compose's ports are free")
    network = net_namespace.NetNamespace()
    stack = Stack(network.within)
    program = binary()
    assert program
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "duragraph").symlink_to(program)
    (tmp_path / ".duragraph").symlink_to(stack.folder / "stack")
    (tmp_path / "path" / "to").mkdir(parents=True)
    (tmp_path / "path" / "to" / "project").symlink_to(stack.project.path)
    try:
        stack.do("up:local", WORKER="no")
        environment = stack.environment()
        environment["PATH"] = f"{tmp_path / 'bin'}:{environment['PATH']}"
        worker = subprocess.Popen(
            [*network.within, "bash", "-euc", ELSEWHERE["server"]], cwd=tmp_path, env=environment
        )
        try:
            asked = [*network.within, "curl", "--silent", "--fail", "http://127.0.0.1:8080/api/v1/workers"]
            until(lambda: b'"connected":true' in subprocess.check_output(asked), "a worker that is connected")
        finally:
            worker.terminate()
            worker.wait(30)
    finally:
        stack.close()
        network.close()


def test_what_is_installed_by_hand_works(tmp_path: Path) -> None:
    """The lines of root, in a root folder of their own; of the packages that they can be had."""
    packages, *files = ELSEWHERE["root"].splitlines()
    program = binary()
    assert program
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "duragraph").symlink_to(program)
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    for name in ("usr/local/bin", "etc/systemd/system"):  # Debian has these
        (tmp_path / "root" / name).mkdir(parents=True)
    there = re.sub(r" (/(?:usr|etc)/)", rf" {tmp_path / 'root'}\1", "\n".join(files))
    run(there, tmp_path, {})
    run(packages.replace("apt-get install", "apt-get install --simulate"), tmp_path, {})
    installed = tmp_path / "root" / "usr" / "local" / "bin" / "duragraph"
    assert installed.read_bytes() == Path(program).read_bytes() and installed.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "root" / "etc" / "duragraph" / "serve.env").stat().st_mode & 0o777 == 0o600
    units = tmp_path / "root" / "etc" / "systemd" / "system"
    assert {unit.name for unit in units.iterdir()} == {"duragraph.service", "duragraph-worker@.service"}


def test_what_is_installed_by_hand_is_there() -> None:
    lines = [line.split() for line in ELSEWHERE["root"].splitlines()]
    packages = {word for word in lines[0][2:] if not word.startswith("-")}
    image = dockerfile.installed(dockerfile.stages(ROOT / "Dockerfile")["program"])
    assert packages == image - {"curl"}
    files = [word for line in lines for word in line if word.startswith("deploy/")]
    assert len(files) == 3 and all((ROOT / file).is_file() for file in files)
    program, unit = lines[1][2], (ROOT / "deploy" / "systemd" / "duragraph.service").read_text()
    assert f"ExecStart={program} serve" in unit
    assert f"EnvironmentFile={lines[3][-1]}" in unit
    for name in re.findall(r"\S+\.service", ELSEWHERE["systemd"]):
        assert (ROOT / "deploy" / "systemd" / name).is_file()


def test_settings_for_systemd_are_settings() -> None:
    program = binary()
    assert program
    text = (ROOT / "deploy" / "systemd" / "serve.env.example").read_text()
    named = set(re.findall(r"^#?([A-Z][A-Z_]+)=", text, re.M))
    shown = subprocess.run([program, "config", "show"], capture_output=True, text=True, check=True).stdout
    assert named and named <= {line.split()[0] for line in shown.splitlines()}
    # As it is installed, it starts nothing: there is no secret.
    told = dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.M))
    refused = subprocess.run([program, "serve", "--port", "0"], env=told, capture_output=True, text=True, timeout=30)
    assert refused.returncode == 2 and "JWT_SECRET" in refused.stderr


def test_manifests_and_what_is_waited_for_exist() -> None:
    files = sorted((ROOT / "deploy" / "k8s").glob("*.yaml"))
    made = [made for file in files for made in yaml.safe_load_all(file.read_text())]
    names = {f"{one['kind'].lower()}/{one['metadata']['name']}" for one in made}
    applied = re.findall(r"-f (\S+)", ELSEWHERE["cluster"])
    wanted = {file.name.replace(".example", "") for file in files}
    assert {Path(file).name for file in applied} == wanted
    for named in re.findall(r"\b(?:job|deployment)[/ ]\S+", ELSEWHERE["cluster"]):
        assert named.replace(" ", "/") in names
