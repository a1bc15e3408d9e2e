"""How many connections to PostgreSQL an instance has, whatever is asked of it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from postgres import Database
from processes import Api, Project, ServeServer, until

POOL = 6
READERS = POOL - 3
MORE = 5
"""What comes on top, as docs/configuration.md says: of locks and partitions two each, and one of events."""
LASTING = POOL + 3
"""Those that stay: all but the two of partitions."""
CLIENTS = 32


def test_an_instance_has_as_many_as_it_says(project: Project, migrated: Database) -> None:
    # The secret, of which instances have to agree, is what the second lock is about.
    settings = {"DB_POOL_SIZE": str(POOL), "JWT_SECRET": "a-secret-of-tests-with-32-bytes-or-more"}
    counted = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{migrated.name}'"
    counts: list[int] = []
    over = threading.Event()

    def count() -> None:
        while not over.is_set():
            counts.append(int(migrated.superuser(counted)))

    def use(_: int) -> None:
        api = Api(server.url)
        while not over.is_set():
            thread_id = api.thread()
            api.join(thread_id, api.start(thread_id, "three_nodes", {"steps": []}))
            api.post("/threads/search", {"limit": 100})
            api.history(thread_id)

    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        counting = pool.submit(count)  # from the start on, which asks for more at once than later work
        try:
            server = ServeServer(project, migrated.url, **settings)
            server.wait_workers()
            assert server.api.gauge("duragraph_database_connections_max") == READERS
            used = [pool.submit(use, n) for n in range(CLIENTS)]
            until(lambda: len(counts) > 10 and max(counts) >= LASTING, lambda: f"{LASTING} connections, not {counts}")
            seen = len(counts)
            until(lambda: len(counts) > seen + 20, "twenty more looks")
        finally:
            over.set()
    for done in (*used, counting):
        done.result()
    assert LASTING <= max(counts) <= POOL + MORE, counts
