"""What clients do in a storm. Each scenario judges the answers that it gets; what is left is judged by the oracle."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from client import Client, NoAnswer, WorkersLost
from cluster import Cluster
from journal import GUARD, Journal

CHAIN = ["first", "second", "third"]
ITEMS = 5
FAN = [*(f"work-{item}" for item in range(ITEMS)), "summary"]
APPROVAL = ["plan", "ask_a", "ask_b", "join"]
OVER = ("completed", "requires_action", "failed", "cancelled", "deleted")


def nodes(values: dict[str, Any]) -> list[str]:
    """The nodes whose updates the values hold, in their order. Each execution counts once, and its page is whole."""
    steps = [step.partition(":") for step in values.get("steps", [])]
    names = [name for _, _, name in steps]
    assert len(set(names)) == len(names), f"an execution counts twice: {values['steps']}"
    pages = [set(page.split()) for page in values.get("pages", [])]
    assert pages == [{name} for name in names], f"other pages than steps: {names} {values['pages']}"
    return [node for node, _, _ in steps]


def tokens(client: Client) -> dict[str, Any]:
    """An input of the chain."""
    return {"tokens": client.rng.choice([0, 2, 10, 30])}


def join(client: Client) -> None:
    run = client.start(client.thread(), "chain", input=tokens(client))
    values = client.join(run)
    assert nodes(values) == CHAIN, values
    assert client.join(run) == values


def delay(client: Client) -> None:
    """A run that is to begin later; not earlier, and not never."""
    seconds = client.rng.choice([1, 2, 4])
    thread_id = client.thread()
    asked_at, asked_time = time.monotonic(), time.time()
    run = client.start(thread_id, "chain", input=tokens(client), after_seconds=seconds)
    run.due, run.due_time = asked_at + seconds, asked_time + seconds
    assert nodes(client.join(run)) == CHAIN


def wait(client: Client) -> None:
    graph, names = client.rng.choice([("chain", CHAIN), ("fan", FAN)])
    given = tokens(client) if graph == "chain" else {"items": list(range(ITEMS))}
    _, values = client.wait(client.thread(), graph, input=given)
    assert nodes(values) == names, values
    assert graph == "chain" or values["total"] == sum(n * n for n in range(ITEMS)), values


def stream(client: Client) -> None:
    """Streams in the request that makes the run; comes back when that breaks, or by itself."""
    run, answer = client.ask(client.thread(), "chain", "/stream", input=tokens(client))
    reader = client.reader(run, leaves=client.rng.random() < 0.5, answer=answer)
    reader.wait_end()
    assert client.state(run) in OVER, f"{run}: the stream has ended before the run"
    assert nodes(client.join(run)) == CHAIN


def read_together(client: Client) -> None:
    """Several readers, of whom one leaves again and again, while the state is looked at."""
    run = client.start(client.thread(), "chain", input={"tokens": 30})
    readers = [client.reader(run, leaves=leaves) for leaves in (False, True)]
    while client.state(run) in ("queued", "in_progress"):
        client.watch(run)
    assert nodes(client.join(run)) == CHAIN
    for reader in readers:
        reader.wait_end()


def take_long(client: Client) -> None:
    """A run that outlives its lease where its worker stands still, and whatever else lasts some seconds. It always has
    something to say that is not yet stored."""
    run = client.start(client.thread(), "chain", input={"tokens": 60, "pause": 0.2})
    client.reader(run, leaves=False)
    assert nodes(client.join(run)) == CHAIN


def approve(client: Client) -> None:
    """Two questions, answered by one run or by one after the other. A question is answered once."""
    thread_id = client.thread()
    _, values = client.wait(thread_id, "approval", input={})
    resumes = client.rng.choice([[["ask_a", "ask_b"]], [["ask_a"], ["ask_b"]], [["ask_b"], ["ask_a"]]])
    asked = ["ask_a", "ask_b"]
    for answered in resumes:
        assert "__interrupt__" in values, values
        questions = open_questions(client, thread_id)
        assert sorted(questions) == asked, f"{thread_id} asks {questions}, not {asked}"
        resume = {questions[node]: f"yes-{node}" for node in answered}
        run, values = client.wait(thread_id, "approval", command={"resume": resume})
        client.reader(run, leaves=False)
        asked = [node for node in asked if node not in answered]
    assert nodes(values) == APPROVAL and values["result"] == "ask_a=yes-ask_a ask_b=yes-ask_b", values
    assert "__interrupt__" not in values, values


def open_questions(client: Client, thread_id: str) -> dict[str, str]:
    """What the thread asks: the id of each question."""
    thread = client.sure("GET", f"/threads/{thread_id}").json()
    assert thread["status"] == "interrupted", thread
    return {asked["value"]: asked["id"] for task in thread["interrupts"].values() for asked in task}


def ask_and_leave(client: Client) -> None:
    """A question that nobody answers is still there when everything is over."""
    thread_id = client.thread()
    run, _ = client.wait(thread_id, "approval", input={})
    run.states = frozenset({"requires_action"})
    assert sorted(open_questions(client, thread_id)) == ["ask_a", "ask_b"]


def cancel(client: Client) -> None:
    """A run that cannot end by itself, cancelled at once, at its first frame, or when it is held."""
    thread_id = client.thread()
    if client.rng.random() < 0.5:
        client.wait(thread_id, "chain", input=tokens(client))
    before = client.history(thread_id)
    run = client.start(thread_id, "chain", input={"hold": True, **tokens(client)})
    run.states = frozenset()
    reader = client.reader(run, leaves=False)
    reader.wait(client.rng.choice([lambda _: True, lambda frames: frames, is_held]))
    action = client.rng.choice(["interrupt", "rollback"])
    client.cancel(run, action)
    reader.wait_end()
    state = client.state(run)
    if state == "failed":
        raise WorkersLost(str(run))
    assert state == ("cancelled" if action == "interrupt" else "deleted"), f"{run} is {state}"
    if action == "rollback":
        assert client.history(thread_id) == before, f"{run} has left checkpoints"


def is_held(frames: list[Any]) -> bool:
    return any(data == {"second": "held"} for _, _, data in frames)


def cancel_anything(client: Client) -> None:
    """A cancel that comes while the run ends: either of the two is right, and stays so."""
    run = client.start(client.thread(), "chain", input=tokens(client))
    client.watch(run)
    action = client.rng.choice(["interrupt", "rollback"])
    client.cancel(run, action)
    state = client.state(run)
    assert state in run.states, f"{run} is {state}"
    run.states = frozenset({state})


def fork(client: Client) -> None:
    """A run from an earlier checkpoint of a finished one, whose checkpoints stay as they were."""
    thread_id = client.thread()
    client.wait(thread_id, "chain", input={"tokens": 2}, durability=client.rng.choice(["async", "sync"]))
    history = client.history(thread_id)
    origin = client.rng.choice([state for state in history if state["next"] and state["next"][0] in CHAIN])
    done = origin["values"].get("steps", [])
    _, values = client.wait(thread_id, "chain", input=None, checkpoint=origin["checkpoint"])
    assert nodes(values) == CHAIN, values
    assert values["steps"][: len(done)] == done, f"the fork has other steps than {done}: {values}"
    after = client.history(thread_id)
    assert after[-len(history) :] == history, f"the fork of {thread_id} has changed checkpoints"


def queue(client: Client) -> None:
    """Runs on one thread: one after the other, in the order in which they were made."""
    thread_id = client.thread()
    runs = [client.start(thread_id, "chain", input=tokens(client)) for _ in range(3)]
    ends = [client.join(run) for run in runs]
    for number, values in enumerate(ends, 1):
        assert nodes(values) == CHAIN * number, values
        assert values["steps"] == ends[-1]["steps"][: 3 * number]


def take_over(client: Client) -> None:
    """A run that stops the one before it on the same thread."""
    thread_id = client.thread()
    strategy = client.rng.choice(["interrupt", "rollback"])
    held = client.start(thread_id, "chain", input={"hold": True, **tokens(client)})
    held.states = frozenset({"cancelled" if strategy == "interrupt" else "deleted"})
    reader = client.reader(held, leaves=False)
    reader.wait(client.rng.choice([lambda _: True, lambda frames: frames, is_held]))
    if client.state(held) == "failed":
        held.states = frozenset({"failed"})
        raise WorkersLost(str(held))
    run = client.start(thread_id, "chain", input={"hold": False}, multitask_strategy=strategy)
    values = client.join(run)
    assert nodes(values) in (CHAIN, ["first", *CHAIN] if strategy == "interrupt" else CHAIN), values


def temporary(client: Client) -> None:
    """A run without a thread, which is gone when it is over. Without an answer there is nobody to ask for it."""
    token = client.token()
    client.journal.temporary.add(token)
    body = {"assistant_id": "chain", "input": tokens(client), "metadata": {"token": token}}
    try:
        answer = client.once("POST", "/runs/wait", json=body)
    except NoAnswer:
        return
    assert answer.is_success, answer.text
    values = answer.json()
    if values.get("__error__", {}).get("error") == "WorkerLost":
        raise WorkersLost(token)
    assert nodes(values) == CHAIN, values


def edit(client: Client) -> None:
    """A state written from outside, exactly once: while it is being written the thread is busy, and then it is there
    or never comes."""
    thread_id = client.thread()
    client.wait(thread_id, "chain", input=tokens(client))
    path, by_hand, written = f"/threads/{thread_id}/state", "", False
    while not written:
        by_hand = client.token()
        update = {"steps": [f"hand:{by_hand}"], "pages": [by_hand]}
        try:
            answer = client.once("POST", path, json={"values": update, "as_node": "third"})
            assert answer.is_success or answer.status_code == 409, answer.text
            answered = answer.is_success
        except NoAnswer as error:
            answered = False
            client.settle(error)
        client.wait_idle(thread_id)
        steps = client.sure("GET", path).json()["values"]["steps"]
        written = steps[3:] == [f"hand:{by_hand}"]
        assert written or (not answered and len(steps) == 3), f"{answered} {by_hand}: {steps}"
    client.journal.by_hand.add(f"hand:{by_hand}")
    _, values = client.wait(thread_id, "chain", input={"tokens": 0})
    assert nodes(values) == [*CHAIN, "hand", *CHAIN], values


SCENARIOS: dict[Callable[[Client], None], int] = {
    join: 3,
    delay: 2,
    wait: 4,
    stream: 5,
    read_together: 3,
    approve: 4,
    ask_and_leave: 1,
    cancel: 4,
    cancel_anything: 3,
    fork: 3,
    queue: 2,
    edit: 3,
    take_over: 2,
    temporary: 1,
}


PATIENT = 4
"""How many clients take long runs only: some are under way whatever strikes."""


class Load:
    """Clients that go from scenario to scenario until they are told to stop."""

    def __init__(self, cluster: Cluster, journal: Journal, seed: str, clients: int) -> None:
        self._journal = journal
        self._stopped = threading.Event()
        made = [Client(f"client{n}", cluster.url, journal, seed, cluster.settle) for n in range(clients + PATIENT)]
        lives = [(client, SCENARIOS if n < clients else {take_long: 1}) for n, client in enumerate(made)]
        self._threads = [threading.Thread(target=self._live, args=life, daemon=True) for life in lives]
        for thread in self._threads:
            thread.start()

    def _live(self, client: Client, scenarios: dict[Callable[[Client], None], int]) -> None:
        scenario: Callable[[Client], None] = join
        try:
            while not self._stopped.is_set():
                scenario = client.rng.choices(list(scenarios), list(scenarios.values()))[0]
                self._journal.count(f"scenario {scenario.__name__}")
                try:
                    scenario(client)
                except WorkersLost as lost:
                    self._journal.say(client.name, f"all workers lost: {lost}")
        except Exception as error:  # noqa: BLE001 - told by the storm's thread
            self._journal.say(client.name, traceback.format_exc())
            self._journal.fail(client.name, f"{scenario.__name__}: {error!r}")

    def finish(self) -> None:
        """Waits until every client has done what it was doing."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(3 * GUARD)
            assert not thread.is_alive(), "a client does not come to an end"
