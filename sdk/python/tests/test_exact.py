"""Values that JSON libraries round or drop: integers beyond 64 bits, and the character NUL."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from duragraph_host import wire
from duragraph_host.serde import HostSerializer

HUGE = [2**63, 2**64, 2**200, -(2**63), -(2**63) - 1, -(2**80), 10**18, 10**300]


def test_integers_of_received_messages_are_exact() -> None:
    message = {"type": "lease", "input": HUGE, "float": 0.12345678901234567890, "text": "1" * 30}
    text = json.dumps(message)
    assert wire.unpack(text) == [(message, [])]
    head = json.dumps({**message, "blobs": [2]}).encode()
    ((received, blobs),) = wire.unpack(len(head).to_bytes(4, "big") + head + b"ab")
    assert received["input"] == HUGE and all(type(n) is int for n in received["input"]) and blobs == [b"ab"]


def test_what_the_exact_parser_does_not_take_is_still_read() -> None:
    text = '{"type":"lease","input":' + "[" * 900 + str(2**70) + "]" * 900 + "}"
    assert wire.unpack(text)[0][0]["type"] == "lease"


def test_plain_values_with_huge_integers_can_be_stored() -> None:
    host, plain = HostSerializer(), JsonPlusSerializer()
    stored: list[Any] = [2**64, {"n": HUGE, "t": "a\0b", "f": 0.5, "none": None}, [[-(2**70)]]]
    for value in stored:
        typed = host.dumps_typed(value)
        assert typed[0] == "json" and host.loads_typed(typed) == plain.loads_typed(typed) == value
    as_ever: list[Any] = [2**63, {"n": (1, 2)}, b"x", None, HumanMessage("hi")]
    for value in as_ever:
        assert host.dumps_typed(value) == plain.dumps_typed(value)
    refused: list[Any] = [(2**64,), {2**64: 1}, {"lc": 2**64}, HumanMessage("hi", n=2**64)]
    for value in refused:
        with pytest.raises(TypeError):
            host.dumps_typed(value)
