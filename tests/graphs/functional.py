"""The functional API: tasks, what a thread saved the last time (`previous`), and a question when `ask` is given.

Input {"numbers": [...], "ask": bool}; output {"total", "answer"}, where `total` goes on from the last run's.
"""

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.func import entrypoint, task
from langgraph.types import interrupt
from typing_extensions import TypedDict

from journal import record


class Input(TypedDict, total=False):
    numbers: list[int]
    ask: bool


@task
def double(number: int, config: RunnableConfig) -> int:
    record(config, f"double:{number}")
    return number * 2


@entrypoint()
def graph(inputs: Input, *, previous: Any = None, config: RunnableConfig) -> entrypoint.final[dict[str, Any], int]:
    record(config, "functional")
    futures = [double(number) for number in inputs.get("numbers", [])]
    total = (previous or 0) + sum(future.result() for future in futures)
    answer = interrupt({"question": f"Is {total} right?"}) if inputs.get("ask") else None
    return entrypoint.final(value={"total": total, "answer": answer}, save=total)
