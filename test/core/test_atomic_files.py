"""Output files replace their targets only when they are complete."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from face_expr_ros.core.atomic_files import atomic_path, atomic_text_file, write_bytes, write_text


def write_and_raise(target: Path, error: BaseException) -> None:
    with atomic_text_file(target) as file:
        file.write("half of it")
        file.flush()
        raise error


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_complete_file_replaces_the_old_one(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    with atomic_path(tmp_path / "a.txt") as draft:
        draft.write_text("new")
        assert (draft.parent, draft.suffix) == (tmp_path, ".txt")
        assert (tmp_path / "a.txt").read_text() == "old"
    write_bytes(tmp_path / "b", b"bytes")
    assert contents(tmp_path) == {"a.txt": "new", "b": "bytes"}


@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt(), SystemExit()])
@pytest.mark.parametrize("old", [{}, {"a.txt": "old"}], ids=["no old file", "old file"])
def test_error_or_interrupt_keeps_the_old_file_only(tmp_path: Path, error: BaseException, old: dict[str, str]) -> None:
    for name, text in old.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(type(error)):
        write_and_raise(tmp_path / "a.txt", error)
    assert contents(tmp_path) == old


def test_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.txt").symlink_to("real/a.txt")
    for text in ("first", "second"):
        write_text(tmp_path / "link.txt", text)
        assert (tmp_path / "link.txt").is_symlink()
        assert contents(tmp_path / "real") == {"a.txt": text}


def test_permissions_are_those_of_open_or_of_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode
    (tmp_path / "a").chmod(0o640)
    write_text(tmp_path / "a", "newer")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_error_names_the_target_and_not_the_temporary_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"No such file or directory: '.*/missing/a\.txt'"):
        write_text(tmp_path / "missing/a.txt", "text")


def test_pipe_is_written_directly(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    write_text(Path(f"/dev/fd/{writing}"), "text")
    os.close(writing)
    with open(reading) as file:
        assert file.read() == "text"
    write_text(Path("/dev/null"), "text")
    assert Path("/dev/null").is_char_device()
