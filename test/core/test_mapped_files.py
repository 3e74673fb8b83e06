"""Pages of mapped files."""

from __future__ import annotations

import mmap
from pathlib import Path

from face_expr_ros.core.mapped_files import drop_mapped_pages

_SIZE = 8 << 20


def _resident(path: Path) -> int:
    """Resident kilobytes of a file's mappings in this process."""
    total, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(maxsplit=1)[0]:
            inside = line.endswith(str(path))
        elif inside and line.startswith("Rss:"):
            total += int(line.split()[1])
    return total


def test_the_pages_leave_memory_and_can_be_read_again(tmp_path: Path) -> None:
    path, content = tmp_path / "weights", bytes(range(256)) * (_SIZE // 256)
    path.write_bytes(content)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert mapped[:] == content
        before = _resident(path)
        assert before >= _SIZE // 1024
        drop_mapped_pages(path)
        assert _resident(path) < before // 4
        assert mapped[:] == content


def test_written_pages_stay(tmp_path: Path) -> None:
    path = tmp_path / "written"
    path.write_bytes(bytes(_SIZE))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
        mapped[:] = b"1" * _SIZE
        drop_mapped_pages(path)
        assert mapped[:] == b"1" * _SIZE


def test_a_file_that_is_not_mapped_is_ignored(tmp_path: Path) -> None:
    drop_mapped_pages(tmp_path / "missing")
