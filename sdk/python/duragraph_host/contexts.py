"""What LangGraph leaves out in async runs on Python 3.10: the node's config where the node's code looks for it.

``interrupt()``, ``get_store()``, ``get_stream_writer()``, ``get_config()`` and models that are called without a
config read it from a context variable. For an async node the library sets that with asyncio tasks that are given
a context, which Python has from 3.11 on; before, the node finds nothing.
"""

from __future__ import annotations

import functools
import logging
import sys
from typing import Any

from langchain_core.runnables.config import var_child_runnable_config

log = logging.getLogger("duragraph")

NEEDED = sys.version_info < (3, 11)


def install() -> None:
    """Lets async nodes find their config, on Pythons where the library does not."""
    if not NEEDED:
        return
    try:
        from langgraph._internal._runnable import RunnableCallable
    except ImportError:
        log.warning(
            "async nodes cannot call interrupt(), get_store(), get_stream_writer() or get_config() with this LangGraph "
            "on Python 3.10; sync nodes can, and both can with Python 3.11"
        )
        return
    plain = RunnableCallable.ainvoke
    if hasattr(plain, "__wrapped__"):
        return

    @functools.wraps(plain)
    async def ainvoke(self: Any, input: Any, config: Any = None, **kwargs: Any) -> Any:
        # Whatever runs concurrently has an asyncio task of its own, and with it a copy of the variable.
        if config is None:
            return await plain(self, input, config, **kwargs)
        token = var_child_runnable_config.set(config)
        try:
            return await plain(self, input, config, **kwargs)
        finally:
            var_child_runnable_config.reset(token)

    RunnableCallable.ainvoke = ainvoke  # type: ignore[method-assign]
