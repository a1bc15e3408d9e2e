"""The manifests of deploy/k8s."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import dockerfile
from processes import ROOT, binary
from tools import tool

FILES = sorted((ROOT / "deploy" / "k8s").glob("*.yaml"))
DRAIN = 10
"""Seconds that a stop of the server takes at most."""


def objects() -> Iterator[dict[str, Any]]:
    for file in FILES:
        yield from yaml.safe_load_all(file.read_text())


def one(kind: str, name: str = "duragraph") -> dict[str, Any]:
    (found,) = [made for made in objects() if made["kind"] == kind and made["metadata"]["name"] == name]
    return found


WORKLOADS = [("Deployment", "duragraph"), ("Deployment", "duragraph-worker"), ("Job", "duragraph-migrate")]


@pytest.mark.parametrize("version", ["1.29.0", "1.37.0"])
def test_every_object_has_the_schema(version: str) -> None:
    command = [tool("kubernetes-validate"), "--strict", "--kubernetes-version", version]
    done = subprocess.run([*command, *FILES], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_field_that_does_not_exist_is_found(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text((ROOT / "deploy/k8s/server.yaml").read_text().replace("livenessProbe:", "aliveProbe:"))
    done = subprocess.run([tool("kubernetes-validate"), "--strict", wrong], capture_output=True, text=True)
    assert done.returncode != 0


def test_no_namespace_is_named() -> None:
    assert not any("namespace" in made["metadata"] for made in objects())


@pytest.mark.parametrize(("kind", "name"), WORKLOADS)
def test_pods_may_nothing_and_find_what_they_name(kind: str, name: str) -> None:
    pod = one(kind, name)["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    user = dockerfile.stages(ROOT / "Dockerfile")["program"].of("USER")[0].split(":")
    security = pod["spec"]["securityContext"]
    assert [security["runAsUser"], security["runAsGroup"]] == [int(part) for part in user] and security["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert container["resources"]["requests"] and container["resources"]["limits"]["memory"]
    kinds = {"configMapRef": "ConfigMap", "secretRef": "Secret"}
    for source in container["envFrom"]:
        ((reference, named),) = source.items()
        assert one(kinds[reference], named["name"])
    program = binary()
    assert program
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    assert container["image"].split(":")[1] in version


def test_selectors_find_the_servers_pods() -> None:
    deployment = one("Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    selectors = [deployment["selector"]["matchLabels"], one("Service")["spec"]["selector"]]
    selectors += [one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"]]
    assert all(selector == labels for selector in selectors)
    assert labels != one("Deployment", "duragraph-worker")["spec"]["template"]["metadata"]["labels"]
    assert one("Service")["spec"]["ports"][0]["targetPort"] == "http"
    assert one("PodDisruptionBudget")["spec"]["maxUnavailable"] < deployment["replicas"]


def test_probes_and_stops() -> None:
    spec = one("Deployment")["spec"]
    pod = spec["template"]["spec"]
    (server,) = pod["containers"]
    paths = {name: server[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"}
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    (delay,) = (int(each["value"]) for each in server["env"] if each["name"] == "DURAGRAPH_STOP_DELAY")
    unready = server["readinessProbe"]["periodSeconds"] * server["readinessProbe"]["failureThreshold"]
    assert delay > unready, "balancers must have noticed"
    assert pod["terminationGracePeriodSeconds"] > delay + DRAIN


def environment(**values: str) -> dict[str, str]:
    """What a server's container has, with some of the values replaced."""
    merged: dict[str, str] = dict(one("ConfigMap")["data"])
    merged |= one("Secret")["stringData"] | one("Secret", "duragraph-worker")["stringData"]
    return {"PATH": os.environ["PATH"]} | merged | values


def serve(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    program = binary()
    assert program
    command = [program, "serve", "--port", "0"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)


def test_what_is_to_be_replaced_is_refused_by_name() -> None:
    refused = serve(environment())
    assert refused.returncode == 2
    for name in ("DATABASE_URL", "NATS_URL", "DURAGRAPH_WORKER_TOKEN"):
        assert name in refused.stderr
    good = {"DATABASE_URL": "postgresql://u:p@127.0.0.1:1/d", "NATS_URL": "nats://127.0.0.1:1"}
    without_secret = serve(environment(**good, DURAGRAPH_WORKER_TOKEN="t"))
    assert without_secret.returncode == 2 and "JWT_SECRET" in without_secret.stderr
