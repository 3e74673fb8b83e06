"""One face of an annotated bag as a take of Epic's app Live Link Face, see `serialization.live_link_csv`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.geometry import FACE_FRAME
from face_expr_ros.core.rotations import rotation_from_quaternion
from face_expr_ros.core.types import Blendshapes, FloatArray
from face_expr_ros.serialization.live_link_csv import DEFAULT_RATE, live_link_csv

Row = Mapping[str, Any]  # column of `bags.export.face_row` -> value


@contextmanager
def live_link_take(path: Path, face_id: str | None = None, rate: int = DEFAULT_RATE) -> Iterator[Callable[[Row], None]]:
    """A function that writes a row of `bags.export.face_row`; the file appears when the context ends without an error.

    Args:
        path: the CSV file.
        face_id: rows of other faces are left out; None expects only one face.
        rate: frames per second of the timecodes.

    Raises:
        ValueError: there is no such face, or there are several and none is selected; blendshapes are missing.
    """
    images: Counter[str] = Counter()
    with live_link_csv(path, rate) as write_face:

        def write(row: Row) -> None:
            images[row["face_id"]] += 1
            if row["face_id"] == (face_id or next(iter(images))):
                write_face(row["stamp_ns"], _blendshapes(row), _rotation(row))

        yield write
        _check_faces(images, face_id)


def _check_faces(images: Mapping[str, int], face_id: str | None) -> None:
    found = ", ".join(f"{name} ({count} images)" for name, count in images.items()) or "none"
    if face_id is None and len(images) > 1:
        raise ValueError(f"expected one face for a Live Link Face file, got {found}: select one with --face")
    if face_id is not None and face_id not in images:
        raise ValueError(f"expected the face {face_id!r}, got {found}")


def _blendshapes(row: Row) -> Blendshapes:
    shapes = {name: row[name] for name in ARKIT_NAMES if name in row}
    return Blendshapes(tuple(shapes), np.array(list(shapes.values())))


def _rotation(row: Row) -> FloatArray:
    """(3, 3) from model axes to the camera frame."""
    face_frame: FloatArray = rotation_from_quaternion(np.array([row[name] for name in ("qx", "qy", "qz", "qw")]))
    return np.asarray(face_frame @ FACE_FRAME.T)
