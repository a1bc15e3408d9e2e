"""A network namespace: what runs in it reaches this machine, and is reached, by one link that may go down."""

from __future__ import annotations

import functools
import os
import subprocess

from afterwards import Afterwards
from processes import system_program


@functools.cache
def can_be_made() -> bool:
    """Whether this process may make namespaces and links; containers often may not."""
    if os.geteuid() != 0:
        return False
    return subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode == 0


class NetNamespace:
    """`outside` is this machine's address on the link, `inside` that of what runs in the namespace."""

    def __init__(self, number: int | None = None) -> None:
        number = os.getpid() if number is None else number
        self.name = f"duragraph-{number}"
        self._link = f"dg{number}"[:15]
        base = (number * 4) % (1 << 16)
        # Of the addresses for measurements between networks, which nobody routes.
        self.outside, self.inside = (f"198.{18 + (base >> 16)}.{(base >> 8) & 255}.{(base & 255) + n}" for n in (1, 2))
        self.within = ["ip", "netns", "exec", self.name]
        undo = 'ip link del "$1" 2>/dev/null; ip netns del "$2"'
        self._afterwards = Afterwards(undo, self._link, self.name)
        peer = f"{self._link[:14]}i"
        self._ip("netns", "add", self.name)
        self._ip("link", "add", self._link, "type", "veth", "peer", "name", peer, "netns", self.name)
        self._ip("address", "add", f"{self.outside}/30", "dev", self._link)
        self._ip("-n", self.name, "address", "add", f"{self.inside}/30", "dev", peer)
        for device in ("lo", peer):
            self._ip("-n", self.name, "link", "set", device, "up")
        self.up()

    def up(self) -> None:
        self._ip("link", "set", self._link, "up")

    def down(self) -> None:
        """What is sent is lost, and nobody is told."""
        self._ip("link", "set", self._link, "down")

    def _ip(self, *words: str) -> None:
        done = subprocess.run([system_program("ip"), *words], capture_output=True, text=True)
        assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"

    def close(self) -> None:
        self._afterwards.close()
