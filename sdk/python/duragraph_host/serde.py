"""The serializer of checkpoints: LangGraph's, which can also store integers of any size."""

from __future__ import annotations

import json
from typing import Any

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer


class HostSerializer(JsonPlusSerializer):
    """Writes what LangGraph's serializer writes, and plain values with integers beyond 64 bits, which msgpack does
    not have, in the JSON form that every LangGraph serializer reads."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        try:
            return super().dumps_typed(obj)
        except TypeError:
            if not _is_plain(obj):
                raise
            return "json", json.dumps(obj).encode()


def _is_plain(obj: Any) -> bool:
    """Whether JSON gives the value back as it was."""
    if type(obj) is dict:
        return "lc" not in obj and all(type(k) is str and _is_plain(v) for k, v in obj.items())
    if type(obj) is list:
        return all(map(_is_plain, obj))
    return obj is None or type(obj) in (bool, int, float, str)
