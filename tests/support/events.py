"""What a database has stored of events, and what NATS was told of them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from postgres import Database


def stored(database: Database) -> set[str]:
    """The message ids of all events that the database has."""
    rows = database.run(
        "SELECT aggregate_type || ':' || aggregate_id || ':' || event_version FROM events UNION ALL "
        "SELECT 'run:' || run_id || ':' || event_version FROM run_events"
    )
    return set(rows.split())


def ids(messages: list[Any]) -> list[str]:
    return [message.headers["Nats-Msg-Id"] for message in messages]


def assert_in_order(messages: list[Any]) -> None:
    """Of each aggregate, what a consumer sees that passes over what it has seen."""
    last: dict[str, int] = defaultdict(int)
    for message in messages:
        aggregate, _, version = message.headers["Nats-Msg-Id"].rpartition(":")
        assert int(version) <= last[aggregate] + 1, _about(aggregate, messages)
        last[aggregate] = max(last[aggregate], int(version))


def _about(aggregate: str, messages: list[Any]) -> str:
    places = [f"{id} at {place}" for place, id in enumerate(ids(messages)) if id.startswith(f"{aggregate}:")]
    return f"out of order, among {len(messages)}: {', '.join(places)}"
