"""Futures that several threads may end: the first does, and the others do nothing."""

from __future__ import annotations

from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any


def settle(future: Future[Any], result: Any) -> None:
    """Sets a result unless the future is done or was given up."""
    if not future.done():
        with suppress(InvalidStateError):  # It was cancelled in between.
            future.set_result(result)


def settle_error(future: Future[Any], error: BaseException) -> None:
    """Sets an error unless the future is done or was given up."""
    if not future.done():
        with suppress(InvalidStateError):  # It was cancelled in between.
            future.set_exception(error)
