"""What PostgreSQL reads for what is asked of it."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

from postgres import Database
from processes import Project, ServeServer

RUNS = 1000
ROWS_READ = """
    SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables
    WHERE seq_tup_read + coalesce(idx_tup_fetch, 0) > 0"""


def test_a_request_costs_the_same_however_much_a_table_has_grown(project: Project, migrated: Database) -> None:
    """A statement is planned when its tables are empty, and the plan is kept."""
    server = ServeServer(project, migrated.url)
    server.wait_workers()

    def create(number: int) -> None:
        thread_id = str(uuid.uuid4())
        later = {"after_seconds": 3600} if number % 5 else {}
        server.api.start(thread_id, "three_nodes", {"steps": []}, if_not_exists="create", **later)
        server.api.get(f"/threads/{thread_id}/state")
        server.api.get(f"/threads/{thread_id}/runs")

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(create, range(RUNS)))
    server.stop()  # its sessions tell what they have counted when they end
    lines = (line.split("|") for line in migrated.run(ROWS_READ).splitlines())
    read = {table: int(rows) / RUNS for table, rows in lines}
    assert read["runs"] > 1
    assert not {table: rows for table, rows in read.items() if rows > 60}, read
