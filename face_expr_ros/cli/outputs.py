"""Checks, before any work, that the output files of a verb overwrite neither its input nor each other."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

# Files that an earlier run may have written into its input folder; they are replaced, not read.
RESULT_SUFFIXES = (".csv", ".html", ".json", ".jsonl", ".md", ".parquet")


def check_outputs(inputs: Iterable[Path | None], outputs: Mapping[str, Path | None], export: str | None = None) -> None:
    """Refuse outputs that are an input file or the file of another output, also through symbolic and hard links.

    Args:
        inputs: files, or folders of which all files but ``RESULT_SUFFIXES`` are input; None is ignored.
        outputs: option name -> file; None is ignored.
        export: ``obj`` or ``ply`` where 3D files are written beside the file of ``--out``; None for none.

    Raises:
        ValueError: names the option and the file.
    """
    sources = [path for path in inputs if path is not None]
    given = {option: path for option, path in outputs.items() if path is not None}
    for number, (option, path) in enumerate(given.items()):
        if any(_is_same(path, file) for source in sources for file in _input_files(source, path)):
            raise ValueError(f"{option} {str(path)!r} would overwrite the input: give another name")
        for other in list(given)[:number]:
            if _is_same(path, given[other]):
                raise ValueError(f"{other} and {option} are the same file {str(path)!r}: give different names")
    if export is not None and "--out" in given:
        _check_export(export, given["--out"], [*sources, *given.values()])


def _check_export(kind: str, out: Path, others: Iterable[Path]) -> None:
    """Names of 3D files contain the face id where there are several faces, so every id is taken into account."""
    from face_expr_ros.drawing.mesh_export import ENDINGS

    pattern = re.compile(rf"{re.escape(out.stem)}(_f\d+)?({'|'.join(map(re.escape, ENDINGS[kind]))})")
    existing = [file for file in _files(out.parent) if pattern.fullmatch(file.name)]
    for path in others:
        beside = pattern.fullmatch(path.name) and _is_same(path.parent, out.parent)
        if beside or any(_is_same(path, file) for file in existing):
            raise ValueError(f"--export {kind} would overwrite {str(path)!r}: give another name to --out")


def _input_files(source: Path, output: Path) -> Iterator[Path]:
    """A file, or a folder with the files in it that ``output`` could overwrite."""
    yield source
    if source.is_dir() and output.exists():
        yield from (file for file in _files(source, "**/*") if file.suffix not in RESULT_SUFFIXES)


def _files(folder: Path, pattern: str = "*") -> list[Path]:
    return [path for path in folder.glob(pattern) if path.is_file()]


def _is_same(first: Path, second: Path) -> bool:
    """Whether two paths are one file or folder; of files that do not exist yet, whether they have one name."""
    if first.exists() and second.exists():
        return first.samefile(second)
    return os.path.realpath(first) == os.path.realpath(second)
