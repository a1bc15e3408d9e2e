"""The library's stream chunks as the frames of the API's stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from langchain_core.messages import BaseMessage, BaseMessageChunk, message_chunk_to_message

from . import jsonable
from .shapes import config_to_checkpoint, public_config, public_configurable

_SAME = ("values", "updates", "custom", "debug", "tasks", "checkpoints")
_HIDDEN = "langsmith:hidden"


class FrameSink(Protocol):
    """Where frames go: an event name with its namespace, and JSON."""

    def send_frame(self, event: str, data: bytes) -> None: ...


def library_modes(asked: Sequence[str]) -> list[str]:
    """The library's modes that give the asked ones."""
    modes = [mode for mode in _SAME if mode in asked]
    if "messages" in asked or "messages-tuple" in asked:
        modes.append("messages")
    if "messages" in asked and "values" not in modes:
        modes.append("values")  # a message is complete when the state holds it
    return modes


class FrameWriter:
    """Turns chunks into frames of the asked modes, in the library's order."""

    def __init__(self, sink: FrameSink, asked: Sequence[str], subgraphs: bool) -> None:
        self._sink = sink
        self._asked = frozenset(asked)
        self._subgraphs = subgraphs
        self._root_run: str | None = None
        self._partial: dict[str, Any] = {}
        self._complete: set[str] = set()
        self.root_ended = False
        """Whether the events have told that the root graph has ended."""

    def chunk(self, chunk: Any) -> None:
        """One element of ``astream`` with a list of modes: (mode, data), or (namespace, mode, data)."""
        namespace, mode, data = chunk if self._subgraphs else ((), *chunk)
        if mode == "messages":
            self._message(namespace, data)
        elif mode in self._asked:
            self._send(_named(mode, namespace), _CONVERSIONS.get(mode, _same)(data))
        if mode == "values" and not namespace and "messages" in self._asked:
            self._completed_in_state(data)

    def event(self, event: Mapping[str, Any]) -> None:
        """One record of ``astream_events``: what the root graph streams are chunks, all else is an ``events``
        frame."""
        if self._root_run is None and event["event"] == "on_chain_start":
            self._root_run = event["run_id"]
        if event["event"] == "on_chain_end" and event["run_id"] == self._root_run:
            self.root_ended = True
        if _HIDDEN in (event.get("tags") or ()):
            return
        if event["event"] == "on_chain_stream" and event["run_id"] == self._root_run:
            self.chunk(event["data"]["chunk"])
        else:
            self._send("events", event)

    def parent_command(self, command: Any) -> None:
        """The frame by which a RemoteGraph learns that the graph wants to steer its parent."""
        self._send(
            "command",
            {
                "graph": command.graph or "__parent__",
                "update": command.update,
                "goto": command.goto,
                "resume": command.resume,
            },
        )

    def _message(self, namespace: Sequence[str], data: tuple[Any, Mapping[str, Any]]) -> None:
        if "messages-tuple" in self._asked:
            self._send(_named("messages", namespace), data)
        message, metadata = data
        message_id = getattr(message, "id", None)
        if "messages" not in self._asked or not message_id or message_id in self._complete:
            return
        known = self._partial.get(message_id)
        if known is None:
            self._send("messages/metadata", {message_id: {"metadata": metadata}})
        if isinstance(message, BaseMessageChunk):
            whole = message if known is None else known + message
            self._partial[message_id] = whole
            self._send("messages/partial", [message_chunk_to_message(whole)])
        else:
            self._complete.add(message_id)
            self._send("messages/complete", [message])

    def _completed_in_state(self, values: Any) -> None:
        messages = values.get("messages") if isinstance(values, dict) else getattr(values, "messages", None)
        fresh = [
            m
            for m in (messages if isinstance(messages, list) else [messages])
            if isinstance(m, BaseMessage) and m.id and m.id not in self._complete
        ]
        if fresh:
            self._complete.update(m.id for m in fresh if m.id)
            self._send("messages/complete", fresh)

    def _send(self, event: str, data: Any) -> None:
        self._sink.send_frame(event, jsonable.dumps(data))


def _named(mode: str, namespace: Sequence[str]) -> str:
    return "|".join((mode, *namespace))


def _same(data: Any) -> Any:
    return data


def _debug(data: dict[str, Any]) -> dict[str, Any]:
    """A ``debug`` record with what the API adds to checkpoints: their places as checkpoint objects."""
    if data.get("type") != "checkpoint":
        return data
    payload = _checkpoint(data["payload"])
    payload["checkpoint"] = config_to_checkpoint(payload.get("config"))
    payload["parent_checkpoint"] = config_to_checkpoint(payload.get("parent_config"))
    payload["tasks"] = [_debug_task(task) for task in payload.get("tasks", ())]
    return {**data, "payload": payload}


def _debug_task(task: Mapping[str, Any]) -> dict[str, Any]:
    state = task.get("state")
    if not isinstance(state, Mapping) or not state.get("configurable"):
        return dict(task)
    return {**{k: v for k, v in task.items() if k != "state"}, "checkpoint": public_configurable(state)}


def _checkpoint(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **payload,
        "config": public_config(payload.get("config")),
        "parent_config": public_config(payload.get("parent_config")),
    }


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {"debug": _debug, "checkpoints": _checkpoint}
