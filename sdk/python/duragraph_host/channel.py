"""What one executing run holds of the server."""

from __future__ import annotations

from .owner import Owner
from .saver import ServerSaver
from .store import ServerStore


class RunChannel:
    """A run's saver, store and stream of frames. All of them raise once the run is dead."""

    def __init__(self, owner: Owner, saver: ServerSaver, store: ServerStore) -> None:
        self.owner = owner
        self.saver = saver
        self.store = store

    @property
    def dead(self) -> bool:
        """Whether the run was cancelled or lost."""
        return self.owner.dead

    @property
    def has_next(self) -> bool | None:
        """Whether the graph has tasks to come, by the last root checkpoint of this run; None where it made none,
        or where that cannot tell."""
        return self.saver.has_next

    def send_frame(self, event: str, data: bytes) -> None:
        """Queues one stream frame (`data` is JSON) without waiting; await `drain` between frames."""
        self.owner.send_frame(event, data)

    async def drain(self) -> None:
        """Waits until there is room for more frames."""
        await self.owner.wait_room()
