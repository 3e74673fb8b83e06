"""Damage of single files of a split bag, and changes of its metadata."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from support.split_bags import ALL, PER_FILE, read_metadata, split_bag, storage_files, write_metadata

LFS_POINTER = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32\nsize 1234\n"
)
SECOND = list(range(PER_FILE, 2 * PER_FILE))  # numbers of the second file
OTHERS = [number for number in ALL if number not in SECOND]


class Kind(NamedTuple):
    """A kind of recording.

    Attributes:
        make: creates it in a folder.
        numbers: the messages that are read; more are allowed if ``at_least``.
        damage: words of the damage that is reported; empty if none is.
        at_least: whether a part of the damaged file may be read as well.
    """

    make: Callable[[Path], Path]
    numbers: list[int]
    damage: str = ""
    at_least: bool = False


def edited(edit: Callable[[Any], None], storage: str = "mcap") -> Callable[[Path], Path]:
    """A split bag whose metadata is changed."""

    def make(folder: Path) -> Path:
        bag = split_bag(folder, storage)
        content = read_metadata(bag)
        edit(content)
        write_metadata(bag, content)
        return bag

    return make


def changed(
    change: Callable[[Path], object],
    index: int = 1,
    storage: str = "mcap",
    compression: str = "none",
    metadata: bool = True,
) -> Callable[[Path], Path]:
    """A split bag of which one file is changed."""

    def make(folder: Path) -> Path:
        bag = split_bag(folder, storage, compression, metadata)
        change(storage_files(bag)[index])
        return bag

    return make


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def zeroed(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def cut(file: Path) -> None:
    os.truncate(file, int(file.stat().st_size * 0.8))


def foreign(file: Path) -> None:
    file.write_bytes(b"\xff\xd8\xff\xe0 a picture, not a bag " * 500)


def pointer(file: Path) -> None:
    file.write_bytes(LFS_POINTER)


def zeroed_inside(file: Path) -> None:
    """Zero a quarter of the file, as lost sectors are."""
    data = bytearray(file.read_bytes())
    start, length = int(len(data) * 0.45), len(data) // 4
    data[start : start + length] = bytes(length)
    file.write_bytes(data)


def flipped_inside(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def flipped_header(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:20] + b"?" + file.read_bytes()[21:])


FILE_DAMAGE: dict[str, tuple[Callable[[Path], None], bool, str]] = {
    "empty": (emptied, False, "0 bytes"),
    "zeroed": (zeroed, False, "zeros|signature"),
    "cut": (cut, True, ""),
    "foreign": (foreign, False, "signature"),
    "Git LFS pointer": (pointer, False, "git lfs pull"),
}
