"""What a connection is told about its session, and whom it tells what the server says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from . import wire
from .owner import Owner

FATAL = {
    4400: "the server says that this worker broke the protocol",
    4403: "the session exists and its secret is another one",
    4426: f"the server does not speak version {wire.PROTOCOL} of the worker protocol",
}


class Ticket(NamedTuple):
    """Names a request of the server: its id, valid on one connection only."""

    id: int
    generation: int


class Handler(Protocol):
    """What the host does about the server's messages. Called on the connection's thread; must not block."""

    def hello(self) -> dict[str, Any]:
        """The hello message's fields but for type, protocol, session, secret, supervised and owned."""

    def ready(self, welcome: dict[str, Any]) -> None: ...

    def lease(self, run: dict[str, Any], owner: Owner) -> None: ...

    def cancelled(self, owner: Owner) -> None:
        """The run is to stop, or was lost: its owner is dead already."""

    def request(self, ticket: Ticket, method: str, params: dict[str, Any], owner: Owner | None) -> None: ...

    def drain(self) -> None: ...

    def settled(self) -> None:
        """A run or operation is over and forgotten."""

    def renewed(self) -> None:
        """The session had expired; everything it owned is lost, and a new one takes its place."""

    def fatal(self, message: str) -> None:
        """The connection has stopped for good."""


@dataclass
class Options:
    """Where to connect and as whom. `supervised` says that another process beats for the session."""

    url: str
    token: str
    session: str
    secret: str
    supervised: bool
