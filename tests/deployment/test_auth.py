"""`duragraph serve` with AUTH_ENABLED: tokens, keys, users and roles, with LangGraph's own client."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_sync_client
from langgraph_sdk.client import SyncLangGraphClient

from postgres import Database
from processes import Project, ServeServer, WorkerProgram, binary, until

FAILED, USAGE, NOT_FOUND = 1, 2, 3
SECRET = "a-secret-of-tests-with-32-bytes-or-more"


def command(project: Project, *arguments: str, code: int = 0, **environment: str) -> str:
    """What a command prints."""
    program = binary()
    assert program, "there is no duragraph binary: build one, or name it in DURAGRAPH_BIN"
    done = subprocess.run(
        [program, *arguments],
        cwd=project.base,
        env=project.environment(**environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done
    return (done.stdout if code == 0 else done.stderr).strip()


def token(project: Project, user: str, role: str = "editor", *more: str, **environment: str) -> str:
    return command(
        project, "token", "create", "--user", user, "--role", role, *more, **({"JWT_SECRET": SECRET} | environment)
    )


def key(project: Project, database: Database, user: str, role: str = "editor", *more: str) -> str:
    made = command(project, "key", "create", "--user", user, "--role", role, "--json", *more, DATABASE_URL=database.url)
    return str(json.loads(made.splitlines()[0])["key"])


class AuthServer(ServeServer):
    """A server that asks who its clients are. Its worker has a key; `api` is an admin's."""

    def __init__(self, project: Project, database: Database, **environment: str) -> None:
        settings = {"AUTH_ENABLED": "true", "JWT_SECRET": SECRET, "DURAGRAPH_WORKER_TOKEN": ""} | environment
        super().__init__(project, database.url, worker=False, **settings)
        self.api.http.headers["Authorization"] = f"Bearer {token(project, 'root', 'admin')}"

    def client(self, shown: str) -> SyncLangGraphClient:
        return get_sync_client(url=self.url, api_key=None, headers={"Authorization": f"Bearer {shown}"})

    def status(self, shown: str | None, path: str = "/info") -> int:
        headers = {"Authorization": f"Bearer {shown}"} if shown else {}
        return httpx.get(self.url + path, headers=headers, trust_env=False).status_code


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class RsaKey:
    """A key that signs tokens with RS256, by the openssl program."""

    def __init__(self, path: Path) -> None:
        self.path = path
        subprocess.run(["openssl", "genrsa", "-out", path, "2048"], check=True, capture_output=True)
        told = subprocess.run(["openssl", "rsa", "-in", path, "-noout", "-modulus"], check=True, capture_output=True)
        modulus = bytes.fromhex(told.stdout.decode().strip().removeprefix("Modulus="))
        self.jwk = {"kty": "RSA", "n": base64url(modulus), "e": "AQAB"}

    def public_pem(self) -> bytes:
        return subprocess.run(["openssl", "rsa", "-in", self.path, "-pubout"], check=True, capture_output=True).stdout

    def token(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
        made = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", self.path], input=text.encode(), check=True, capture_output=True
        )
        return f"{text}.{base64url(made.stdout)}"


def status_of(call: Callable[[], Any]) -> int:
    """The status with which the client's call is refused; 200 where it is not."""
    try:
        call()
    except httpx.HTTPStatusError as refused:
        return refused.response.status_code
    return 200


