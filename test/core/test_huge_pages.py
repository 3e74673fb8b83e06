"""use_huge_pages moves the memory in use and changes none of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from face_expr_ros.core.huge_pages import whole_pages
from face_expr_ros.core.memory_mappings import parse_mappings

PROGRAM = """
from pathlib import Path
from face_expr_ros.core.huge_pages import use_huge_pages

def in_huge_pages():
    rows = dict(row.split(":", 1) for row in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    return int(rows["AnonHugePages"].split()[0]) * 1024

def block(number):
    return bytes([number % 251]) * 100_000

blocks, before = [block(number) for number in range(200)], in_huge_pages()
moved = use_huge_pages()
print(moved, in_huge_pages() - before, blocks == [block(number) for number in range(200)])
"""
MAPS = """\
55d000000000-55d000400000 r-xp 00000000 fd:00 12 /usr/bin/python3
55d000400000-55d000900000 rw-p 00000000 00:00 0                          [heap]
7f0000100000-7f0000700000 rw-p 00000000 00:00 0
7f0001000000-7f0001100000 rw-p 00000000 00:00 0
7f0002000000-7f0002800000 rw-s 00000000 00:01 7 /dev/shm/fastdds
7f0003000000-7f0003800000 rw-p 00001000 fd:00 9 /usr/lib/libc.so.6
7f0004000000-7f0004800000 rw-p 00000000 00:00 0                          [stack]
"""


def test_whole_huge_pages_of_anonymous_memory_are_moved() -> None:
    expected = [(0x55D000400000, 0x55D000800000), (0x7F0000200000, 0x7F0000600000)]
    assert list(whole_pages(parse_mappings(MAPS))) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="huge pages of Linux")
def test_memory_in_huge_pages_keeps_its_contents() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    moved, more, same = done.stdout.split()
    assert same == "True"
    if int(moved):  # the kernel has them
        assert int(more) >= 8 << 20
