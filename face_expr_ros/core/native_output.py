"""Keeps the log lines of native libraries (TensorFlow Lite, XNNPACK, Abseil) off the terminal.

They are written to file descriptor 2 by C++ code, so that Python's `sys.stderr` cannot intercept them.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

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


def _shown() -> bool:
    return os.environ.get(SHOW, "0") not in ("", "0")
