"""Opens the WebSocket to the server."""

from __future__ import annotations

import ipaddress
import urllib.parse
from importlib import metadata
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from . import wire

Socket = ClientConnection


def endpoint(url: str) -> str:
    """The WebSocket address of a server's base URL."""
    parts = urllib.parse.urlsplit(url if "//" in url else f"http://{url}")
    scheme = "wss" if parts.scheme in ("https", "wss") else "ws"
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}/api/v1/workers/connect"


async def open_socket(url: str, token: str, session: str) -> Socket:
    """One attempt to connect. Raises what websockets raises."""
    options: dict[str, Any] = {}
    if int(metadata.version("websockets").split(".")[0]) >= 15 and _is_loopback(url):
        options["proxy"] = None  # A proxy of the project's environment cannot reach this machine.
    return await connect(
        endpoint(url),
        additional_headers={"Authorization": f"Bearer {token}", "X-Duragraph-Session": session},
        subprotocols=[Subprotocol(wire.SUBPROTOCOL)],
        compression=None,
        max_size=wire.MAX_MESSAGE + 4096,
        open_timeout=5,
        close_timeout=2,
        # A server that was stopped or cut off closes nothing; the worker is to look for another one in time.
        ping_interval=2,
        ping_timeout=6,
        **options,
    )


def _is_loopback(url: str) -> bool:
    host = urllib.parse.urlsplit(endpoint(url)).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
