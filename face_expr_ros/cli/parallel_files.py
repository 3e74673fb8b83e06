"""`face_expr image` and `video` with ``--jobs``: files are processed in worker processes, one file at a time each.

The results are those of one process: every file is processed as if it were the only one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from face_expr_ros.cli.batch_results import BatchResults
from face_expr_ros.cli.face_tables import Record
from face_expr_ros.cli.file_inputs import file_names
from face_expr_ros.cli.process_files import Products
from face_expr_ros.cli.process_stills import Counts, StillAnalysis, still_counts
from face_expr_ros.cli.process_videos import NeutralTimeError, analyze_video, video_counts
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.progress import progress
from face_expr_ros.core.worker_processes import in_processes
from face_expr_ros.sources.source_frame import SourceError, Warn

Task = tuple[Path, Path | None]  # a file, and its drawn file


@dataclass(frozen=True)
class Settings:
    """What all files of a run have in common.

    Attributes:
        products: without their ``out``.
        config: settings of the pipeline.
        calibration: file of ``--camera-info``, or None.
        neutral_at: seconds, see `analyze_video`; None in images.
    """

    products: Products
    config: PerceptionConfig
    calibration: Path | None = None
    neutral_at: float | None = None


@dataclass(frozen=True)
class FileOutcome:
    """What a worker made of a file.

    Attributes:
        records: of the file; those of a video are in ``lines``.
        lines: a file of JSON lines.
        error: why the file has no records.
        warnings: sentences for the user.
    """

    records: tuple[Record, ...] = ()
    lines: Path | None = None
    error: str = ""
    warnings: tuple[str, ...] = ()

    def all_records(self) -> Iterator[Record]:
        """The records, or one with the error."""
        if self.error:
            yield {"error": self.error}
        elif self.lines is None:
            yield from self.records
        else:
            with self.lines.open(encoding="utf-8") as lines:
                yield from map(json.loads, lines)


def analyze_stills_in_processes(
    files: Sequence[Path], drawn: Sequence[Path | None], results: BatchResults, settings: Settings, jobs: int
) -> Counts:
    """As `analyze_stills`, in ``jobs`` worker processes.

    Raises:
        ValueError, OSError: as `analyze_stills`.
        WorkerError: a worker process died.
    """
    tasks, names = _remaining(files, drawn, results), file_names(files)
    with closing(in_processes(partial(_still, settings), tasks, jobs)) as outcomes:
        for task, outcome in progress(outcomes, "images", len(files), unit="images", done=len(files) - len(tasks)):
            _add(results, task[0], names[task[0]], outcome)
    return still_counts(results)


def analyze_videos_in_processes(
    files: Sequence[Path],
    drawn: Sequence[Path | None],
    results: BatchResults,
    settings: Settings,
    jobs: int,
    warn: Warn,
) -> dict[str, Any]:
    """As `analyze_videos`, in ``jobs`` worker processes. Raises WorkerError in addition."""
    tasks, names = _remaining(files, drawn, results), file_names(files)
    with (
        TemporaryDirectory(prefix="face_expr_lines_", dir=results.folder) as folder,
        closing(in_processes(partial(_video, settings, Path(folder)), tasks, jobs)) as outcomes,
    ):
        for task, outcome in progress(outcomes, "videos", len(files), unit="videos", done=len(files) - len(tasks)):
            done = _add(results, task[0], names[task[0]], outcome)
            for sentence in (*done.warnings, *filter(None, [done.error])):
                warn(sentence)
            if done.lines is not None:
                done.lines.unlink()
    return video_counts(results, len(files))


def _remaining(files: Sequence[Path], drawn: Sequence[Path | None], results: BatchResults) -> list[Task]:
    """The files without results, each once."""
    return list(
        {file: (file, out) for file, out in zip(files, drawn, strict=True) if not results.is_done(file)}.values()
    )


def _add(results: BatchResults, file: Path, name: str, outcome: FileOutcome | Exception) -> FileOutcome:
    """Add the records of a file to the results. Raises the error of a worker."""
    if isinstance(outcome, Exception):
        raise outcome
    for record in outcome.all_records():
        results.add({"file": name} | record)
    results.complete(file)
    return outcome


_analyses: list[StillAnalysis] = []  # of a worker process, whose files have the same settings


def _still(settings: Settings, task: Task) -> FileOutcome:
    if not _analyses:
        _analyses.append(StillAnalysis(settings.products, settings.config, settings.calibration))
    try:
        return FileOutcome((_analyses[0](*task),))
    except SourceError as error:
        return FileOutcome(error=str(error))


def _video(settings: Settings, folder: Path, task: Task) -> FileOutcome:
    source, out = task
    warnings: list[str] = []
    own = replace(settings.products, out=out)
    with TemporaryDirectory(dir=folder) as draft:
        file = Path(draft) / "lines"
        try:
            with file.open("w", encoding="utf-8") as lines:

                def add(record: dict[str, Any]) -> None:
                    lines.write(json.dumps(record) + "\n")

                rest = settings.neutral_at, settings.calibration
                analyze_video(source, own, add, settings.config, warnings.append, *rest, bar=False)
        except (SourceError, NeutralTimeError) as error:
            return FileOutcome(error=str(error), warnings=tuple(warnings))
        complete = Path(f"{draft}.jsonl")
        file.rename(complete)
    return FileOutcome(lines=complete, warnings=tuple(warnings))
