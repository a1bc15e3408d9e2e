"""A deployment as in production: instances of `duragraph serve` over PostgreSQL and NATS, behind a balancer."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import httpx

import net_namespace
from balancers import Balancer
from cluster import Cluster
from journal import GUARD
from nats_server import NatsServer
from next_release import next_program
from own_postgres import OwnPostgres
from postgres import Database, psql
from processes import ROOT, WORKER_TOKEN, Program, Project, binary, free_port, migrate, until
from wire import Loop, NatsTap, PostgresTap, Proxy

INSTANCES = 3
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


def _real_timers() -> Path:
    """The newest that was built; what it does is the same in each."""
    built = list(ROOT.glob("build/*/tests/real_timers/libreal_timers.so"))
    assert built, "there is no libreal_timers.so: build it"
    return max(built, key=lambda path: path.stat().st_mtime)


class Instance:
    """One `duragraph serve`, with proxies of its own in front of PostgreSQL and NATS. It keeps its address."""

    def __init__(self, project: Project, loop: Loop, database: Database, nats: NatsServer) -> None:
        self.project = project
        self._within: list[str] = []
        self._environment: dict[str, str] = {}
        self._place("127.0.0.1", "127.0.0.1")
        self._made = (loop, database, nats)

    def _place(self, host: str, balancer: str) -> None:
        self.host, self._balancer = host, balancer
        self.port = free_port()
        self.address = f"{host}:{self.port}"
        self.url = f"http://{self.address}"

    def settle_in(self, namespace: net_namespace.NetNamespace) -> None:
        """It runs at the other end of a link."""
        self._within = namespace.within
        self._place(namespace.inside, namespace.outside)

    def fake_clock(self, file: Path) -> None:
        """Its wall clock differs from the machine's by what the file says; the steady one does not."""
        self._environment = {
            "LD_PRELOAD": f"{_real_timers()} {FAKETIME}",
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def run_from_now_on(self, program: str) -> None:
        """What it is from its next start."""
        self._environment["DURAGRAPH_BIN"] = program

    def connect(self) -> None:
        """Makes its proxies."""
        loop, database, nats = self._made
        self.postgres = Proxy(loop, self._balancer, database.port, PostgresTap)
        self.nats = Proxy(loop, self._balancer, nats.port, NatsTap)
        place = f"{database.host}:{database.port}"
        assert place in database.url
        self._environment |= {
            "DATABASE_URL": database.url.replace(place, self.postgres.address),
            "DURAGRAPH_WORKER_TOKEN": WORKER_TOKEN,
            "NATS_URL": f"nats://{self.nats.address}",
            "DURAGRAPH_TRUSTED_PROXIES": self._balancer,
        }

    def start(self) -> None:
        flags = ["--host", self.host, "--port", str(self.port)]
        self.program = Program(self.project, "serve", *flags, within=self._within, **self._environment)

    def kill(self) -> None:
        """At once, from any thread."""
        with suppress(ProcessLookupError):
            os.kill(self.program.pid, signal.SIGKILL)

    def is_ready(self) -> bool:
        assert self.program.process.poll() is None, f"{self} has ended:\n{self.program.output}"
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/readyz", trust_env=False, timeout=5).status_code == 200
        return False

    def size(self) -> tuple[int, int]:
        """Its memory in bytes, and how many files it has open."""
        folder = Path(f"/proc/{self.program.pid}")
        pages = int((folder / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE"), len(list((folder / "fd").iterdir()))

    def __str__(self) -> str:
        return f"instance {self.address}"


class Deployment(Cluster):
    """Instance 0 is at the other end of a link where namespaces can be made; the clock of instance 1 is another."""

    worker_environment = {"DURAGRAPH_WORKER_TOKEN": WORKER_TOKEN}
    releases: list[str]
    """Programs that serve it, or may; the last one has its schema."""

    def __init__(self, project: Project, kind: str, *, mixed: bool = False) -> None:
        """`mixed`: the last instance is of the next release, which has brought its schema."""
        self.project = project
        self.loop = Loop()
        self.postgres = OwnPostgres()
        self.nats = NatsServer(small_disk=True)
        self.database = Database(self.postgres)
        migrate(project, self.database.url)
        self.releases = [str(binary())]
        self.instances = [Instance(project, self.loop, self.database, self.nats) for _ in range(INSTANCES)]
        self.namespace = net_namespace.NetNamespace() if net_namespace.can_be_made() else None
        if self.namespace:
            self.instances[0].settle_in(self.namespace)
        self._clock = project.base / "clock"
        self.set_clock(0)
        self.instances[1].fake_clock(self._clock)
        if mixed:
            self.upgrade()
            self.instances[-1].run_from_now_on(self.releases[-1])
        for instance in self.instances:
            instance.connect()
            instance.start()
        self.balancer = Balancer(kind, [instance.address for instance in self.instances])
        super().__init__(project, self.balancer.url)

    def servers(self) -> list[Program]:
        return [instance.program for instance in self.instances]

    def start(self, instance: Instance) -> None:
        """Again, after it has ended in whatever way."""
        instance.program.wait(GUARD)
        self.output.append(instance.program.output)
        instance.start()

    def upgrade(self) -> None:
        """Brings the schema of the next release."""
        self.releases.append(next_program())
        migrate(self.project, self.database.url, DURAGRAPH_BIN=self.releases[-1])

    def set_clock(self, seconds: int) -> None:
        """Moves the wall clock of the instance whose clock is not the machine's."""
        new = self._clock.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self._clock)

    def wait_server(self) -> None:
        for instance in self.instances:
            until(instance.is_ready, lambda: f"{instance}\n{instance.program.output}", GUARD)

    def settle(self) -> None:
        """What an instance sent before it died PostgreSQL may commit later, but only in a transaction that it has begun
        by now. One that runs on gives up what it could not write in 30 seconds."""
        open_now = until(self._transactions, "PostgreSQL's answer", GUARD)
        assert open_now is not None

        def over() -> bool:
            now = self._transactions()
            return now is not None and not now[0] & open_now[0]

        until(over, "the end of transactions", GUARD)

    def _transactions(self) -> tuple[set[str]] | None:
        """Those of instances that are under way; none where PostgreSQL does not answer."""
        sql = "SELECT pid || ' ' || xact_start FROM pg_stat_activity WHERE xact_start IS NOT NULL AND "
        with suppress(AssertionError):
            return (set(psql(self.postgres.url, "-c", f"{sql} usename = '{self.database.name}'").splitlines()),)
        return None

    def heal(self) -> None:
        self.set_clock(0)
        for instance in self.instances:
            instance.postgres.flow()
            instance.nats.flow()
        super().heal()

    def stop(self) -> None:
        super().stop()
        self.balancer.close()
        self.loop.close()
        if self.namespace:
            self.namespace.close()

    def close(self) -> None:
        """After `stop`: what it had stored, too."""
        self.nats.close()
        self.postgres.close()
