"""The files that the verbs `image` and `video` process, and the names of what is drawn of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from face_expr_ros.sources.image_files import OPENCV_SUFFIXES, files_in, image_files

VIDEO_SUFFIXES = (
    ".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".ogv", ".3gp", ".wmv",
)  # fmt: skip
WRITTEN_VIDEOS = (".mp4", ".mov", ".mkv", ".webm")


def still_files(paths: Sequence[Path]) -> list[Path]:
    """The files among the paths, and the images in the folders among them, sorted by name.

    Raises:
        SourceError: a folder has no images.
    """
    return [file for path in paths for file in (image_files(path) if path.is_dir() else [path])]


def video_files(paths: Sequence[Path]) -> list[Path]:
    """The files among the paths, and the videos in the folders among them, sorted by name.

    Raises:
        SourceError: a folder has no videos.
    """
    return [file for path in paths for file in (files_in(path, VIDEO_SUFFIXES, "videos") if path.is_dir() else [path])]


def file_names(files: Sequence[Path]) -> dict[Path, str]:
    """The name of each file in results: its base name, or its path where several files have the same base name."""
    counts = Counter(file.name for file in dict.fromkeys(files))
    return {file: file.name if counts[file.name] == 1 else str(file) for file in files}


def drawn_files(files: Sequence[Path], out: Path, kind: str, *, is_folder: bool) -> list[Path]:
    """The drawn file of each input: ``out`` itself, or in the folder ``out`` a file of the input's name.

    Args:
        files: the inputs.
        out: the value of ``--out``.
        kind: ``image`` or ``video``, for the format where the input's cannot be written.
        is_folder: whether ``out`` is a folder, as for several inputs.

    Raises:
        ValueError: two inputs would be drawn into one file.
    """
    if not is_folder:
        return [out]
    suffixes, default = (OPENCV_SUFFIXES, ".png") if kind == "image" else (WRITTEN_VIDEOS, ".mp4")
    drawn = [out / (file.name if file.suffix.lower() in suffixes else file.stem + default) for file in files]
    for number, path in enumerate(drawn):
        if path in drawn[:number]:
            first = files[drawn.index(path)]
            raise ValueError(
                f"--out: {str(first)!r} and {str(files[number])!r} would both be drawn into {str(path)!r}: rename one, "
                "or process them separately"
            )
    return drawn
