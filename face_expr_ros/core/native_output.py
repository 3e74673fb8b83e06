"""Keeps the log lines of native libraries (TensorFlow Lite, XNNPACK, Abseil, libjpeg) off the terminal.

They are written to file descriptor 2 by C++ code, so that Python's `sys.stderr` cannot intercept them.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

SHOW = "FACE_EXPR_NATIVE_LOGS"  # environment variable: any value but "" and "0" shows the lines
# Read by the libraries when they are loaded.
_LEVELS = {
    "OPENCV_LOG_LEVEL": "SILENT", "OPENCV_FFMPEG_LOGLEVEL": "-8", "GLOG_minloglevel": "3", "TF_CPP_MIN_LOG_LEVEL": "3",
}  # fmt: skip


def lower_log_levels() -> None:
    """Keep OpenCV, FFmpeg and TensorFlow quiet in this process and its children; levels that are set remain.

    Call before these libraries are imported. Their errors are reported by this package, in a sentence.
    """
    if not _shown():
        for name, level in _LEVELS.items():
            os.environ.setdefault(name, level)


@contextmanager
def native_output_hidden() -> Iterator[None]:
    """Discard what is written to file descriptor 2 inside the block; shown after all when the block raises."""
    if _shown():
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as hidden:
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            hidden.seek(0)
            os.write(2, hidden.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextmanager
def native_output_discarded() -> Iterator[None]:
    """Discard what native code writes to file descriptor 2 inside the block, in any thread, such as libjpeg's lines.

    `sys.stderr` still writes to the terminal: progress bars and messages of this package remain.
    """
    if _shown() or not _is_descriptor_2(sys.stderr):
        yield
        return
    original = sys.stderr
    original.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere, open(kept, "w", 1, original.encoding, original.errors) as terminal:
        os.dup2(nowhere.fileno(), 2)
        sys.stderr = terminal
        try:
            yield
        finally:
            sys.stderr = original
            terminal.flush()
            os.dup2(kept, 2)


def _is_descriptor_2(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.fileno() == 2
    except (OSError, ValueError):  # replaced by a stream without a file
        return False


def _shown() -> bool:
    return os.environ.get(SHOW, "0") not in ("", "0")
