"""A client that gets by with broken connections: what it may repeat it repeats, and what it may not it looks up."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx

from journal import GUARD, Asked, Journal
from processes import until
from readers import Reader

RETRY_SECONDS = 0.02


NO_ANSWER = (502, 503, 504)
"""Statuses by which a balancer or a server says that there is no answer now."""


class NoAnswer(Exception):
    """A request that was not answered. `may_be_done` is false where the server says that nothing was."""

    def __init__(self, why: str, *, may_be_done: bool) -> None:
        super().__init__(why)
        self.may_be_done = may_be_done


class WorkersLost(Exception):
    """A run has failed because each of its attempts lost its worker, which the faults may well bring about."""


class Client:
    """One client with a connection pool and a random of its own."""

    def __init__(self, name: str, url: str, journal: Journal, seed: str, settle: Callable[[], None]) -> None:
        """`settle` waits until what a request without an answer had begun is there, or will never be."""
        self.name, self.url, self.journal, self._settle = name, url, journal, settle
        self.rng = random.Random(f"{name} {seed}")
        self._tokens = 0
        self.http = httpx.Client(base_url=url, timeout=GUARD, trust_env=False)

    def sure(self, method: str, path: str, *also: int, **request: Any) -> httpx.Response:
        """A request that may be repeated, repeated until it is answered: with success, or a status of `also`."""
        end = time.monotonic() + GUARD
        while True:
            try:
                answer = self.once(method, path, **request)
                break
            except NoAnswer as error:
                assert time.monotonic() < end, f"{method} {path}: no answer within {GUARD:g} s: {error}"
                time.sleep(RETRY_SECONDS)
        assert answer.is_success or answer.status_code in also, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def once(self, method: str, path: str, *, stream: bool = False, **request: Any) -> httpx.Response:
        """A request that is not repeated, whose answer may be a refusal; raises NoAnswer."""
        try:
            answer = self.http.send(self.http.build_request(method, path, **request), stream=stream)
            if answer.status_code in NO_ANSWER:
                text = answer.read().decode(errors="replace")
        except httpx.TransportError as error:
            raise NoAnswer(repr(error), may_be_done=True) from error
        if answer.status_code in NO_ANSWER:
            # With Retry-After it is the server's own word, not the balancer's.
            refused = answer.status_code == 503 and "retry-after" in answer.headers
            self.journal.count(f"answers {answer.status_code}{' with Retry-After' if refused else ''}")
            raise NoAnswer(f"{answer.status_code} {text}", may_be_done=not refused)
        self.journal.event()
        return answer

    def settle(self, error: NoAnswer) -> None:
        """After it what the request has done can be looked up."""
        if error.may_be_done:
            self._settle()

    def thread(self) -> str:
        """A new thread. The client names it, so that it may ask again."""
        thread_id = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        self.journal.threads.add(thread_id)
        self.sure("POST", "/threads", json={"thread_id": thread_id, "if_exists": "do_nothing"})
        return thread_id

    def token(self) -> str:
        self._tokens += 1
        return f"{self.name}/{self._tokens}"

    def ask(self, thread_id: str, graph: str, how: str = "", **fields: Any) -> tuple[Asked, httpx.Response | None]:
        """Creates a run exactly once. A request that breaks before its head was read has made the run or has not:
        the client looks for it, and asks again only when it is not there. The run and, unless it was found in this
        way, the answer, whose body is not read yet."""
        modes = ["values", "updates", "custom"]
        body = {"assistant_id": graph, "stream_resumable": True, "stream_mode": modes, **fields}
        body.setdefault("durability", self.rng.choice(["async", "async", "sync", "sync", "exit"]))
        run = Asked(self.name, thread_id, graph, body)
        path = f"/threads/{thread_id}/runs{how}"
        answer = None
        while not run.run_id:
            run.tokens.append(self.token())
            named = {**body, "metadata": {"token": run.tokens[-1]}}
            try:
                answer = self.once("POST", path, stream=True, json=named)
            except NoAnswer as error:
                self.journal.say(self.name, f"{run.tokens[-1]}: no answer: {error}")
                self.settle(error)
                run.run_id = self._find(thread_id, run.tokens[-1])
                assert not run.run_id or error.may_be_done, f"{run} was made, and refused: {error}"
                continue
            assert answer.is_success, f"POST {path}: {answer.status_code} {answer.read()!r}"
            run.run_id = answer.headers["content-location"].rpartition("/")[2]
        self.journal.say(self.name, f"{run.tokens[-1]} is {run}, {body['durability']}{how}")
        self.journal.asked(run)
        return run, answer

    def _find(self, thread_id: str, token: str) -> str:
        """The run that a request with this token has made; none, and it never appears, when the result is empty."""
        runs = self.sure("GET", f"/threads/{thread_id}/runs", params={"limit": 1000}).json()
        for run in runs:
            if run["metadata"].get("token") == token:
                self.journal.count("lost answers, run made")
                return str(run["run_id"])
        self.journal.count("lost answers, run not made")
        self.journal.lost.add(token)
        return ""

    def start(self, thread_id: str, graph: str, **fields: Any) -> Asked:
        """A run in the background."""
        run, answer = self.ask(thread_id, graph, **fields)
        if answer is not None:
            answer.close()
        return run

    def join(self, run: Asked) -> Any:
        """Waits for the run's end; its values."""
        return self.ended(run, self.sure("GET", f"{run.path}/join").json())

    def wait(self, thread_id: str, graph: str, **fields: Any) -> tuple[Asked, Any]:
        """A run whose end is waited for in the request that makes it, or by a join when that breaks."""
        run, answer = self.ask(thread_id, graph, "/wait", **fields)
        if answer is None:
            return run, self.join(run)
        try:
            answer.read()
        except httpx.TransportError:
            return run, self.join(run)
        self.journal.event()
        return run, self.ended(run, answer.json())

    def ended(self, run: Asked, values: Any) -> Any:
        """Notes that the run's end was told; raises WorkersLost when that is why it failed."""
        run.ends.append((self.journal.place(), values))
        failed = values.get("__error__") if isinstance(values, dict) else None
        if failed and failed["error"] == "WorkerLost":
            run.states = frozenset({"failed"})
            self.journal.count("runs that lost all their workers")
            raise WorkersLost(str(run))
        assert failed is None, f"{run}: {failed}"
        return values

    def cancel(self, run: Asked, action: str) -> None:
        """Cancels and waits until the run has stopped. Repeated when it breaks, by when a rollback may be done."""
        run.states |= {"deleted"} if action == "rollback" else {"cancelled"}
        self.sure("POST", f"{run.path}/cancel", 404, params={"wait": 1, "action": action})
        run.stopped = self.journal.place()
        self.journal.say(self.name, f"{run} is cancelled ({action})")

    def state(self, run: Asked) -> str:
        """The state in which the server has the run; "deleted" when it has not."""
        answer = self.sure("GET", f"/api/v1/runs/{run.run_id}", 404)
        return "deleted" if answer.status_code == 404 else str(answer.json()["state"])

    def wait_idle(self, thread_id: str) -> None:
        """Waits until neither a run nor anything else holds the thread."""

        def is_idle() -> bool:
            return bool(self.sure("GET", f"/threads/{thread_id}").json()["status"] != "busy")

        until(is_idle, f"the end of what holds {thread_id}", GUARD)

    def history(self, thread_id: str) -> list[dict[str, Any]]:
        return list(self.sure("GET", f"/threads/{thread_id}/history", params={"limit": 100}).json())

    def watch(self, run: Asked) -> None:
        """Notes what the thread's newest checkpoint has."""
        values = self.sure("GET", f"/threads/{run.thread_id}/state").json()["values"] or {}
        place = self.journal.place()
        run.durable += [(place, step.partition(":")[2]) for step in values.get("steps", [])]

    def reader(self, run: Asked, *, leaves: bool, answer: httpx.Response | None = None) -> Reader:
        """A reader of the run's stream, from the start; from an open answer if there is one. With `leaves` it breaks
        its connection itself, too."""
        seed = self.rng.random() if leaves else None
        run.readers.append(Reader(f"{self.name}r{len(run.readers)}", self.url, self.journal, run, seed, answer))
        return run.readers[-1]
