"""JSON lines and tables of many files; an interrupted run continues after the last complete file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir
from types import TracebackType
from typing import IO, Any

from face_expr_ros.cli.face_tables import Record, check_tables, open_tables, table_rows
from face_expr_ros.core.atomic_files import atomic_text_file


@dataclass(frozen=True)
class Targets:
    """The files to write; None is not requested.

    Attributes:
        jsonl: one JSON line per image or frame.
        csv, parquet: one row per face.
        folder: of drawn files; it is created, and has the journal of a run that writes nothing else.
    """

    jsonl: Path | None = None
    csv: Path | None = None
    parquet: Path | None = None
    folder: Path | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is written but at most one drawn file."""
        return not (self.jsonl or self.csv or self.parquet or self.folder)

    @property
    def journal(self) -> Path | None:
        """Where the results of complete files are kept until all are done; None if nothing is written."""
        first = self.jsonl or self.csv or self.parquet
        if first is None:
            return None if self.folder is None else self.folder / "face_expr.partial"
        if first.exists() and not first.is_file():  # a pipe or device
            return Path(gettempdir()) / f"face_expr_{os.getpid()}.partial"
        return first.with_name(first.name + ".partial")


class BatchResults:
    """Collects the records of many files in a journal, from which the requested files are written at the end.

    A context. Left without an error, it writes the files and deletes the journal. Left by an error or Ctrl-C, it keeps
    the journal if a file was complete; the next run with the same settings continues there.

    Args:
        targets: the files to write.
        files: the inputs.
        settings: what results depend on; the journal of a run with other settings is discarded.
        inform: called with a sentence when a run is continued or can be continued.
    """

    def __init__(
        self, targets: Targets, files: Sequence[Path], settings: Mapping[str, Any], inform: Callable[[str], None]
    ) -> None:
        check_tables(targets.parquet)
        self._inform = inform
        self._targets, self._files = targets, files
        self._settings = json.dumps(settings, sort_keys=True, default=str)
        self._path = targets.journal
        self._journal: IO[str] | None = None
        self._done: dict[str, tuple[int, int]] = {}  # file -> offset and number of its lines in the journal
        self._start, self._lines = 0, 0

    def __enter__(self) -> BatchResults:
        if self._targets.folder is not None:
            self._targets.folder.mkdir(exist_ok=True)
        if self._path is not None:
            self._done, end = _read_journal(self._path, self._settings)
            self._journal = self._path.open("r+" if end else "w", encoding="utf-8")
            if end:
                self._journal.seek(end)
                self._journal.truncate()
            else:
                self._journal.write(self._settings + "\n")
            self._start = self._journal.tell()
            if self.kept:
                self._inform(f"continuing an interrupted run: {self.kept} of {len(self._files)} files are complete")
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: BaseException | TracebackType | None) -> None:
        if self._journal is None or self._path is None:
            return
        self._journal.close()
        if kind is None:
            self._write_targets()
        if kind is None or not self._done:
            self._path.unlink(missing_ok=True)
        else:
            files = f"{self.kept} of {len(self._files)} files are complete"
            self._inform(f"{files}: run the same command again to continue ({self._path} keeps the results)")

    @property
    def kept(self) -> int:
        """Number of the files whose results are complete."""
        return sum(_key(file) in self._done for file in self._files)

    @property
    def folder(self) -> Path | None:
        """The folder of the journal, with space for the results; None if nothing is written."""
        return None if self._path is None else self._path.parent

    def is_done(self, file: Path) -> bool:
        """Whether the results of a file are complete, from this run or an earlier one."""
        return _key(file) in self._done

    def add(self, record: Record) -> None:
        """Add a line of the file that is being processed."""
        if self._journal is not None:
            self._journal.write(json.dumps(record) + "\n")
            self._lines += 1

    def restart(self) -> None:
        """Discard the lines of the file that is being processed."""
        if self._journal is not None:
            self._journal.seek(self._start)
            self._journal.truncate()
            self._lines = 0

    def complete(self, file: Path) -> None:
        """The lines since the last call are all lines of ``file``."""
        if self._journal is not None:
            self._done[_key(file)] = (self._start, self._lines)
            self._journal.write(json.dumps({"complete": _key(file), "at": self._start, "lines": self._lines}) + "\n")
            self._journal.flush()
            self._start, self._lines = self._journal.tell(), 0

    def records(self) -> Iterator[Record]:
        """All records, in the order of the inputs."""
        for line in self._text_lines():
            yield json.loads(line)

    def _text_lines(self) -> Iterator[str]:
        if self._path is None:
            return
        with self._path.open(encoding="utf-8") as journal:
            for file in self._files:
                offset, count = self._done[_key(file)]
                journal.seek(offset)
                for _ in range(count):
                    yield journal.readline()

    def _write_targets(self) -> None:
        with ExitStack() as stack:
            jsonl = self._targets.jsonl
            lines = None if jsonl is None else stack.enter_context(atomic_text_file(jsonl))
            tables = open_tables(stack, self._targets.csv, self._targets.parquet)
            for line in self._text_lines():
                if lines is not None:
                    lines.write(line)
                for row in table_rows(json.loads(line)) if tables else ():
                    for write in tables:
                        write(row)


def _key(file: Path) -> str:
    """A file as it is now: its results are no longer valid when its size or its time changes."""
    try:
        state = file.stat()
    except OSError:
        return str(file)
    return f"{file.resolve()} {state.st_size} {state.st_mtime_ns}"


def _read_journal(path: Path, settings: str) -> tuple[dict[str, tuple[int, int]], int]:
    """The complete files of a journal and the offset where they end; none and 0 if the settings differ."""
    try:
        with path.open("rb") as journal:
            return _complete_files(journal, settings.encode())
    except FileNotFoundError:
        return {}, 0


def _complete_files(journal: Iterable[bytes], settings: bytes) -> tuple[dict[str, tuple[int, int]], int]:
    done: dict[str, tuple[int, int]] = {}
    end = offset = 0
    for number, line in enumerate(journal):
        offset += len(line)
        if number == 0:
            if line.rstrip(b"\n") != settings:
                return {}, 0
            end = offset
        elif line.startswith(b'{"complete": ') and line.endswith(b"\n"):
            mark = json.loads(line)
            done[mark["complete"]] = mark["at"], mark["lines"]
            end = offset
    return done, end
