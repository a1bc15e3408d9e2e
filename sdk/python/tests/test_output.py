from __future__ import annotations

import asyncio
import contextvars
import io
import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from duragraph_host import output


def wrapped(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    target = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output.PrefixedStream(target))
    return target


def test_lines_of_a_run_are_prefixed(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = wrapped(monkeypatch)
    print("outside")
    with output.run_output("agent", "r1"):
        print("one\ntwo")
        print("three", end="")
        sys.stdout.flush()
    output.finish_run("agent", "r1")
    assert stream.getvalue() == "outside\n[agent r1] one\n[agent r1] two\n[agent r1] three\n"


def test_unfinished_lines_of_two_runs_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = wrapped(monkeypatch)

    async def run(name: str) -> None:
        with output.run_output("g", name):
            print("a", end="")
            await asyncio.sleep(0)
            print("b")

    async def both() -> None:
        await asyncio.gather(run("1"), run("2"))

    asyncio.run(both())
    assert stream.getvalue() == "[g 1] ab\n[g 2] ab\n"


def test_threads_of_a_run_are_prefixed(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = wrapped(monkeypatch)
    with output.run_output("g", "1"):
        contexts = [contextvars.copy_context() for _ in range(8)]
    threads = [
        threading.Thread(target=c.run, args=(lambda: [print("x" * 50) for _ in range(50)],)) for c in contexts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stream.getvalue() == ("[g 1] " + "x" * 50 + "\n") * 400


def test_unfinished_text_outside_runs_is_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = wrapped(monkeypatch)
    sys.stdout.write("? ")
    sys.stdout.flush()
    assert stream.getvalue() == "? "


def test_install_sends_logging_to_standard_error() -> None:
    code = (
        "import logging, sys; from duragraph_host import output; output.install(); output.install()\n"
        "with output.run_output('g', '1'): logging.getLogger('mine').info('hello'); print('there')\n"
    )
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "[g 1] there\n"
    assert "[g 1] INFO mine: hello" in done.stderr
    assert logging.getLogger().name == "root"
