"""Rules that every published message obeys: finite numbers, unit quaternions, blendshapes within 0..1, one header."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from geometry_msgs.msg import Quaternion
from sensor_msgs.msg import CompressedImage, PointCloud2
from std_msgs.msg import Header

from face_expr_ros.ros.message_fields import message_fields

_FLOATS = {"float": np.float32, "double": np.float64}
_QUATERNION_TOLERANCE = 1e-4  # of the norm
# Messages of which a mesh has thousands, and their fields.
_POINTS = {"geometry_msgs/Point": ("x", "y", "z"), "std_msgs/ColorRGBA": ("r", "g", "b", "a")}
# Fields whose values have a range in every type, and in some types only.
_UNIT, _SIGNED = (0.0, 1.0), (-1.0, 1.0)
_RANGES = {
    **dict.fromkeys(
        ("blendshapes", "action_units", "confidence", "looking_at_camera", "speaking", "intensity", *"rgba"), _UNIT
    ),
    **dict.fromkeys(("valence", "arousal"), _SIGNED),
}
_RANGES_OF_TYPES = {
    "NormalizedRegionOfInterest2D": dict.fromkeys(("xmin", "ymin", "xmax", "ymax", "c"), _UNIT),
    "NormalizedPointOfInterest2D": dict.fromkeys(("x", "y", "c"), _UNIT),
}


def violations(message: Any, header: Header | None = None, path: str = "") -> Iterator[str]:
    """What is wrong with a message: one sentence for each field that violates a rule.

    Args:
        message: of any type.
        header: that of the message that contains it; headers inside must be equal.
        path: of the field in that message.
    """
    if isinstance(message, Quaternion):
        yield from _quaternion(message, path)
        return
    own = getattr(message, "header", None)
    if isinstance(message, CompressedImage) and header is not None:
        return  # the unused texture of a Marker
    if isinstance(own, Header):
        if header is not None and own != header:
            yield f"{path}.header: expected {_text(header)}, got {_text(own)}"
        header = header or own
    ranges = _RANGES | _RANGES_OF_TYPES.get(type(message).__name__, {})
    for name, field in message_fields(type(message)).items():
        value, place = getattr(message, name), f"{path}.{name}".lstrip(".")
        if field.is_collection and field.element in _POINTS:
            names = _POINTS[field.element]
            numbers = [getattr(element, each) for element in value for each in names]
            yield from _floats(numbers, _RANGES.get(names[0]), place)
        elif field.is_message:
            # The transforms of a TFMessage and the statuses of diagnostics are independent of each other.
            for index, element in enumerate(value if field.is_collection else [value]):
                yield from violations(element, header, f"{place}[{index}]" if field.is_collection else place)
        elif field.element in _FLOATS:
            yield from _floats(value, ranges.get(name), place)
    if isinstance(message, PointCloud2):
        yield from _cloud(message, path)


def _quaternion(message: Quaternion, path: str) -> Iterator[str]:
    norm = math.sqrt(message.x**2 + message.y**2 + message.z**2 + message.w**2)
    if not abs(norm - 1.0) < _QUATERNION_TOLERANCE:
        yield f"{path}: expected a quaternion of norm 1, got {norm:.6g}"


def _floats(value: Any, limits: tuple[float, float] | None, path: str) -> Iterator[str]:
    numbers = np.atleast_1d(np.asarray(value, np.float64))
    low, high = limits or (-np.inf, np.inf)
    if not np.isfinite(numbers).all():
        yield f"{path}: expected finite numbers, got {numbers[~np.isfinite(numbers)][0]}"
    elif len(numbers) and not (numbers.min() >= low and numbers.max() <= high):
        yield f"{path}: expected values in {low:g}..{high:g}, got {numbers.min():.6g} to {numbers.max():.6g}"


def _cloud(message: PointCloud2, path: str) -> Iterator[str]:
    rows = np.frombuffer(message.data, np.uint8).reshape(-1, message.point_step)
    points = np.ascontiguousarray(rows[:, :12]).view(np.float32)
    if not np.isfinite(points).all():
        yield f"{path}.data: expected finite points"


def _text(header: Header) -> str:
    return f"{header.stamp.sec}.{header.stamp.nanosec:09d} {header.frame_id!r}"