def test_two_users_share_a_server_and_nothing_else(project: Project, migrated: Database) -> None:
    server = AuthServer(project, migrated)
    worker_key = key(project, migrated, "worker-1", "worker")
    server.worker = WorkerProgram(project, server.url, DURAGRAPH_WORKER_TOKEN=worker_key)
    server.wait_workers()
    ann, bob = server.client(token(project, "ann")), server.client(key(project, migrated, "bob"))

    thread = ann.threads.create()["thread_id"]
    result = ann.runs.wait(thread, "factory_runtime", input={})
    assert result, result
    run = ann.runs.list(thread)[0]["run_id"]
    told = ann.runs.get(thread, run)["kwargs"]["config"]["configurable"]  # type: ignore[typeddict-item]
    assert told["user_id"] == "ann" and told["langgraph_auth_user"]["identity"] == "ann", told

    assert status_of(lambda: bob.threads.get(thread)) == 404
    assert status_of(lambda: bob.threads.get_state(thread)) == 404
    assert status_of(lambda: bob.threads.get_history(thread)) == 404
    assert status_of(lambda: bob.threads.update_state(thread, {"a": 1})) == 404
    assert status_of(lambda: bob.runs.get(thread, run)) == 404
    assert status_of(lambda: bob.runs.join(thread, run)) == 404
    assert status_of(lambda: list(bob.runs.join_stream(thread, run))) == 404
    assert status_of(lambda: bob.runs.create(thread, "three_nodes")) == 404
    assert status_of(lambda: bob.runs.cancel(thread, run)) == 404
    assert status_of(lambda: bob.runs.delete(thread, run)) == 404
    assert status_of(lambda: bob.threads.copy(thread)) in (404, 409)
    assert status_of(lambda: bob.threads.delete(thread)) == 404
    assert status_of(lambda: bob.threads.create(thread_id=thread, if_exists="do_nothing")) == 409
    assert bob.threads.search() == [] and bob.threads.count() == 0
    assert [found["thread_id"] for found in ann.threads.search()] == [thread]

    frames = [part.event for part in bob.runs.stream(None, "three_nodes", input={"steps": []})]
    assert frames[0] == "metadata" and "error" not in frames, frames
    own = bob.threads.create()["thread_id"]
    assert bob.runs.wait(own, "three_nodes", input={"steps": []})["steps"] == ["a", "b", "c"]
    assert [found["thread_id"] for found in bob.threads.search()] == [own]
    assert {a["graph_id"] for a in bob.assistants.search(limit=100)} >= {"three_nodes", "agent"}
    mine = bob.assistants.create("three_nodes", name="mine")["assistant_id"]
    assert status_of(lambda: ann.assistants.get(mine)) == 404
    assert status_of(lambda: ann.assistants.update("three_nodes", name="x")) == 403

    ann.store.put_item(["ann", "memories"], "k", {"a": 1})
    assert status_of(lambda: bob.store.get_item(["ann", "memories"], "k")) == 403
    assert bob.store.search_items([])["items"] == []
    assert ann.store.list_namespaces()["namespaces"] == [["ann", "memories"]]

    root = server.client(token(project, "root", "admin"))
    assert root.threads.count() == 2 and root.threads.get(thread)["thread_id"] == thread
    viewer = server.client(token(project, "ann", "viewer"))
    assert viewer.threads.get(thread)["thread_id"] == thread
    assert status_of(lambda: viewer.threads.create()) == 403
    assert server.status(worker_key) == 403
    for shown in (None, "guessed", token(project, "ann", JWT_SECRET=SECRET + "x")):
        assert server.status(shown) == 401
    for path in ("/ok", "/health", "/livez", "/readyz", "/metrics"):
        assert server.status(None, path) == 200
    assert worker_key not in server.log and SECRET not in server.log


def test_a_worker_needs_the_role(project: Project, migrated: Database) -> None:
    server = AuthServer(project, migrated)
    refused = WorkerProgram(project, server.url, DURAGRAPH_WORKER_TOKEN=token(project, "ann"))
    until(lambda: "HTTP 403" in refused.output, lambda: refused.output)
    refused.stop()
    shown = token(project, "worker-1", "worker")
    server.worker = WorkerProgram(project, server.url, DURAGRAPH_WORKER_TOKEN=shown)
    server.wait_workers()


def test_a_token_is_good_for_as_long_as_it_says(project: Project, migrated: Database) -> None:
    server = AuthServer(project, migrated, DURAGRAPH_JWT_LEEWAY="0")
    long, short = (token(project, "ann", "editor", "--ttl", ttl) for ttl in ("1h", "1s"))
    until(lambda: server.status(short) == 401, "a token that has expired")
    assert server.status(long) == 200


def test_keys_are_made_listed_and_revoked(project: Project, migrated: Database) -> None:
    server = AuthServer(project, migrated)
    text = command(project, "key", "create", "--user", "ann", "--name", "laptop", DATABASE_URL=migrated.url)
    made = text.splitlines()[0]
    assert made.startswith("dgk_") and server.status(made) == 200, text
    short = key(project, migrated, "bob", "viewer", "--ttl", "1s")
    listed = json.loads(command(project, "key", "list", "--json", DATABASE_URL=migrated.url))
    assert [(k["user"], k["role"], k["name"]) for k in listed] == [("ann", "editor", "laptop"), ("bob", "viewer", "")]
    assert made.split("_")[2] not in json.dumps(listed) and "hash" not in json.dumps(listed)
    until(lambda: server.status(short) == 401, "a key that has expired")
    assert "laptop" in command(project, "key", "list", DATABASE_URL=migrated.url)
    command(project, "key", "revoke", listed[0]["id"], DATABASE_URL=migrated.url)
    until(lambda: server.status(made) == 401, "a key that was revoked", 10)
    states = [k["state"] for k in json.loads(command(project, "key", "list", "--json", DATABASE_URL=migrated.url))]
    assert states == ["revoked", "expired"]
    missing = command(project, "key", "revoke", "nothing", code=NOT_FOUND, DATABASE_URL=migrated.url)
    assert "key list" in missing
    for wrong in (["--user", ""], ["--user", "ann", "--role", "root"], ["--user", "ann", "--ttl", "soon"]):
        command(project, "key", "create", *wrong, code=USAGE, DATABASE_URL=migrated.url)


def test_token_create_prints_a_token_alone(project: Project, migrated: Database) -> None:
    server = AuthServer(project, migrated, DURAGRAPH_JWT_ISSUER="me", DURAGRAPH_JWT_AUDIENCE="you")
    assert server.status(token(project, "ann")) == 401, "it is from somebody else"
    rules = {"DURAGRAPH_JWT_ISSUER": "me", "DURAGRAPH_JWT_AUDIENCE": "you"}
    shown = token(project, "ann", "viewer", **rules)
    assert shown.count(".") == 2 and "\n" not in shown and server.status(shown) == 200
    assert "JWT_SECRET" in command(project, "token", "create", "--user", "ann", code=USAGE)


