"""The graphs in loops of one process, with LangGraph's saver in memory: what no server can beat.

Usage: bare.py runs SECONDS, or bare.py tokens SECONDS STREAMS TOKENS_PER_SECOND. Prints one line of JSON.
"""

import asyncio
import json
import sys
import time

from graphs import build_steps, build_tokens
from langgraph.checkpoint.memory import InMemorySaver

CLIENTS = 32


def one_after_another(seconds: float) -> tuple[float, float]:
    """The median time of a run in milliseconds, and runs per second."""
    graph = build_steps().compile(checkpointer=InMemorySaver())
    times: list[float] = []
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        graph.invoke({"steps": []}, {"configurable": {"thread_id": str(len(times))}})
        times.append(time.perf_counter() - began)
    return sorted(times)[len(times) // 2] * 1000, len(times) / sum(times)


async def side_by_side(seconds: float) -> float:
    """Runs per second of many tasks at once."""
    graph = build_steps().compile(checkpointer=InMemorySaver())
    done = 0
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        nonlocal done
        count = 0
        while time.perf_counter() < end:
            await graph.ainvoke({"steps": []}, {"configurable": {"thread_id": f"{number}-{count}"}})
            count += 1
        done += count

    began = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    return done / (time.perf_counter() - began)


async def streams(seconds: float, count: int, per_second: float) -> dict[str, float]:
    """How late tokens are in as many streams at once, and how many come in a second."""
    graph = build_tokens().compile(checkpointer=InMemorySaver())
    late: list[float] = []

    async def read(number: int) -> None:
        tokens = {"count": int(seconds * per_second), "per_second": per_second}
        config = {"configurable": {"thread_id": str(number)}}
        async for token in graph.astream(tokens, config, stream_mode="custom"):
            late.append(time.time() - token["at"])

    began = time.perf_counter()
    await asyncio.gather(*(read(number) for number in range(count)))
    took = time.perf_counter() - began
    late.sort()
    return {
        "p50_ms": late[len(late) // 2] * 1000,
        "p99_ms": late[len(late) * 99 // 100] * 1000,
        "per_s": len(late) / took,
    }


def runs(seconds: float) -> dict[str, float]:
    """The median time of a run alone, and the most runs in a second."""
    p50, alone = one_after_another(seconds / 2)
    return {"p50_ms": p50, "per_s": max(alone, asyncio.run(side_by_side(seconds / 2)))}


def main() -> None:
    what, seconds, *rest = sys.argv[1:]
    if what == "tokens":
        told = asyncio.run(streams(float(seconds), int(rest[0]), float(rest[1])))
    else:
        told = runs(float(seconds))
    print(json.dumps(told))


if __name__ == "__main__":
    main()
