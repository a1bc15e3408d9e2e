"""NATS for tests: real servers, each with a folder of its own, that end with whoever made them."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import nats

from afterwards import Afterwards
from disk import Disk
from processes import free_port, start_service, takes_connections, until

class NatsServer:
    """Keeps its port, and what it stored, through `kill` and `start`."""

    def __init__(self, *arguments: str, jetstream: bool = True, small_disk: bool = False) -> None:
        """A small disk has room for the stream of one database, which may have 1 GiB: NATS keeps a quarter free."""
        self.folder = Path(tempfile.mkdtemp(prefix="duragraph-nats-"))
        self.disk = Disk(self.folder / "disk", "2G" if small_disk else None)
        self._afterwards = Afterwards('umount -l "$1" 2>/dev/null; rm -rf "$2"', self.disk.folder, self.folder)
        self.store = self.disk.folder / "store"
        self.arguments = [*(["-js", "-sd", str(self.store)] if jetstream else []), *arguments]
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"nats://{self.address}"
        self.start()

    def start(self) -> None:
        with (self.folder / "log").open("a") as log:
            self.process = start_service(
                "nats-server", "-a", "127.0.0.1", "-p", str(self.port), *self.arguments, stdout=log, stderr=log
            )
        until(self._answers, lambda: f"an answer of nats-server\n{self.log}")

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log
        return takes_connections(self.port)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def wipe(self) -> None:
        """As with a new volume. It must not run."""
        shutil.rmtree(self.store)

    def empty_disk(self) -> None:
        """And starts again, as an operator does: JetStream does not answer any more once it could not write."""
        self.kill()
        self.disk.empty()
        self.start()

    def close(self) -> None:
        self.kill()
        self._afterwards.close()

    def ask(self, work: Callable[[Any], Awaitable[Any]], **options: Any) -> Any:
        """What `work` gives of a connected client."""

        async def run() -> Any:
            client = await nats.connect(self.url, **options)
            try:
                return await work(client)
            finally:
                await client.close()

        return asyncio.run(run())

    def streams(self) -> list[Any]:
        """How the streams that there are were configured."""

        async def read(client: Any) -> list[Any]:
            return [stream.config for stream in await client.jetstream().streams_info()]

        return list(self.ask(read))

    def events(self, **options: Any) -> list[Any]:
        """All messages that the stream of events has, in order; none where there is no stream."""

        async def read(client: Any) -> list[Any]:
            context = client.jetstream()
            messages: list[Any] = []
            for stream in await context.streams_info():
                if stream.state.messages == 0:
                    continue
                consumer = await context.subscribe(
                    stream.config.subjects[0], stream=stream.config.name, ordered_consumer=True
                )
                for _ in range(stream.state.messages):
                    messages.append(await consumer.next_msg(10))
                await consumer.unsubscribe()
            return messages

        return self.ask(read, **options)
