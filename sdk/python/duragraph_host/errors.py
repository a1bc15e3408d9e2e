"""The errors that the host raises into user code and into its own parts."""

from __future__ import annotations


class HostError(Exception):
    """Any error of the worker host."""


class RunDead(HostError):
    """The run is over for this process: its saver, store and stream writer do nothing any more."""


class Superseded(RunDead):
    """The run or operation has another owner, so nothing that is still said about it counts."""


class MessageTooLarge(HostError):
    """One message would exceed what the protocol carries (64 MiB)."""


class ProtocolError(HostError):
    """The server sent something that the protocol does not know."""


class RequestError(HostError):
    """A request is refused, by the server or by this host. `code` is one of the protocol's error codes; `place` the
    parameter that is to blame, where it is one."""

    def __init__(self, code: str, message: str, place: str | None = None) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = message
        self.place = place


def in_words(error: BaseException) -> str:
    """An error of user code in one line: its class, and what it says."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
