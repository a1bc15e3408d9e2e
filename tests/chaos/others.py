"""What others do on the PostgreSQL server of a deployment: take its connections, lock its tables, and read much."""

from __future__ import annotations

import socket
from pathlib import Path

READY = b"Z\0\0\0\5I"
"""What ends the answer to whoever may have a session."""


class Crowd:
    """Sessions of nobody special, which do nothing, in another database than the deployment's."""

    def __init__(self, place: Path, role: str) -> None:
        """`place` is the server's Unix socket, on which it believes every name."""
        self._place = str(place)
        words = f"user\0{role}\0database\0postgres\0\0".encode()
        self._greeting = (len(words) + 8).to_bytes(4) + (3 << 16).to_bytes(4) + words
        self._sessions: list[socket.socket] = []

    def fill(self) -> None:
        """Takes what is left of the connections, but those that are kept for superusers."""
        while self._enter():
            pass

    def _enter(self) -> bool:
        session = socket.socket(socket.AF_UNIX)
        session.settimeout(30)
        session.connect(self._place)
        session.sendall(self._greeting)
        answer = b""
        while not answer.endswith(READY):
            told = session.recv(1 << 12)
            if not told:
                session.close()
                return False
            answer += told
        self._sessions.append(session)
        return True

    def leave(self) -> None:
        for session in self._sessions:
            session.close()
        self._sessions.clear()


LOCKS = [
    "LOCK TABLE runs IN SHARE ROW EXCLUSIVE MODE",
    "LOCK TABLE threads IN ACCESS EXCLUSIVE MODE",
    "LOCK TABLE outbox IN EXCLUSIVE MODE",
    "SELECT FROM leases FOR UPDATE",
]
"""For which what instances do has to wait: writes alone, reads, too, and those of rows that there are now."""


def read_for(seconds: float) -> str:
    """One transaction, which goes by one snapshot, and in it all that has happened is read again and again."""
    events = "SELECT payload FROM run_events UNION ALL SELECT payload FROM events"
    return (
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; DO $$ BEGIN "
        f"WHILE clock_timestamp() < now() + interval '{seconds:.3f} s' LOOP "
        f"PERFORM sum(length(payload)) FROM ({events}) AS e; PERFORM pg_sleep(0.2); "
        "END LOOP; END $$; COMMIT"
    )
