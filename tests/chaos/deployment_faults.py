"""What strikes a deployment: its instances, PostgreSQL, NATS, and what is between them."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from functools import partial

from deployment import Deployment, Instance
from faults import Faults, Strike, strike
from journal import GUARD, Journal
from others import LOCKS, Crowd, read_for
from postgres import Session, psql
from processes import until
from wire import Point, Proxy

HOUR = 3600
LATENCY = 0.2
KINDS = {
    "kill a worker": 1,
    "kill two workers": 1,
    "kill a supervisor": 1,
    "kill all workers": 1,
    "pause a worker for less than its lease": 1,
    "pause a worker until its lease is lost": 1,
    "pause a supervisor": 1,
    "kill an instance": 2,
    "kill two instances": 1,
    "kill all instances": 1,
    "stop an instance": 1,
    "pause an instance": 1,
    "pause an instance for longer than a lease": 1,
    "kill an instance before COMMIT": 1,
    "kill an instance after COMMIT": 1,
    "kill an instance when COMMIT is answered": 1,
    "kill an instance that has published": 1,
    "kill an instance that heard that it has published": 1,
    "lose the answer to COMMIT": 2,
    "lose COMMIT": 1,
    "restart PostgreSQL": 1,
    "crash PostgreSQL": 1,
    "end the sessions of PostgreSQL": 1,
    "fill the disk": 1,
    "take the connections of PostgreSQL": 1,
    "lock a table": 1,
    "read in one long transaction": 1,
    "kill NATS": 1,
    "take NATS away": 1,
    "wipe NATS": 1,
    "fill the disk of NATS": 1,
    "cut an instance off": 1,
    "cut an instance off PostgreSQL": 1,
    "cut an instance off NATS": 1,
    "slow the network of an instance down": 1,
    "break all connections while an instance stands still": 1,
    "move a clock": 2,
}
"""How often each strikes in one round."""


def rounds(seed: str) -> Iterator[list[Strike]]:
    """Endless. Each has every kind, shuffled."""
    rng = random.Random(f"deployment {seed}")
    while True:
        kinds = [kind for kind, times in KINDS.items() for _ in range(times)]
        rng.shuffle(kinds)
        yield [strike(rng, kind) for kind in kinds]


class DeploymentFaults(Faults):
    def __init__(self, deployment: Deployment, journal: Journal, strikes: Iterator[Strike], longest_away: float) -> None:
        """`longest_away` is for how many seconds NATS is away at most."""
        super().__init__(deployment, journal, strikes)
        self._all, self._longest_away = deployment, longest_away
        self._busy: set[Instance] = set()
        """Those that something is done to: a second fault would end with the first."""
        self._postgres, self._nats = threading.Lock(), threading.Lock()

    def kinds(self) -> dict[str, Callable[[Strike], None]]:
        ambushes = {
            "kill an instance before COMMIT": (Point.before_commit, True),
            "kill an instance after COMMIT": (Point.after_commit, True),
            "kill an instance when COMMIT is answered": (Point.commit_answered, True),
            "kill an instance that has published": (Point.published, True),
            "kill an instance that heard that it has published": (Point.ack_passed, True),
            "lose the answer to COMMIT": (Point.after_commit, False),
            "lose COMMIT": (Point.before_commit, False),
        }
        return (
            self._of_workers()
            | {name: partial(self._ambush, point=point, kill=kill) for name, (point, kill) in ambushes.items()}
            | {
                "kill all workers": self._replace_workers,
                "pause a supervisor": self._pause_supervisor,
                "kill an instance": partial(self._kill, count=1),
                "kill two instances": partial(self._kill, count=2),
                "kill all instances": partial(self._kill, count=3),
                "stop an instance": self._stop,
                "pause an instance": lambda strike: self._pause(strike, 0.05 + 3 * strike.share),
                "pause an instance for longer than a lease": lambda strike: self._pause(strike, 11 + 3 * strike.share),
                "restart PostgreSQL": partial(self._restart_postgres, mode="fast"),
                "crash PostgreSQL": partial(self._restart_postgres, mode="immediate"),
                "end the sessions of PostgreSQL": self._end_sessions,
                "fill the disk": self._fill_disk,
                "take the connections of PostgreSQL": self._take_connections,
                "lock a table": self._lock,
                "read in one long transaction": self._read_for_long,
                "kill NATS": lambda _: self._restart_nats(0, wiped=False),
                "take NATS away": lambda strike: self._restart_nats(self._longest_away * strike.share, wiped=False),
                "wipe NATS": lambda strike: self._restart_nats(strike.share, wiped=True),
                "fill the disk of NATS": self._fill_disk_of_nats,
                "cut an instance off": self._cut_off,
                "cut an instance off PostgreSQL": partial(self._impair, how=Proxy.stall, which=lambda i: [i.postgres]),
                "cut an instance off NATS": partial(self._impair, how=Proxy.stall, which=lambda i: [i.nats]),
                "slow the network of an instance down": partial(self._impair, how=lambda way: way.slow_down(LATENCY)),
                "break all connections while an instance stands still": self._restart_balancer,
                "move a clock": self._move_clock,
            }
        )

    # --- workers ---

    def _replace_workers(self, _: Strike) -> None:
        self._kill_all_workers()
        self._start_supervisors()

    def _pause_supervisor(self, strike: Strike) -> None:
        """For longer than the leases of its workers, which go on."""
        supervisor = self._all.supervisors[strike.target % len(self._all.supervisors)]
        supervisor.signal(signal.SIGSTOP)

        def resume() -> None:
            time.sleep(11 + 2 * strike.share)
            if supervisor.process.poll() is None:
                supervisor.signal(signal.SIGCONT)

        self._begin_pause(f"supervisor {supervisor.pid}", resume)

    # --- instances ---

    def _take(self, strike: Strike, among: list[Instance] | None = None) -> Instance:
        """One that nothing else is done to, as soon as there is one."""

        def free() -> list[Instance]:
            return [instance for instance in among or self._all.instances if instance not in self._busy]

        until(free, "an instance that nothing is done to", GUARD)
        taken = free()[strike.target % len(free())]
        self._busy.add(taken)
        return taken

    def _release(self, instance: Instance) -> None:
        until(instance.is_ready, lambda: f"{instance}\n{instance.program.output}", GUARD)
        self._busy.discard(instance)

    def _kill(self, strike: Strike, count: int) -> None:
        taken = [self._take(strike) for _ in range(count)]
        for instance in taken:
            instance.kill()
        for instance in taken:
            self._all.start(instance)
            self._begin_pause(str(instance), partial(self._release, instance))

    def _stop(self, strike: Strike) -> None:
        instance = self._take(strike)
        instance.program.signal(signal.SIGTERM)

        def resume() -> None:
            code = instance.program.wait(GUARD)
            assert code == 0, f"ended with {code}:\n{instance.program.output}"
            self._all.start(instance)
            self._release(instance)

        self._begin_pause(str(instance), resume)

    def _pause(self, strike: Strike, seconds: float) -> None:
        instance = self._take(strike)
        instance.program.signal(signal.SIGSTOP)

        def resume() -> None:
            time.sleep(seconds)
            instance.program.signal(signal.SIGCONT)
            self._release(instance)

        self._begin_pause(str(instance), resume)

    def _ambush(self, strike: Strike, point: Point, kill: bool) -> None:
        instance = self._take(strike)
        struck = threading.Event()

        def strike_it() -> None:
            if kill:
                instance.kill()
            struck.set()

        proxy = instance.nats if point in (Point.published, Point.ack_passed) else instance.postgres
        ambush = proxy.lie_in_wait(point, strike_it)

        def wait() -> None:
            if not struck.wait(GUARD / 4):
                proxy.give_up(ambush)
            self._journal.count(f"ambushes {'that struck' if struck.is_set() else 'that nobody came by'}")
            if kill and struck.is_set():
                self._all.start(instance)
            self._release(instance)

        self._begin_pause(f"{instance}, {point.value}", wait)

    def _for_a_while(
        self, free: threading.Lock, what: str, seconds: float, begin: Callable[[], None], end: Callable[[], None]
    ) -> None:
        """Does something to what nothing else is done to until it is over."""
        if not free.acquire(timeout=GUARD):
            raise AssertionError(f"{what} is not given free")
        begin()

        def mend() -> None:
            try:
                time.sleep(seconds)
                end()
            finally:
                free.release()

        self._begin_pause(what, mend)

    # --- PostgreSQL ---

    def _restart_postgres(self, _: Strike, mode: str) -> None:
        with self._postgres:
            self._all.postgres.restart(mode)

    def _end_sessions(self, strike: Strike) -> None:
        with self._postgres:
            for _ in range(1 + int(4 * strike.share)):
                psql(self._all.postgres.url, "-c", self._end_all_sessions)

    @property
    def _end_all_sessions(self) -> str:
        found = f"FROM pg_stat_activity WHERE datname = '{self._all.database.name}'"
        return f"SET client_min_messages = error; SELECT pg_terminate_backend(pid) {found}"

    def _fill_disk(self, strike: Strike) -> None:
        postgres = self._all.postgres
        if not postgres.disk.can_be_filled:
            return self._journal.count("disks that could not be filled")
        seconds = 0.5 + 4 * strike.share
        self._for_a_while(self._postgres, "PostgreSQL", seconds, postgres.disk.fill, postgres.empty_disk)

    def _take_connections(self, strike: Strike) -> None:
        """All of them, so that instances that have lost theirs get no others."""
        crowd = Crowd(self._all.postgres.socket, self._all.database.name)

        def take() -> None:
            # Later there may be no room for an operator, either.
            with closing(Session(self._all.postgres.url)) as operator:
                for _ in range(4):
                    operator.run(self._end_all_sessions)
                    crowd.fill()

        self._for_a_while(self._postgres, "PostgreSQL", 1 + 4 * strike.share, take, crowd.leave)

    def _lock(self, strike: Strike) -> None:
        lock, sessions = LOCKS[strike.target % len(LOCKS)], ExitStack()

        def begin() -> None:
            session = sessions.enter_context(closing(Session(self._all.database.operator_url)))
            session.run(f"BEGIN; {lock}")

        self._for_a_while(self._postgres, lock, 1 + 5 * strike.share, begin, sessions.close)

    def _read_for_long(self, strike: Strike) -> None:
        end = time.monotonic() + 10 + 20 * strike.share

        def read() -> None:
            while (left := end - time.monotonic()) > 0:
                with suppress(AssertionError):  # its session may be ended, too
                    psql(self._all.database.operator_url, "-c", read_for(left))

        self._begin_pause("a long transaction", read)

    # --- NATS ---

    def _restart_nats(self, seconds: float, *, wiped: bool) -> None:
        def end() -> None:
            self._all.nats.kill()
            if wiped:
                self._all.nats.wipe()

        self._for_a_while(self._nats, "NATS", seconds, end, self._all.nats.start)

    def _fill_disk_of_nats(self, strike: Strike) -> None:
        nats = self._all.nats
        if not nats.disk.can_be_filled:
            return self._journal.count("disks that could not be filled")
        self._for_a_while(self._nats, "NATS", 0.5 + 4 * strike.share, nats.disk.fill, nats.empty_disk)

    # --- what is between them ---

    def _cut_off(self, strike: Strike) -> None:
        """The link of an instance goes down; without one, all that its proxies pass on stands still."""
        namespace = self._all.namespace
        if not namespace:
            return self._impair(strike, Proxy.stall)
        instance = self._take(strike, self._all.instances[:1])
        namespace.down()

        def mend() -> None:
            time.sleep(1 + 11 * strike.share)
            namespace.up()
            self._release(instance)

        self._begin_pause(f"the link of {instance}", mend)

    def _impair(
        self,
        strike: Strike,
        how: Callable[[Proxy], None],
        which: Callable[[Instance], list[Proxy]] = lambda instance: [instance.postgres, instance.nats],
    ) -> None:
        instance = self._take(strike)
        proxies = which(instance)
        for proxy in proxies:
            how(proxy)

        def mend() -> None:
            time.sleep(1 + 11 * strike.share)
            for proxy in proxies:
                proxy.flow()
            self._release(instance)

        self._begin_pause(f"the way of {instance}", mend)

    def _restart_balancer(self, strike: Strike) -> None:
        """What the instance was told last it reads when those who said it have gone on elsewhere."""
        instance = self._take(strike)
        instance.program.signal(signal.SIGSTOP)
        time.sleep(0.2 + strike.share)
        self._all.balancer.restart()

        def resume() -> None:
            time.sleep(1 + 3 * strike.share)
            instance.program.signal(signal.SIGCONT)
            self._release(instance)

        self._begin_pause(str(instance), resume)

    def _move_clock(self, strike: Strike) -> None:
        self._all.set_clock([HOUR, -HOUR, 0][strike.target % 3])
