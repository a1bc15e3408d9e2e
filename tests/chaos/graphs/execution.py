"""What the nodes of these graphs leave behind, outside of any server and in the values they give."""

import json
import os
import time
import uuid
from typing import Any

from langchain_core.runnables import RunnableConfig

PAGE = 60
"""How often a page repeats its execution's name: with it a page is long enough to be stored as a difference."""


def execute(config: RunnableConfig, node: str) -> dict[str, Any]:
    """Begins an execution: appends a line to the file that DG_JOURNAL names, which survives a kill. The update that
    the node is to give: a step with a name that no other execution has, and a page made of that name."""
    metadata = config["metadata"]
    name = uuid.uuid4().hex[:12]
    line = {
        "run": config["configurable"]["run_id"],
        "attempt": metadata["run_attempt"],
        "step": metadata["langgraph_step"],
        "task": metadata["langgraph_checkpoint_ns"],
        "node": node,
        "name": name,
        "pid": os.getpid(),
        "at": time.monotonic(),
        "time": time.time(),
    }
    descriptor = os.open(os.environ["DG_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, (json.dumps(line) + "\n").encode())
    finally:
        os.close(descriptor)
    return {"steps": [f"{node}:{name}"], "pages": [f"{name} " * PAGE]}
