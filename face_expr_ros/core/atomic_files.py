"""Output files that appear only when they are complete."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Path of an empty temporary file in the folder of ``target``, which it replaces when the context is left.

    When the context is left by an exception, including KeyboardInterrupt, the temporary file is removed and an
    existing ``target`` is unchanged. The temporary name has the suffix of ``target``, from which encoders choose the
    format. A symbolic link is followed; devices and pipes such as /dev/stdout are written directly.

    Raises:
        OSError: the file cannot be created; the error names ``target``.
    """
    if _is_stream(target):
        yield target
        return
    final = Path(os.path.realpath(target))
    draft = final.with_name(f".{final.stem}.{secrets.token_hex(4)}{final.suffix}")
    try:
        _create(draft, final, target)  # inside the try: an interrupt may come at any time
        yield draft
        if final.exists():
            shutil.copymode(final, draft)
        draft.replace(final)
    except BaseException:
        with suppress(FileNotFoundError, NotADirectoryError):
            draft.unlink()
        raise


def _create(draft: Path, final: Path, target: Path) -> None:
    try:
        if final.exists():
            final.open("ab").close()  # a write-protected file is not replaced
        draft.open("xb").close()
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(target)) from error


@contextmanager
def atomic_text_file(target: Path, newline: str | None = None) -> Iterator[IO[str]]:
    """A UTF-8 text file open for writing, see `atomic_path`; ``newline`` as in `open`."""
    with atomic_path(target) as draft, draft.open("w", encoding="utf-8", newline=newline) as file:
        yield file


def write_text(target: Path, text: str) -> None:
    """Write a UTF-8 text file, see `atomic_path`."""
    with atomic_text_file(target) as file:
        file.write(text)


def write_bytes(target: Path, data: Any) -> None:
    """Write a binary file, see `atomic_path`."""
    with atomic_path(target) as draft:
        draft.write_bytes(data)


def _is_stream(path: Path) -> bool:
    """Whether a path is a device, a pipe or a file descriptor of this process, which cannot be replaced."""
    return path.parts[:2] in (("/", "dev"), ("/", "proc")) or (path.exists() and not path.is_file())
