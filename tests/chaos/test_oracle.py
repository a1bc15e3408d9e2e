"""What the oracle must not let pass."""

from __future__ import annotations

import pytest

from dev_faults import KILLS, schedule
from journal import Asked, Execution
from load import nodes
from oracle import assert_executions, assert_frames, assert_said_once
from processes import Frame

FRAMES: list[Frame] = [("0", "metadata", {"attempt": 1}), ("1", "values", {}), ("2", "values", {"n": 1})]


def began(place: int, attempt: int, step: int) -> Execution:
    task = f"node{step}:task"
    return Execution(place, "run", attempt, step, task, f"node{step}", f"name{attempt}-{step}", 1, place, place)


def asked(durability: str = "async", hold: bool = False) -> Asked:
    return Asked("client", "thread", "chain", {"durability": durability, "input": {"hold": hold}}, run_id="run")


RETRIED = [began(10, 1, 1), began(20, 1, 2), began(30, 2, 2), began(40, 2, 3)]
"""Two attempts, of which the second goes on behind the checkpoint of the first step."""


def test_frames_without_a_fault_pass() -> None:
    assert_frames(FRAMES, FRAMES)
    assert_frames([], None)


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([FRAMES[0], FRAMES[2]], id="a gap"),
        pytest.param([*FRAMES, FRAMES[2]], id="a repetition"),
        pytest.param(FRAMES[1:], id="the first is missing"),
        pytest.param(FRAMES[:2], id="the last is missing"),
        pytest.param([*FRAMES[:2], ("2", "values", {"n": 2})], id="another content"),
    ],
)
def test_wrong_frames_are_found(frames: list[Frame]) -> None:
    with pytest.raises(AssertionError):
        assert_frames(frames, FRAMES)


def test_what_is_said_twice_is_found() -> None:
    said: list[Frame] = [*FRAMES, ("3", "custom", {"first": 0}), ("4", "custom", {"first": 1})]
    assert_said_once([*said, ("5", "metadata", {"attempt": 2}), ("6", "custom", {"first": 0})])
    with pytest.raises(AssertionError, match="again"):
        assert_said_once([*said, ("5", "custom", {"first": 0})])


@pytest.mark.parametrize("durability", ["async", "sync", "exit"])
def test_a_second_attempt_may_repeat_what_was_not_committed(durability: str) -> None:
    run = asked(durability)
    run.ends, run.durable = [(40, {})], [(25, "name1-1")]
    assert_executions(run, RETRIED)


def test_a_task_begins_once_in_an_attempt() -> None:
    with pytest.raises(AssertionError, match="2 times"):
        assert_executions(asked(), [*RETRIED, began(50, 2, 3)])


def test_what_was_in_a_checkpoint_is_not_repeated() -> None:
    run = asked()
    run.durable = [(25, "name1-2")]
    with pytest.raises(AssertionError, match="was in a checkpoint"):
        assert_executions(run, RETRIED)


def test_with_sync_no_step_before_one_that_began_is_repeated() -> None:
    lines = [*RETRIED, began(50, 3, 1)]
    assert_executions(asked("async"), lines)
    with pytest.raises(AssertionError, match="has begun step"):
        assert_executions(asked("sync"), lines)


@pytest.mark.parametrize("end", [25, 35])
def test_nothing_begins_behind_the_end(end: int) -> None:
    run = asked()
    run.ends = [(end, {})]
    with pytest.raises(AssertionError, match="and then"):
        assert_executions(run, RETRIED)


def test_no_attempt_begins_behind_a_cancel() -> None:
    run = asked()
    run.stopped = 25
    with pytest.raises(AssertionError, match="was over"):
        assert_executions(run, RETRIED)


@pytest.mark.parametrize("attempt", [1, 2])
def test_the_end_is_of_the_newest_attempt(attempt: int) -> None:
    run = asked()
    run.state, run.ends = "completed", [(60, {"steps": ["node1:name1-1", f"node2:name{attempt}-2"]})]
    lines = [began(10, 1, 1), began(20, 1, 2), began(30, 2, 2)]
    if attempt == 2:
        return assert_executions(run, lines)
    with pytest.raises(AssertionError, match="another attempt's"):
        assert_executions(run, lines)


def test_a_worker_that_was_stopped_may_begin_what_is_over() -> None:
    run = asked()
    run.ends, run.durable = [(40, {})], [(35, "name2-2")]
    stale = [began(50, 1, 1), began(60, 1, 2)]
    assert_executions(run, [*RETRIED[2:], *stale])
    with pytest.raises(AssertionError, match="was in a checkpoint"):
        assert_executions(run, [*RETRIED[2:], began(50, 3, 1)])


def test_nothing_begins_before_it_is_due() -> None:
    run = asked()
    run.due = run.due_time = 10
    assert_executions(run, RETRIED)
    run.due = 11
    assert_executions(run, RETRIED)
    run.due_time = 11
    with pytest.raises(AssertionError, match="was due"):
        assert_executions(run, RETRIED)


@pytest.mark.parametrize(
    "values",
    [
        {"steps": ["a:1", "b:1"], "pages": ["1 1", "1 1"]},
        {"steps": ["a:1", "b:2"], "pages": ["1 1"]},
        {"steps": ["a:1", "b:2"], "pages": ["1 1", "2 1"]},
    ],
)
def test_wrong_values_are_found(values: dict[str, list[str]]) -> None:
    with pytest.raises(AssertionError):
        nodes(values)


def test_a_schedule_follows_from_its_seed() -> None:
    strikes = schedule("7", 50)
    assert strikes == schedule("7", 50) != schedule("8", 50)
    assert len([strike for strike in strikes if strike.kind in KILLS]) == 50
    assert {strike.kind for strike in schedule("7", 200)} >= set(KILLS)
