"""Many clients that change one thing at the same time: each is served, none is told of the others."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from processes import Server

CLIENTS = 40


async def together(url: str, work: Callable[[LangGraphClient, int], Awaitable[Any]]) -> list[Any]:
    """What `work` gives for each of many numbers, all at once."""
    async with get_client(url=url) as client:
        return await asyncio.gather(*(work(client, number) for number in range(CLIENTS)))


def test_runs_of_one_thread_are_all_accepted_and_run_in_turn(server: Server) -> None:
    thread = str(uuid.uuid4())

    async def create(client: LangGraphClient, number: int) -> Any:
        return await client.runs.create(thread, "counter", input={"count": 0}, if_not_exists="create")

    async def check() -> None:
        runs = await together(server.url, create)
        assert len({run["run_id"] for run in runs}) == CLIENTS
        async with get_client(url=server.url) as client:
            await asyncio.gather(*(client.runs.join(thread, run["run_id"]) for run in runs))
            listed = await client.runs.list(thread, limit=CLIENTS + 1)
            assert [run["status"] for run in listed] == ["success"] * CLIENTS

    asyncio.run(check())


@pytest.mark.parametrize("kind", ["threads", "assistants"])
def test_patches_of_one_thing_are_all_made(server: Server, kind: str) -> None:
    async def check() -> None:
        async with get_client(url=server.url) as client:
            if kind == "threads":
                made = (await client.threads.create())["thread_id"]
            else:
                made = (await client.assistants.create("agent"))["assistant_id"]

        async def patch(client: LangGraphClient, number: int) -> Any:
            return await getattr(client, kind).update(made, metadata={f"key{number}": number})

        await together(server.url, patch)
        async with get_client(url=server.url) as client:
            metadata = (await getattr(client, kind).get(made))["metadata"]
        assert {f"key{number}": number for number in range(CLIENTS)}.items() <= metadata.items()

    asyncio.run(check())
