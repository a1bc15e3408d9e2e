"""The Dockerfile and .dockerignore, as far as they can be judged without an engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import dockerfile
from processes import ROOT, binary
from tools import tool

STAGES = dockerfile.stages(ROOT / "Dockerfile")
NOT_LINKED = {"ca-certificates", "curl"}
"""What the program's image has beside the libraries of the program."""
DEBIANS_OWN = {"libc6", "libgcc-s1"}
"""What every Debian has, because apt needs it."""


def output(*command: str | Path) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def test_nothing_to_remark() -> None:
    assert output(tool("hadolint"), ROOT / "Dockerfile") == ""


def why_no_steps() -> str:
    """Why the Dockerfile's steps cannot be run here; empty where they can."""
    if os.environ.get("DURAGRAPH_TEST_DOCKERFILE") != "yes":
        return "the steps need a mirror of Debian: DURAGRAPH_TEST_DOCKERFILE=yes"
    if os.geteuid() != 0:
        return "only root may change into another root folder"
    alone = ["unshare", "--mount", "--pid", "--fork", "mount", "--make-rprivate", "/"]
    return "" if subprocess.run(alone, capture_output=True).returncode == 0 else "this machine lets nobody mount"


@pytest.mark.timeout(900)
def test_the_steps_work() -> None:
    """With the program that there is: its own stage compiles it anew."""
    if why := why_no_steps():
        pytest.skip(why)
    program = binary()
    assert program
    assert "the Dockerfile's steps work" in output(ROOT / "scripts" / "check-dockerfile.sh", "--program", program)


def test_the_image_has_the_libraries_that_the_program_needs_and_no_others() -> None:
    program = binary()
    assert program
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "-d", program))
    where = dict(re.findall(r"(\S+) => (\S+)", output("ldd", program)))
    files = [str(Path(where[name]).resolve()) for name in needed]
    # Debian lists some of them where they were before /lib became a link to /usr/lib.
    asked = ["dpkg", "-S", *files, *[file.removeprefix("/usr") for file in files]]
    listed = subprocess.run(asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.splitlines()
    assert len(listed) == len(set(files))
    packages = {line.split(":")[0] for line in listed}
    assert dockerfile.installed(STAGES["program"]) - NOT_LINKED == packages - DEBIANS_OWN


def test_it_runs_as_nobody_in_particular_and_hears_signals() -> None:
    for name in ("server", "worker"):
        steps = [step for stage in dockerfile.chain(STAGES, name) for step in stage.steps]
        last = dict(steps)
        # A number, by which Kubernetes knows that it is not root.
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last["USER"])
        assert last["STOPSIGNAL"] == "SIGTERM"
        assert dockerfile.exec_form(last["ENTRYPOINT"]) == ["/usr/local/bin/duragraph"]
    assert dockerfile.exec_form(STAGES["server"].of("CMD")[0]) == ["serve"]
    assert list(STAGES)[-1] == "server", "what is made when no target is named"


def test_health_is_liveness() -> None:
    (check,) = STAGES["server"].of("HEALTHCHECK")
    assert dockerfile.exec_form(check) == ["duragraph-probe", "livez"]
    (probe,) = [copy for copy in dockerfile.copies(STAGES["program"]) if copy.target.endswith("/duragraph-probe")]
    assert (ROOT / probe.sources[0]).stat().st_mode & 0o111


def test_both_debians_are_one_and_the_version_is_the_programs() -> None:
    assert len({stage.base for stage in STAGES.values() if stage.base not in STAGES}) == 1
    program = binary()
    assert program
    (version,) = re.findall(r"VERSION=(\S+)", "\n".join(STAGES["program"].of("ARG")))
    assert version in output(program, "--version")


def sent(context: Path) -> set[str]:
    """The files that are sent to an engine, by the rules of Docker's own library."""
    code = (
        "import json, sys; from docker.utils.build import exclude_paths\n"
        "lines = [line.strip() for line in open(sys.argv[1] + '/.dockerignore')]\n"
        "patterns = [line for line in lines if line and line[0] != '#']\n"
        "print(json.dumps(sorted(exclude_paths(sys.argv[1], patterns))))"
    )
    return set(json.loads(output("/usr/bin/python3", "-c", code, context)))


def test_what_is_copied_is_sent_and_no_secret_is(tmp_path: Path) -> None:
    tracked = output("git", "-C", ROOT, "ls-files").splitlines()
    for name in tracked:
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tmp_path / name)
    example = "examples/approval-agent"
    kept_back = [".env", ".duragraph/worker-token", ".git/config", "build/release/x", f"{example}/.env"]
    kept_back += [f"{example}/.venv/bin/python", f"{example}/.duragraph/data.db", "src/__pycache__/x.pyc"]
    kept_back += ["bin/duragraph"]
    for name in kept_back:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    context = sent(tmp_path)

    assert not context & set(kept_back)
    sources = [s for stage in STAGES.values() for c in dockerfile.copies(stage) if c.stage is None for s in c.sources]
    for source in sources:
        wanted = {name for name in tracked if name == source or name.startswith(f"{source}/")}
        assert wanted and wanted <= context, source
    tops = {source.split("/")[0] for source in sources} | {"Dockerfile", ".dockerignore"}
    assert {name.split("/")[0] for name in context} <= tops, "nothing is sent that is not used"
