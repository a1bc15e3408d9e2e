"""LangGraph's conformance kit for checkpointers, on a real server where the environment names one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import Capability

from duragraph_host.connection import Connection
from duragraph_host.saver import ServerSaver
from server_double import TOKEN, ServerDouble
from support import connected


@pytest.fixture
def connection() -> Iterator[Connection]:
    url = os.environ.get("DURAGRAPH_URL")
    double = None if url else ServerDouble()
    token = os.environ.get("DURAGRAPH_WORKER_TOKEN", "") if url else TOKEN
    try:
        with connected(url or double.url, token) as (connection, recorder):  # type: ignore[union-attr]
            assert not recorder.failures
            yield connection
    finally:
        if double is not None:
            double.close()


def test_every_capability_is_detected_and_passes(connection: Connection) -> None:
    @checkpointer_test(name="ServerSaver")
    async def saver() -> AsyncGenerator[BaseCheckpointSaver[Any], None]:
        yield ServerSaver(connection)

    report = asyncio.run(validate(saver))
    failures = {name: result.failures for name, result in report.results.items() if result.failures}
    assert not failures
    for capability in Capability:
        result = report.results[capability.value]
        assert result.detected and result.passed and result.tests_passed > 0, capability