@pytest.mark.waits
@pytest.mark.parametrize("kind", ["file", "url"])
def test_keys_of_a_jwks_are_rotated(project: Project, migrated: Database, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "jwks.json"
    keys: dict[str, RsaKey] = {}

    def publish(*ids: str) -> None:
        for each in ids:
            keys.setdefault(each, RsaKey(tmp_path / f"{each}.pem"))
        path.write_text(json.dumps({"keys": [keys[i].jwk | {"kid": i} for i in ids]}))

    def signed(key_id: str) -> str:
        return keys[key_id].token({"alg": "RS256", "kid": key_id}, {"sub": "ann", "exp": 4_000_000_000})

    class Jwks(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(path.read_bytes())

        def log_message(self, *_: object) -> None:
            pass

    publish("k1")
    with HTTPServer(("127.0.0.1", 0), Jwks) as source:
        threading.Thread(target=source.serve_forever, daemon=True).start()
        place = str(path) if kind == "file" else f"http://127.0.0.1:{source.server_port}/jwks.json"
        server = AuthServer(project, migrated, JWT_SECRET="", DURAGRAPH_JWT_JWKS=place)
        assert server.status(signed("k1")) == 200
        publish("k1", "k2")
        until(lambda: server.status(signed("k2")) == 200, "the new key", 20)
        publish("k2")
        assert server.status(token(project, "ann")) == 401, "there is no secret here"
        source.shutdown()


def test_tokens_are_checked_with_a_public_key(project: Project, migrated: Database, tmp_path: Path) -> None:
    own = RsaKey(tmp_path / "own.pem")
    public = tmp_path / "public.pem"
    public.write_bytes(own.public_pem())
    server = AuthServer(project, migrated, JWT_SECRET="", DURAGRAPH_JWT_PUBLIC_KEY=str(public))
    claims = {"sub": "ann", "exp": 4_000_000_000}
    assert server.status(own.token({"alg": "RS256"}, claims)) == 200
    assert server.status(own.token({"alg": "RS512"}, claims)) == 401
    assert server.status(RsaKey(tmp_path / "other.pem").token({"alg": "RS256"}, claims)) == 401
    # The public key is no secret to sign with.
    assert server.status(token(project, "ann", JWT_SECRET=public.read_text())) == 401


def test_without_anything_to_check_tokens_with_it_does_not_start(project: Project, tmp_path: Path) -> None:
    refused = command(project, "serve", code=USAGE, AUTH_ENABLED="true")
    for name in ("AUTH_ENABLED", "JWT_SECRET", "DURAGRAPH_JWT_PUBLIC_KEY", "DURAGRAPH_JWT_JWKS"):
        assert name in refused, refused
    odd = tmp_path / "odd.json"
    odd.write_text("{}")
    for name in ("DURAGRAPH_JWT_PUBLIC_KEY", "DURAGRAPH_JWT_JWKS"):
        said = command(project, "serve", code=USAGE, AUTH_ENABLED="true", **{name: str(odd)})
        assert name in said and str(odd) in said, said


@pytest.mark.waits
def test_instances_have_one_secret(project: Project, migrated: Database) -> None:
    first = AuthServer(project, migrated)
    other = {"AUTH_ENABLED": "true", "JWT_SECRET": "another-secret-of-32-bytes-or-more"}
    refused = ServeServer(project, migrated.url, worker=False, ready=False, **other)
    assert refused.wait() == FAILED and "JWT_SECRET" in refused.output, refused.output
    assert SECRET not in refused.output and other["JWT_SECRET"] not in refused.output
    same = ServeServer(project, migrated.url, worker=False, ready=False, AUTH_ENABLED="true", JWT_SECRET=SECRET)
    same.wait_ready("/readyz")
    for instance in (first, same):
        instance.signal(signal.SIGKILL)
        instance.process.wait()
    # When all have ended the secret may be another one.
    changed = ServeServer(project, migrated.url, worker=False, **other)
    assert changed.process.poll() is None
    late = ServeServer(project, migrated.url, worker=False, ready=False, AUTH_ENABLED="true", JWT_SECRET=SECRET)
    assert late.wait() == FAILED and "JWT_SECRET" in late.output, late.output


def test_what_is_probably_not_meant_is_told_once(project: Project) -> None:
    # In a network of its own, so that nobody else can reach what listens on every address there.
    settings = {"JWT_SECRET": "short", "PORT": "8080", "HOST": "0.0.0.0"}
    with subprocess.Popen(
        ["unshare", "--map-root-user", "--net", str(binary()), "serve"],
        env=project.environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        assert server.stdout is not None
        output = ""
        while "the database cannot be used yet" not in output:
            line = server.stdout.readline()
            assert line, output
            output += line
        server.terminate()
    assert output.count("asks nobody who they are") == 1, output
    assert output.count("JWT_SECRET has 5 bytes") == 1, output
    assert '"short"' not in output and "=short" not in output
