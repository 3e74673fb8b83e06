"""A small file system for the logs of the nodes, which can be filled."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_SIZE = "4m"
_BLOCK = bytes(65536)


class SmallDisk:
    """A tmpfs of a few megabytes where it can be mounted, which needs root; else an ordinary folder.

    Attributes:
        path: the folder.
        problem: why it is an ordinary folder; empty if it is not.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(path)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            self.problem = done.stderr.strip().splitlines()[-1] if done.returncode else ""
        except OSError as error:
            self.problem = f"mount: {error.strerror}"

    def fill(self) -> None:
        """Write until no space is left."""
        if self.problem:
            return
        try:
            with (self.path / "filler").open("ab", buffering=0) as file:
                while True:
                    file.write(_BLOCK)
        except OSError:
            pass

    def empty(self) -> None:
        """Free the space again; logs that have grown are cut, so that the next filling starts with space, too."""
        for path in self.path.rglob("*"):
            if path.name == "filler":
                path.unlink()
            elif path.is_file() and path.stat().st_size > len(_BLOCK):
                os.truncate(path, 0)

    def close(self) -> None:
        """Unmount it."""
        if not self.problem:
            subprocess.run(["umount", "-l", str(self.path)], capture_output=True, check=False)
