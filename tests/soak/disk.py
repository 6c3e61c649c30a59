"""A disk of its own for a run's results, that can be filled and emptied again; needs the right to mount."""

import shutil
import subprocess
from pathlib import Path

_ROOMY = 64 * 2**20  # bytes


class Disk:
    """A file system in memory at a folder; where that is not allowed, the folder itself, and nothing can be filled."""

    def __init__(self, place: Path) -> None:
        place.mkdir()
        self.place = place
        self.can_be_filled = self._mount(f"size={_ROOMY}")

    def fill(self, left: int) -> None:
        """Leave about `left` bytes."""
        used = shutil.disk_usage(self.place).used
        self._mount(f"remount,size={max(4096, used + left)}")

    def make_room(self) -> None:
        self._mount(f"remount,size={_ROOMY}")

    def remove(self) -> None:
        if self.can_be_filled:
            subprocess.run(["umount", "-l", str(self.place)], check=True)
        shutil.rmtree(self.place)

    def _mount(self, options: str) -> bool:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.place)]
        try:
            return not subprocess.run(command, capture_output=True, check=False).returncode
        except FileNotFoundError:
            return False
