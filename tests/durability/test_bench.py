"""`duragraph bench` measures real servers: every workload runs, and none of its requests fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from processes import binary

WORKLOADS = {
    "startup": {"startup, empty folder", "startup, again"},
    "runs": {"runs", "runs, 2 workers"},
    "append": {"append"},
    "create": {"create"},
    "state": {"state"},
    "first-frame": {"first-frame", "first-frame of the graph"},
    "readers": {"readers"},
    "idle": {"idle"},
    "recovery": {"recovery, worker killed", "recovery, supervisor killed too"},
}
"""The workloads that take seconds, with the names of their rows."""


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = binary()
    if program is None:
        pytest.skip("no program is built")
    environment = {"PATH": "/usr/bin:/bin", "VIRTUAL_ENV": str(Path(sys.prefix))}
    return subprocess.run(
        [program, "bench", *arguments], env=environment, capture_output=True, text=True, timeout=240, check=False
    )


@pytest.mark.parametrize("workload", WORKLOADS)
def test_workload(workload: str) -> None:
    done = bench(workload, "--seconds", "1", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert result["machine"]
    assert {row["workload"] for row in result["rows"]} == WORKLOADS[workload]
    for row in result["rows"]:
        assert row["errors"] == 0 and row["count"] > 0
        assert 0 < row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
        assert all(limit > 0 for limit in row["limits"].values())


def test_a_table_for_people_and_a_list_of_workloads() -> None:
    done = bench("state", "--seconds", "1")
    assert done.returncode == 0, done.stderr
    header = next(line for line in done.stdout.splitlines() if line.startswith("workload"))
    assert "p50 ms" in header and "limit" in header
    assert bench("nothing").returncode == 2
    listed = bench("--help").stdout
    assert all(name in listed for name in (*WORKLOADS, "tokens", "chat"))


def test_on_postgres() -> None:
    """The same beside what PostgreSQL allows, and what is the embedded store's is refused."""
    done = bench("append", "create", "state", "--postgres", "--seconds", "1", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert all(part in result["server"] for part in ("duragraph serve", "1 instance", "PostgreSQL", "fsync on", "NATS"))
    rows = {row["workload"]: row for row in result["rows"]}
    assert set(rows) == {"append", "create", "state"}
    assert all(row["errors"] == 0 and row["count"] > 0 for row in rows.values())
    assert rows["create"]["limits"]["bare rows of runs/s"] > 0 and rows["create"]["figures"]["rows per run"] > 5
    assert rows["create"]["figures"]["told to NATS within s"] > 0
    assert rows["append"]["limits"]["bare rows of commits/s"] > 0
    assert rows["state"]["limits"]["from memory/s"] > 0
    refused = bench("startup", "--postgres")
    assert refused.returncode == 2 and "--postgres" in refused.stderr
    assert bench("state", "--instances", "2").returncode == 2


def test_on_two_instances() -> None:
    done = bench("claim", "sizing", "--postgres", "--instances", "2", "--seconds", "2", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert "2 instances" in result["server"]
    rows = {row["workload"]: row for row in result["rows"]}
    assert set(rows) == {"claim", "sizing, runs created", "sizing, states read"}
    assert all(row["errors"] == 0 and row["count"] > 0 for row in rows.values())
    assert rows["sizing, runs created"]["count"] == rows["sizing, states read"]["count"] == 1000
    assert rows["sizing, runs created"]["figures"]["runs ended by then"] > 100
    assert bench("claim", "--postgres").returncode == 2


def test_an_instance_that_is_killed() -> None:
    done = bench("failover", "--postgres", "--instances", "2", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["workload"]: row for row in json.loads(done.stdout)["rows"]}
    assert set(rows) == {"failover, run goes on", "failover, another leads"}
    assert all(row["errors"] == 0 and row["count"] == 5 for row in rows.values())
    assert bench("failover", "--postgres").returncode == 2


def test_beside_much_that_is_stored() -> None:
    done = bench("stored", "--postgres", "--seed-data", "1000", "--seconds", "1", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(done.stdout)["rows"]
    asked = {"run created, claimed and ended", "state", "list of runs"}
    assert {row["workload"] for row in rows} == {f"{what}, {when}" for what in asked for when in ("empty", "1000 runs stored")}
    assert all(row["errors"] == 0 and row["count"] > 0 for row in rows)
    assert bench("stored", "--postgres").returncode == 2
