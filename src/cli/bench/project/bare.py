"""The three-node graph in a loop of one process, with LangGraph's saver in memory: what no server can beat.

Usage: bare.py SECONDS. Prints one line of JSON.
"""

import asyncio
import json
import sys
import time

from graphs import build_steps
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


def main() -> None:
    seconds = float(sys.argv[1]) / 2
    p50, alone = one_after_another(seconds)
    print(json.dumps({"p50_ms": p50, "runs_per_s": max(alone, asyncio.run(side_by_side(seconds)))}))


if __name__ == "__main__":
    main()
