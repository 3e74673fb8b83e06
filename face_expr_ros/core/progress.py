"""Progress bars on standard error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def progress(
    items: Iterable[Item], description: str, total: int | None = None, unit: str = "frames", done: int = 0
) -> Iterator[Item]:
    """The items, with a progress bar; ``done`` of the ``total`` were there before."""
    yield from tqdm(items, desc=description, total=total, initial=done, unit=f" {unit}", dynamic_ncols=True)


def byte_progress(chunks: Iterable[bytes], description: str, total: int, done: int = 0) -> Iterator[bytes]:
    """The chunks of a file of `total` bytes, with a progress bar; `done` bytes were there before."""
    with tqdm(desc=description, total=total, initial=done, unit="B", unit_scale=True, dynamic_ncols=True) as bar:
        for chunk in chunks:
            yield chunk
            bar.update(len(chunk))
