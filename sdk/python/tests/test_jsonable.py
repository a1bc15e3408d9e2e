from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import json
import uuid
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langgraph.types import Command, Interrupt, Send
from pydantic import BaseModel

from duragraph_host import jsonable


class Colour(enum.Enum):
    RED = "red"


class Model(BaseModel):
    number: int
    when: datetime.date


@dataclasses.dataclass
class Data:
    items: list[Any]


Point = collections.namedtuple("Point", "x y")


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class BadModel:
    def model_dump(self) -> Any:
        raise RuntimeError("no")


def encoded(obj: Any) -> Any:
    return json.loads(jsonable.dumps(obj))


def test_messages_are_flattened() -> None:
    message = encoded(HumanMessage("hi", id="1"))
    assert (message["type"], message["content"], message["id"]) == ("human", "hi", "1")
    assert encoded(AIMessageChunk(content="x"))["type"] == "AIMessageChunk"
    assert encoded([ToolMessage("r", tool_call_id="t")])[0]["tool_call_id"] == "t"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Model(number=1, when=datetime.date(2026, 1, 2)), {"number": 1, "when": "2026-01-02"}),
        (Data([Point(1, 2)]), {"items": [{"x": 1, "y": 2}]}),
        ({1}, [1]),
        (collections.deque([1]), [1]),
        (datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc), "2026-01-01T00:00:00+00:00"),
        (datetime.timedelta(seconds=2), 2.0),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"text", "text"),
        (b"\xff", "/w=="),
        (ValueError("bad"), {"error": "ValueError", "message": "bad"}),
        (Colour.RED, "red"),
        (float("nan"), None),
        ([float("inf")], [None]),
        (
            {1: "a", None: "b", (1, 2): "c", Colour.RED: "d"},
            {"1": "a", "null": "b", "(1, 2)": "c", "red": "d"},
        ),
        (2**80, 2**80),
        (decimal.Decimal("1.5"), 1.5),
        (decimal.Decimal("NaN"), None),
        ("a\0b", "a\0b"),
        (["a\0b", float("nan"), "lone \ud800"], ["a\0b", None, "lone \ufffd"]),
        (10**4000, 10**4000),
        ([10**5000], ["<int>"]),
        ("\\u0000", "\\u0000"),
        ("lone \ud800", "lone \ufffd"),
        ({"k\ud800": "\ud83d\ude00"}, {"k\ufffd": "\U0001f600"}),
        (int, "builtins.int"),
        (Interrupt(value="q", id="i"), {"value": "q", "id": "i"}),
        (Send("n", {"a": 1}), {"node": "n", "input": {"a": 1}}),
    ],
)
def test_values(value: Any, expected: Any) -> None:
    assert encoded(value) == expected


def test_commands() -> None:
    command = encoded(Command(update={"a": 1}, goto=[Send("n", 1)]))
    assert command["update"] == {"a": 1}
    assert command["goto"] == [{"node": "n", "input": 1}]


def test_nothing_raises() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    for value in (
        Hostile(),
        {"x": Hostile()},
        BadModel(),
        cycle,
        deep,
        lambda: 1,
        object(),
        (i for i in "ab"),
    ):
        json.loads(jsonable.dumps({"value": value, "other": 1}))


def test_one_bad_value_does_not_hide_the_others() -> None:
    assert (
        encoded({"bad": Hostile(), "big": 2**70, "message": HumanMessage("hi")})["message"]["content"] == "hi"
    )


def test_error_text() -> None:
    assert jsonable.error_text(ValueError("x")) == "ValueError('x')"
    assert jsonable.error_text("stored") == "stored"
    assert jsonable.error_text(None) is None
