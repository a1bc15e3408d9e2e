#!/usr/bin/env python3
"""Asks PostgreSQL, NATS, the server and its workers on this machine how they are; fails when one is down.

Usage: health.py [--quiet] [--wait SECONDS] [SERVICE...]

A line for each service: its name, `healthy` or `down`, and what it said. DB_PORT, NATS_PORT and PORT say where they
are.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import struct
import sys
import time
import urllib.error
import urllib.request

HERE = "127.0.0.1"
PATIENCE = 3.0
"""Seconds that one answer may take."""


class Down(Exception):
    """Why a service does not serve."""


def port(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) < 65536:
        sys.exit(f'error: {name} must be a port from 1 to 65535, not "{text}"')
    return int(text)


def postgres() -> str:
    """Begins a session, as pg_isready does: a server that starts or stops refuses it with the code 57P03."""
    at = port("DB_PORT", 5432)
    user = (os.environ.get("DB_USER") or "appuser").encode()
    database = (os.environ.get("DB_NAME") or "appdb").encode()
    wanted = b"user\0" + user + b"\0database\0" + database + b"\0\0"
    with socket.create_connection((HERE, at), PATIENCE) as connection:
        connection.sendall(struct.pack("!II", 8 + len(wanted), 3 << 16) + wanted)
        stream = connection.makefile("rb")
        kind, length = stream.read(1), stream.read(4)
        if kind not in (b"R", b"E") or len(length) < 4:
            raise Down(f"{HERE}:{at} is no PostgreSQL server")
        if kind == b"E":
            fields = dict((f[:1], f[1:]) for f in stream.read(struct.unpack("!I", length)[0] - 4).split(b"\0"))
            if fields.get(b"C") == b"57P03":
                raise Down(f"{HERE}:{at}: {fields.get(b'M', b'').decode(errors='replace')}")
    return f"{HERE}:{at} takes connections"


def nats() -> str:
    """Reads what a server says of itself to whoever connects."""
    at = port("NATS_PORT", 4222)
    with socket.create_connection((HERE, at), PATIENCE) as connection:
        line = connection.makefile("rb").readline(65536)
    if not line.startswith(b"INFO "):
        raise Down(f"{HERE}:{at} is no NATS server")
    said = json.loads(line[5:])
    if not said.get("jetstream"):
        raise Down(f"{HERE}:{at}, version {said['version']}, has no JetStream")
    return f"{HERE}:{at}, version {said['version']} with JetStream"


def ask(path: str) -> str:
    url = f"http://{HERE}:{port('PORT', 8080)}{path}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=PATIENCE) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as refused:
        raise Down(f"{url}: {refused.code} {refused.read(500).decode(errors='replace').strip()}") from None


def server() -> str:
    ask("/readyz")
    try:
        version = json.loads(ask("/health"))["version"]
    except (ValueError, KeyError, TypeError):
        raise Down(f"{HERE}:{port('PORT', 8080)} is no DuraGraph server") from None
    return f"http://{HERE}:{port('PORT', 8080)}, version {version}"


def worker() -> str:
    """The metrics tell it without credentials."""
    for line in ask("/metrics").splitlines():
        if line.startswith("duragraph_workers "):
            count = int(float(line.split()[1]))
            if count or os.environ.get("WORKER") == "no":
                return f"{count} connected"
            raise Down("none is connected")
    raise Down(f"{HERE}:{port('PORT', 8080)} is no DuraGraph server")


SERVICES = {"postgres": postgres, "nats": nats, "server": server, "worker": worker}


def reason(failure: Exception) -> str:
    inner = getattr(failure, "reason", failure)
    return inner.strerror or str(inner) if isinstance(inner, OSError) else str(inner)


def look(names: list[str]) -> tuple[bool, str]:
    """Whether all of them serve, and the lines."""
    healthy, lines = True, []
    for name in names:
        try:
            word, said = "healthy", SERVICES[name]()
        except Down as down:
            word, said = "down", str(down)
        except (OSError, ValueError, KeyError, urllib.error.URLError) as failure:
            word, said = "down", reason(failure)
        healthy = healthy and word == "healthy"
        lines.append(f"{name:<9} {word:<8} {said}")
    return healthy, "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quiet", action="store_true", help="say it by the exit code alone")
    parser.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="ask again for that long")
    parser.add_argument("services", nargs="*", metavar="SERVICE", help=f"all of {', '.join(SERVICES)} without one")
    arguments = parser.parse_args()
    names = arguments.services or list(SERVICES)
    if unknown := [name for name in names if name not in SERVICES]:
        parser.error(f"no such service: {unknown[0]}")
    end = time.monotonic() + arguments.wait
    healthy, lines = look(names)
    while not healthy and time.monotonic() < end:
        time.sleep(0.2)
        healthy, lines = look(names)
    if not arguments.quiet:
        print(lines)
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main())
