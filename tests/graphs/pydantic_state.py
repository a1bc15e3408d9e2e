"""A pydantic state whose values are not JSON: times, UUIDs, bytes, decimals, sets, enums and nested models."""

import datetime as dt
import decimal
import enum
import uuid
from typing import Any

from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel, Field


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    x: int
    y: int = 0


class State(BaseModel):
    name: str = Field(min_length=1)
    when: dt.datetime | None = None
    day: dt.date | None = None
    lasts: dt.timedelta | None = None
    id: uuid.UUID | None = None
    blob: bytes | None = None
    amount: decimal.Decimal | None = None
    tags: set[str] = set()
    colour: Colour | None = None
    point: Point | None = None


def fill(state: State) -> dict[str, Any]:
    assert isinstance(state, State)
    return {
        "when": state.when or dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.timezone.utc),
        "day": dt.date(2024, 2, 29),
        "lasts": dt.timedelta(minutes=90),
        "id": uuid.uuid5(uuid.NAMESPACE_DNS, state.name),
        "blob": b"\x00\xff bytes",
        "amount": decimal.Decimal("12.30"),
        "tags": {"one"},
        "colour": Colour.BLUE,
        "point": Point(x=3),
    }


def check(state: State) -> dict[str, Any]:
    """The values come back from the checkpoint as what they were."""
    assert isinstance(state.when, dt.datetime) and isinstance(state.id, uuid.UUID)
    assert isinstance(state.blob, bytes) and isinstance(state.amount, decimal.Decimal)
    assert isinstance(state.colour, Colour) and isinstance(state.point, Point)
    return {"name": state.name.upper()}


builder = StateGraph(State)
builder.add_sequence([fill, check])
builder.add_edge(START, "fill")
builder.add_edge("check", END)
graph = builder.compile(name="pydantic_state")
