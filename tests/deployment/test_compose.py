"""docker-compose.yml as docker-compose resolves it, for which no engine is needed."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import Any

import pytest
import yaml

import dockerfile
from processes import ROOT, binary

NAMES = ("DURAGRAPH_", "DB_", "NATS_", "COMPOSE_", "PORT", "HOST", "AUTH_", "JWT_", "RATE_", "DATABASE_")


def resolved(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(NAMES)}
    return subprocess.run(
        ["docker-compose", "--file", ROOT / "docker-compose.yml", *arguments, "config"],
        env=environment | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )


def services(**variables: str) -> dict[str, Any]:
    done = resolved("--profile", "example", DURAGRAPH_WORKER_TOKEN="secret", **variables)
    assert done.returncode == 0, done.stderr
    return dict(yaml.safe_load(done.stdout)["services"])


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    return services()


def test_services_and_the_profile(plain: dict[str, Any]) -> None:
    assert set(plain) == {"postgres", "nats", "migrate", "server", "worker"}
    assert plain["worker"]["profiles"] == ["example"]
    assert not any("profiles" in plain[name] for name in ("postgres", "nats", "migrate", "server"))


def test_who_waits_for_whom(plain: dict[str, Any]) -> None:
    waits = {name: {on: how["condition"] for on, how in s.get("depends_on", {}).items()} for name, s in plain.items()}
    assert waits == {
        "postgres": {},
        "nats": {},
        "migrate": {"postgres": "service_healthy"},
        "server": {
            "postgres": "service_healthy",
            "nats": "service_healthy",
            "migrate": "service_completed_successfully",
        },
        "worker": {"server": "service_healthy"},
    }
    for name in ("postgres", "nats", "server", "worker"):
        assert plain[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
        assert plain[name]["restart"] == "unless-stopped"
    assert plain["migrate"]["restart"] == "no"
    assert plain["migrate"]["command"] == ["db", "migrate"]
    assert plain["server"]["healthcheck"]["test"] == ["CMD", "duragraph-probe", "readyz"]


def ports(of: dict[str, Any]) -> dict[str, list[str]]:
    return {name: service["ports"] for name, service in of.items() if "ports" in service}


def test_only_this_machine_is_answered(plain: dict[str, Any]) -> None:
    assert ports(plain) == {
        "postgres": ["127.0.0.1:5432:5432/tcp"],
        "nats": ["127.0.0.1:4222:4222/tcp"],
        "server": ["127.0.0.1:8080:8080/tcp"],
    }
    assert ports(services(DB_PORT="1", NATS_PORT="2", PORT="3")) == {
        "postgres": ["127.0.0.1:1:5432/tcp"],
        "nats": ["127.0.0.1:2:4222/tcp"],
        "server": ["127.0.0.1:3:8080/tcp"],
    }


def test_the_server_is_told_the_guides_settings(plain: dict[str, Any]) -> None:
    program = binary()
    assert program
    shown = subprocess.run([program, "config", "show", "--json"], capture_output=True, text=True, check=True)
    known = json.loads(shown.stdout)
    told = plain["server"]["environment"]
    assert set(told) <= set(known), "every name is a setting"
    defaults = {name: str(known[name]["value"]) for name in ("DB_USER", "DB_NAME", "DB_PORT", "PORT", "HOST")}
    assert {name: told[name] for name in defaults} == defaults
    assert told["DB_PASSWORD"] == plain["postgres"]["environment"]["POSTGRES_PASSWORD"] == "apppass"
    database = plain["postgres"]["environment"]
    assert (database["POSTGRES_USER"], database["POSTGRES_DB"]) == (told["DB_USER"], told["DB_NAME"])
    assert services(AUTH_ENABLED="true")["server"]["environment"]["AUTH_ENABLED"] == "true"


def test_no_worker_token_is_built_in(plain: dict[str, Any]) -> None:
    assert plain["server"]["environment"]["DURAGRAPH_WORKER_TOKEN"] == "secret"
    assert plain["worker"]["environment"]["DURAGRAPH_WORKER_TOKEN"] == "secret"
    done = resolved()
    assert done.returncode != 0 and "task up" in done.stderr


def test_images_are_pinned_and_what_is_tested(plain: dict[str, Any]) -> None:
    tested = json.loads((ROOT / "tests" / "postgres-versions" / "package.json").read_text())["dependencies"]
    image, version = plain["postgres"]["image"].split(":")
    assert image == "postgres" and f"postgres-{version.split('.')[0]}" in tested
    assert tested[f"postgres-{version.split('.')[0]}"].split("@")[-1].startswith(f"{version}.")
    assert re.fullmatch(r"nats:2\.\d+\.\d+-alpine", plain["nats"]["image"])
    targets = dockerfile.stages(ROOT / "Dockerfile")
    for name in ("migrate", "server", "worker"):
        assert plain[name]["build"]["target"] in targets
    assert plain["migrate"]["image"] == plain["server"]["image"] != plain["worker"]["image"]


def test_a_stop_has_the_time_that_it_takes(plain: dict[str, Any]) -> None:
    assert plain["server"]["stop_grace_period"] == "20s"
    assert plain["worker"]["stop_grace_period"] == "20s"


def test_data_outlives_containers(plain: dict[str, Any]) -> None:
    assert plain["postgres"]["volumes"] == ["postgres:/var/lib/postgresql:rw"]
    assert plain["nats"]["volumes"] == ["nats:/data:rw"]
    assert plain["nats"]["command"][:3] == ["--jetstream", "--store_dir", "/data"]
