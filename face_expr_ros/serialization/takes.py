"""Reading of takes: the JSON of the page, and the JSON Lines of the verb video."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.geometry import FACE_FRAME
from face_expr_ros.core.rotations import rotation_from_quaternion
from face_expr_ros.core.takes import Take, TakeFrame
from face_expr_ros.core.types import Blendshapes, FloatArray

_TAKE_FORMAT = "face_expr take"
_QUATERNION_TOLERANCE = 0.01  # of the length; files have rounded numbers


class TakeError(ValueError):
    """A file is not a take, or has no face; the text is for the user."""


def read_take(path: Path, face_id: str = "") -> Take:
    """A take from the page's JSON, or from the JSON Lines of ``face_expr video --jsonl``.

    Args:
        path: the file.
        face_id: of the face; empty is the one with the most frames.

    Raises:
        TakeError: the file is neither, or the face is not in it.
        OSError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        rows = list(_page_rows(text) if _TAKE_FORMAT in text[:200] else _video_rows(text))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        expected = "expected a take of the page as JSON, or JSON Lines of face_expr video"
        raise TakeError(f"{path.name}: {expected}: {type(error).__name__}: {error}") from None
    return choose_face(rows, face_id, path.name)


def choose_face(rows: Iterable[tuple[str, TakeFrame]], face_id: str, name: str) -> Take:
    """The frames of one face of (id, frame), without repeated stamps.

    Raises:
        TakeError: there is no face, or not this one.
    """
    found = list(rows)
    counts = Counter(id for id, _ in found)
    if not counts:
        raise TakeError(f"{name}: expected a face, found none")
    chosen = face_id or max(counts, key=counts.__getitem__)
    if chosen not in counts:
        raise TakeError(f"{name}: expected one of the faces {', '.join(counts)}, got {face_id!r}")
    frames: Take = []
    for id, frame in found:
        if id == chosen and (not frames or frame.stamp_ns > frames[-1].stamp_ns):
            frames.append(frame)
    return frames


def _page_rows(text: str) -> Iterator[tuple[str, TakeFrame]]:
    take = json.loads(text)
    names = tuple(take["blendshape_names"])
    for frame in take["frames"]:
        for face in frame["faces"]:
            rotation = _rotation(face["quaternion_xyzw"])
            yield str(face["id"]), _frame(frame["stamp"], names, face["blendshapes"], rotation, face["position"], face)


def _video_rows(text: str) -> Iterator[tuple[str, TakeFrame]]:
    for line in text.splitlines():
        record = json.loads(line)
        for face in record["faces"]:
            shapes, pose = face["blendshapes"], face["pose"]
            rotation = _rotation(pose["quaternion_xyzw"]) @ FACE_FRAME.T
            values = list(shapes.values())
            yield str(face["id"]), _frame(record["stamp"], tuple(shapes), values, rotation, pose["position"], face)


def _frame(
    stamp: float, names: tuple[str, ...], values: Any, rotation: FloatArray, position: Any, face: dict[str, Any]
) -> TakeFrame:
    missing = [name for name in ARKIT_NAMES if name not in names]
    if missing:
        raise ValueError(f"expected the 52 ARKit blendshapes, missing: {', '.join(missing[:3])} ...")
    blendshapes = _numbers(values, "a value for each name of a blendshape", len(names))
    if blendshapes.min() < 0.0 or blendshapes.max() > 1.0:
        raise ValueError(f"expected blendshapes within 0..1, got {blendshapes.min():g} to {blendshapes.max():g}")
    return TakeFrame(
        round(stamp * 1e9),
        Blendshapes(names, blendshapes),
        rotation,
        _numbers(position, "a position of 3 numbers", 3),
        _numbers(face.get("shape", ()), "shape coefficients"),
    )


def _rotation(quaternion: Any) -> FloatArray:
    numbers = _numbers(quaternion, "a quaternion of 4 numbers", 4)
    length = float(np.linalg.norm(numbers))
    if abs(length - 1.0) > _QUATERNION_TOLERANCE:
        raise ValueError(f"expected a quaternion of length 1, got {length:g}")
    return rotation_from_quaternion(numbers / length)


def _numbers(values: Any, expected: str, count: int | None = None) -> FloatArray:
    """(count,) finite numbers."""
    numbers = np.array(values, float)
    if numbers.ndim != 1 or (count is not None and len(numbers) != count) or not np.isfinite(numbers).all():
        raise ValueError(f"expected {expected}, all finite, got {values!r:.80}")
    return numbers
