"""A small file system in memory, which can be full."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

PAGE = 4096


class Disk:
    """Mounted at the folder, which it makes; without a size, or where that is not allowed, the folder alone. Who has it
    unmounts it."""

    def __init__(self, folder: Path, size: str | None) -> None:
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(folder)]
        may_mount = size is not None and os.geteuid() == 0
        self.can_be_filled = may_mount and subprocess.run(mount, capture_output=True).returncode == 0
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Nobody can write any more, until `empty`."""
        size, step = 0, shutil.disk_usage(self.folder).free
        with self._ballast.open("wb") as ballast:
            while step >= PAGE:
                try:
                    os.posix_fallocate(ballast.fileno(), size, step)
                    size += step
                except OSError:  # somebody wrote meanwhile, so that there is less
                    step //= 2

    def empty(self) -> None:
        self._ballast.unlink(missing_ok=True)
