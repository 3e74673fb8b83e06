"""Graded portraits as inputs of the fusion, in several copies each; read in chunks, which are kept on disk.

A folder of portraits holds tables ``NAME_labels.csv`` and, next to each, a folder ``NAME`` with its images.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from face_expr_ros.core.arkit import mirrored_name
from face_expr_ros.core.portrait_grades import Grades, read_grades
from face_expr_ros.core.portrait_score import COLUMNS
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import FloatArray
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.sources.image_files import read_image
from face_expr_ros.training.expression.graded.augmentation import augmented, mirrored
from face_expr_ros.training.expression.graded.edited import Editor
from face_expr_ros.training.expression.graded.faces import Faces, mirrored_grades, read_chunks, write_chunk
from face_expr_ros.training.expression.graded.reader import FaceReader, Image, Teacher

_LABELS = "_labels.csv"
_ONE_PASS = 0.6  # weight of a grade from a single pass
_CHUNK = 40  # portraits


@dataclass(frozen=True)
class Chunk:
    """Some rows of a table of grades; ``group`` is the number of the first one among all portraits."""

    table: Path
    first: int
    last: int
    group: int

    def name(self) -> str:
        """Of its file."""
        return f"{self.table.name.removesuffix(_LABELS)}_{self.first:05d}.npz"


def read_portraits(
    folder: Path, cache: Path, copies: int, edited: int, task: Path | None = None, processes: int = 1
) -> tuple[Faces, Faces | None]:
    """All portraits in ``copies`` copies each (the original, its mirror image, and augmented ones), and in ``edited``
    copies with an added movement; None if there are none.

    Args:
        cache: folder of finished chunks, which are not read again.
        task: MediaPipe's face_landmarker.task, which estimates the blendshapes without grades; None to use the fit.

    Raises:
        ValueError: there is no table of grades, or an image cannot be read.
    """
    chunks = chunks_of(folder)
    plain, moved = cache / f"copies_{copies}", cache / f"edited_{edited}"
    _make_all(functools.partial(_read_copies, copies=copies, task=task, folder=plain), plain, chunks, processes)
    if edited:
        _make_all(functools.partial(_read_edited, copies=edited, task=task, folder=moved), moved, chunks, processes)
    faces = read_chunks([plain / chunk.name() for chunk in chunks])
    if faces is None:
        raise ValueError(f"no face was found in the portraits in {str(folder)!r}")
    return faces, read_chunks([moved / chunk.name() for chunk in chunks]) if edited else None


def chunks_of(folder: Path) -> list[Chunk]:
    """The portraits of all tables in a folder, in chunks."""
    tables = sorted(folder.glob(f"*{_LABELS}"))
    if not tables:
        raise ValueError(f"expected tables of grades (NAME{_LABELS}) in {str(folder)!r}, got none")
    chunks, group = list[Chunk](), 0
    for table in tables:
        count = len(read_grades(table).files)
        chunks += [Chunk(table, first, min(first + _CHUNK, count), group + first) for first in range(0, count, _CHUNK)]
        group += count
    return chunks


def _make_all(make: Callable[[Chunk], None], folder: Path, chunks: list[Chunk], processes: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    missing = [chunk for chunk in chunks if not (folder / chunk.name()).exists()]
    if processes == 1 or len(missing) < 2:
        for chunk in progress(missing, folder.name, unit="chunks"):
            make(chunk)
        return
    with ProcessPoolExecutor(processes) as pool:
        jobs = [pool.submit(make, chunk) for chunk in missing]
        for job in progress(as_completed(jobs), folder.name, len(jobs), unit="chunks"):
            job.result()


def _read_copies(chunk: Chunk, copies: int, task: Path | None, folder: Path) -> None:
    reader, rows = _reader(task), list[Faces]()
    names = open_face_model("open").expression_names
    mirror = [names.index(mirrored_name(name)) for name in names]
    for path, truth, weight, group in _portraits(chunk):
        image = read_image(path)
        place = reader.place(image)
        taught = None if place is None else reader.taught(image, place)
        if place is None or taught is None:
            continue
        for copy in range(copies):
            rng = np.random.default_rng([group, copy])
            shown, transform = _copy(image, copy, rng)
            track = reader.track(shown, place @ transform[:2, :2].T + transform[:2, 2], rng)
            if track is None:
                continue
            told = (truth, taught)
            if np.linalg.det(transform) < 0:
                told = mirrored_grades(truth[None])[0], taught[mirror]
            rows.append(reader.row(shown, track, *told, weight, group))
    write_chunk(folder / chunk.name(), rows)


def _read_edited(chunk: Chunk, copies: int, task: Path | None, folder: Path) -> None:
    editor, rows = _editor(task), list[Faces]()
    for path, truth, weight, group in _portraits(chunk):
        rows += editor.faces(path, read_image(path), truth, weight, group, copies)
    write_chunk(folder / chunk.name(), rows)


def _portraits(chunk: Chunk) -> Iterator[tuple[Path, FloatArray, float, int]]:
    """Path, grades (C,), weight and number of each portrait of a chunk."""
    grades: Grades = read_grades(chunk.table)
    truth = np.stack([grades.columns[column] for column in COLUMNS], axis=1)
    folder = chunk.table.parent / chunk.table.name.removesuffix(_LABELS)
    for number in range(chunk.first, chunk.last):
        weight = 1.0 if grades.passes[number] > 1 else _ONE_PASS
        yield folder / grades.files[number], truth[number], weight, chunk.group + number - chunk.first


def _copy(image: Image, number: int, rng: np.random.Generator) -> tuple[Image, FloatArray]:
    if number == 0:
        return image, np.eye(3)
    return mirrored(image) if number == 1 else augmented(image, rng)


@functools.cache
def _reader(task: Path | None) -> FaceReader:
    """One for each process."""
    cv2.setNumThreads(1)
    return FaceReader(_teacher(task))


@functools.cache
def _editor(task: Path | None) -> Editor:
    return Editor(_reader(task))


def _teacher(task: Path | None) -> Teacher | None:
    if task is None:
        return None
    from face_expr_ros.perception.landmarks.mediapipe_blendshapes import MediapipeBlendshapes

    landmarker, names = MediapipeBlendshapes(task, video=False), open_face_model("open").expression_names

    def read(image: Image) -> FloatArray | None:
        seen = landmarker(image)
        return None if seen is None else np.array([seen.get(name, 0.0) for name in names])

    return read
