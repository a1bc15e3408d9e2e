"""What must hold of a deployment besides: of its database, of NATS, and of the instances themselves."""

from __future__ import annotations

from collections import defaultdict

from audit import assert_clean_postgres, rebuild_postgres
from deployment import INSTANCES, Deployment
from events import assert_in_order, ids, stored
from journal import GUARD, Journal
from oracle import TERMINAL, Oracle, assert_ends
from postgres import psql
from processes import until

MEMORY = 512 << 20
FILES, LOCKS = 400, 12
"""Far more than an instance needs, and far less than one that leaks has after a storm."""

KEPT = """SELECT relname, n_dead_tup, pg_size_pretty(pg_total_relation_size(relid)) FROM pg_stat_user_tables
    WHERE n_dead_tup > 50 + n_live_tup / 5
      OR relname IN ('outbox', 'leases', 'workers') AND pg_total_relation_size(relid) > 4 << 20"""
"""Tables with more dead rows than autovacuum puts up with, and those whose rows come and go that are large: in the
outbox some 25 000 dead rows, of 70 bytes in its index, come together until autovacuum has been there."""


class DeploymentOracle(Oracle):
    def __init__(self, deployment: Deployment, journal: Journal) -> None:
        super().__init__(deployment.url, journal, loses_wakeups=True)
        self._deployment = deployment

    def wait_idle(self) -> None:
        super().wait_idle()
        waiting = "SELECT (SELECT count(*) FROM outbox) + count(refill_since) FROM outbox_state"
        self._until_zero(waiting, "events that NATS is still to be told")
        self._until_zero("SELECT count(*) FROM leases", "leases that nobody needs any more")
        alive = f"SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND {self._here}"
        self._until_zero(alive, "transactions that nobody ends")

    @property
    def _here(self) -> str:
        return f"datname = '{self._deployment.database.name}'"

    def _until_zero(self, sql: str, what: str) -> None:
        database = self._deployment.database
        until(lambda: database.run(sql).strip() == "0", lambda: f"{database.run(sql).strip()} {what}", GUARD)

    def judge(self) -> None:
        super().judge()
        for part in (self._sessions, self._locks, self._events, self._sizes, self._tables):
            try:
                part()
            except AssertionError as error:
                self._journal.fail("oracle", str(error))

    def _sessions(self) -> None:
        """Those of workers that live, and no others."""
        deployment = self._deployment

        def dead() -> set[int]:
            return set(deployment.sessions()) - set(deployment.workers())

        until(lambda: not dead(), lambda: f"sessions of workers that have ended: {dead()}", GUARD)

    def _locks(self) -> None:
        """Each instance has a session for its locks, and one for what all agree on; nobody else holds any. An instance
        that was not heard for three seconds, on a machine that is busy, takes them anew."""
        sql = f"""SELECT count(DISTINCT pid), count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
            WHERE locktype = 'advisory' AND {self._here}"""

        def held() -> tuple[int, int]:
            holders, _, locks = self._deployment.database.run(sql).strip().partition("|")
            return int(holders), int(locks)

        def is_right(holders: int, locks: int) -> bool:
            return INSTANCES <= holders <= 2 * INSTANCES and locks <= LOCKS * INSTANCES

        until(
            lambda: is_right(*held()),
            lambda: f"{held()[0]} sessions hold {held()[1]} locks of {INSTANCES} instances",
            GUARD,
        )

    def _events(self) -> None:
        """The leader deletes threads of temporary runs when it comes to it, so there may be new ones still."""
        nats, wanted = self._deployment.nats, stored(self._deployment.database)

        def missing() -> list[str]:
            return sorted(wanted - set(ids(nats.events())))

        until(lambda: not missing(), lambda: f"NATS was not told {len(missing())}: {missing()[:10]}", GUARD)
        assert_in_order(nats.events())

    def _sizes(self) -> None:
        for instance in self._deployment.instances:
            memory, files = instance.size()
            assert memory < MEMORY and files < FILES, f"{instance} has {memory >> 20} MiB and {files} open files"

    def _tables(self) -> None:
        """Nobody holds on to what is dead, and what comes and goes has left no room behind."""
        url = self._deployment.database.operator_url

        def kept() -> str:
            psql(url, "-c", "VACUUM")
            return psql(url, "-c", KEPT)

        until(lambda: not kept(), lambda: f"tables that keep too much, with their dead rows:\n{kept()}", GUARD)


def judge_database(deployment: Deployment, journal: Journal) -> None:
    """When no instance serves it any more: everything fits together, and the read tables follow from the events."""
    database = deployment.database
    ends: dict[str, list[str]] = defaultdict(list)
    kinds = ", ".join(f"'{kind}'" for kind in TERMINAL)
    rows = database.run(f"SELECT run_id, event_type FROM run_events WHERE event_type IN ({kinds})")
    for row in rows.splitlines():
        run_id, _, kind = row.partition("|")
        ends[run_id].append(kind)
    try:
        assert_ends(journal, ends)
        for program in deployment.releases:
            assert_clean_postgres(deployment.project, database.url, DURAGRAPH_BIN=program)
        rebuilt = rebuild_postgres(deployment.project, database.url, DURAGRAPH_BIN=deployment.releases[-1])
        changed = {table: counts for table, counts in rebuilt.items() if any(counts.values())}
        assert not changed, f"a rebuild has changed {changed}"
    except AssertionError as error:
        journal.fail("database", str(error))
