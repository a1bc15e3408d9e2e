"""JSON of whatever user code produces.

The wire form of LangChain and LangGraph objects is the one that the Python LangGraph servers use: messages
are flattened (``model_dump``; message chunks keep the type ``AIMessageChunk``), interrupts are ``{value,
id}``. Values that JSON cannot express are shown as well as possible, and nothing that a user's graph holds
makes an encoder raise: the JSON is a view, the stored blobs hold the truth."""

from __future__ import annotations

import base64
import collections.abc
import dataclasses
import datetime
import decimal
import enum
import json
import math
import re
import uuid
from typing import Any, cast

import orjson
from langgraph.types import Command, Interrupt, Send

# Dataclasses are passed to _convert, which knows the library's own ones.
_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_PASSTHROUGH_DATACLASS
_MAX_DEPTH = 200
_MAX_REPR = 2000
_MAX_INT_BITS = 14_000
"""Python refuses to write longer integers in decimal, by default."""


def dumps(obj: Any) -> bytes:
    """Encodes any Python object as compact UTF-8 JSON.

    NaN and infinities become null, lone surrogates become U+FFFD, integers that Python writes (up to 4300 digits)
    are kept. Never raises for an object of the user's: what cannot be encoded is replaced by its ``repr``."""
    try:
        return orjson.dumps(obj, default=_default, option=_OPTIONS)
    except (TypeError, ValueError, RecursionError):
        return _dumps_slowly(obj)


def to_plain(obj: Any) -> Any:
    """The object as ``dumps`` shows it, made of dicts, lists and scalars only."""
    return json.loads(dumps(obj))


def error_text(error: Any) -> str | None:
    """A task's error as a thread's state shows it: the exception's ``repr``, as the library's serializer
    stores it."""
    if error is None or isinstance(error, str):
        return error
    return _safe_repr(error)


def _dumps_slowly(obj: Any) -> bytes:
    plain = _plain(obj, 0, set())
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _default(obj: Any) -> Any:
    """Turns one object that orjson does not know into something that it does; raises TypeError where that
    fails."""
    try:
        return _convert(obj)
    except Exception as error:
        raise TypeError(str(error)) from error


def _convert(obj: Any) -> Any:
    if isinstance(obj, type):
        return f"{obj.__module__}.{obj.__qualname__}"
    if isinstance(obj, Interrupt):
        return _interrupt(obj)
    if isinstance(obj, Send):
        return {"node": obj.node, "input": obj.arg}
    if isinstance(obj, Command):
        return {"graph": obj.graph, "update": obj.update, "resume": obj.resume, "goto": obj.goto}
    if callable(getattr(obj, "model_dump", None)):
        return _dump_model(obj)
    if hasattr(obj, "__fields__") and callable(getattr(obj, "dict", None)):
        return obj.dict()
    if callable(getattr(obj, "_asdict", None)):
        return obj._asdict()
    if dataclasses.is_dataclass(obj):
        return {f.name: getattr(obj, f.name, None) for f in dataclasses.fields(obj)}
    if isinstance(obj, BaseException):
        return {"error": type(obj).__name__, "message": str(obj)}
    if isinstance(obj, (bytes, bytearray, memoryview)):
        return _text(bytes(obj))
    if isinstance(obj, collections.abc.Mapping):
        return dict(obj)
    if isinstance(obj, (tuple, list, collections.abc.Set, collections.deque, range)):
        return list(obj)
    return _scalar(obj)


def _scalar(obj: Any) -> Any:
    if isinstance(obj, enum.Enum):
        return obj.value
    if isinstance(obj, (datetime.datetime, datetime.date, datetime.time)):
        return obj.isoformat()
    if isinstance(obj, datetime.timedelta):
        return obj.total_seconds()
    if isinstance(obj, decimal.Decimal):
        return _number(obj)
    if isinstance(obj, uuid.UUID):
        return str(obj)
    if isinstance(obj, re.Pattern):
        return obj.pattern
    if callable(getattr(obj, "tolist", None)):  # numpy and what behaves like it
        return obj.tolist()
    if hasattr(obj, "__fspath__"):
        return str(obj)
    kind: Any = type(obj)
    if kind.__repr__ is object.__repr__ and hasattr(obj, "__dict__") and not callable(obj):
        return {str(k): v for k, v in vars(obj).items() if not str(k).startswith("_")}
    return _safe_repr(obj) if kind.__str__ is object.__str__ else str(obj)


def _interrupt(obj: Interrupt) -> dict[str, Any]:
    """``{value, id}``, and of what other versions of the library add, what is set."""
    fields = {"value": obj.value, "id": getattr(obj, "id", None)}
    if (schema := getattr(obj, "response_schema", None)) is not None:
        fields["response_schema"] = schema
    return fields


def _dump_model(obj: Any) -> Any:
    try:
        return obj.model_dump(warnings=False)
    except TypeError:  # a model_dump of the user's own, with another signature
        return obj.model_dump()
    except Exception:  # a serializer of the user's own that raises: the fields are still there
        return {k: v for k, v in vars(obj).items() if not k.startswith("_")}


def _number(value: decimal.Decimal) -> Any:
    if not value.is_finite():
        return None
    return int(value) if value == value.to_integral_value() and value.adjusted() < 300 else float(value)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return base64.b64encode(data).decode()


def _clean(text: str) -> str:
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _safe_repr(obj: Any) -> str:
    try:
        return repr(obj)[:_MAX_REPR]
    except Exception:
        return f"<{type(obj).__name__}>"


def _key(key: Any) -> str:
    if isinstance(key, str):
        return _clean(str.__str__(key))
    if key is None or isinstance(key, bool):
        return json.dumps(key)
    if isinstance(key, enum.Enum):
        return _key(key.value)
    try:
        return _clean(str(key))
    except Exception:
        return _clean(_safe_repr(key))


def _plain(obj: Any, depth: int, open_ids: set[int]) -> Any:
    """The same conversions in Python, one object at a time, each with its own last resort."""
    if isinstance(obj, enum.Enum):
        return _plain(obj.value, depth + 1, open_ids) if depth < _MAX_DEPTH else _clean(_safe_repr(obj))
    if obj is None or isinstance(obj, bool):
        return obj
    if isinstance(obj, str):
        return _clean(str.__str__(obj))
    if isinstance(obj, int):
        return int(obj) if obj.bit_length() <= _MAX_INT_BITS else f"<{type(obj).__name__}>"
    if isinstance(obj, float):
        return float(obj) if math.isfinite(obj) else None
    if depth >= _MAX_DEPTH or id(obj) in open_ids:
        return f"<{type(obj).__name__}>"
    open_ids.add(id(obj))
    try:
        return _plain_composite(obj, depth, open_ids)
    except Exception:
        return _clean(_safe_repr(obj))
    finally:
        open_ids.discard(id(obj))


def _plain_composite(obj: Any, depth: int, open_ids: set[int]) -> Any:
    if isinstance(obj, dict):
        return {_key(k): _plain(v, depth + 1, open_ids) for k, v in list(obj.items())}
    if isinstance(obj, (list, tuple)) and not hasattr(obj, "_asdict"):
        return [_plain(v, depth + 1, open_ids) for v in cast("list[Any]", obj)]
    return _plain(_convert(obj), depth + 1, open_ids)
