"""Joint tables: what each joint of a robot's head follows, how far and how fast it may go."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from face_expr_ros.core.resources import resource_path
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.retargeting.sources import NAMES
from face_expr_ros.retargeting.yaml_files import read_yaml

SHIPPED = ("neck", "pan_tilt")


@dataclass(frozen=True)
class Joint:
    """One row of a joint table. Positions are in the joint's unit: radians, or meters where it slides.

    Attributes:
        name: as the robot calls it.
        source: weights of quantities (``sources.NAMES``); their sum is the value that is followed.
        minimum, maximum: limits of the position.
        velocity, acceleration: limits, per second and per second squared.
        dead_band: values of at most this size count as 0, larger ones are counted from there.
        curve: (value, value) points, ascending; what lies between is interpolated, what is outside is held at the end.
        gain, offset: position = offset + gain * curve(value).
        rest: the position while there is nobody to follow.
        relative: the joint carries the camera: its position is counted from where it was when the image was taken.
    """

    name: str
    source: Mapping[str, float]
    minimum: float
    maximum: float
    velocity: float
    acceleration: float
    dead_band: float = 0.0
    curve: tuple[tuple[float, float], ...] = ()
    gain: float = 1.0
    offset: float = 0.0
    rest: float = 0.0
    relative: bool = False

    def target(self, value: float, position: float) -> float:
        """The position, within the limits, for a finite value of the source; ``position`` when the image was taken."""
        value = math.copysign(max(abs(value) - self.dead_band, 0.0), value)
        if self.curve:
            values, results = zip(*self.curve, strict=True)
            value = float(np.interp(value, values, results))
        wanted = self.offset + self.gain * value + (position if self.relative else 0.0)
        return min(max(wanted, self.minimum), self.maximum)


@dataclass(frozen=True)
class JointTargets:
    """Where the joints should be at one moment; each tuple has a value for each name.

    Attributes:
        names: of the joints.
        positions: radians, or meters where a joint slides.
        velocities: the same per second.
    """

    names: tuple[str, ...]
    positions: tuple[float, ...]
    velocities: tuple[float, ...]


_LARGEST = 1e6  # of limits and curves: much larger ones overflow where they are multiplied
_BOUNDED = ("minimum", "maximum", "velocity", "acceleration")
_NUMBERS = {field.name for field in fields(Joint) if field.type == "float"}
_REQUIRED = ("source", "minimum", "maximum", "velocity", "acceleration")


def load_joints(table: str) -> tuple[Joint, ...]:
    """The rows of a joint table: the name of one that comes with the package, or the path of a YAML file.

    Raises:
        ConfigError: the file cannot be read or a row cannot be used.
    """
    path = resource_path(f"config/heads/{table}.yaml") if table in SHIPPED else Path(table)
    try:
        content = read_yaml(path)
    except ConfigError as error:
        raise ConfigError(
            f"table must be {' or '.join(SHIPPED)}, or a YAML file that can be read; {table!r} was given: {error}"
        ) from None
    try:
        return joints_from(content)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def joints_from(content: Any) -> tuple[Joint, ...]:
    """The rows of a table that has been read: ``{"joints": {name: {"source": ..., ...}, ...}}``.

    Raises:
        ConfigError: it is no joint table, or a row cannot be used; the text names joint and key.
    """
    if not isinstance(content, dict) or list(content) != ["joints"] or not isinstance(content["joints"], dict):
        raise ConfigError(
            f"a joint table has one key, joints, and below it the joints by their names, {content!r:.80} was given"
        )
    if not content["joints"]:
        raise ConfigError("a joint table has at least one joint below the key joints, none was given")
    return tuple(_joint(name, row) for name, row in content["joints"].items())


def _joint(name: Any, row: Any) -> Joint:
    if not isinstance(name, str) or not name:
        raise ConfigError(f"a joint's name must be a text (in quotes where it looks like a number), {name!r} was given")
    if not isinstance(row, dict):
        raise ConfigError(f"{name} must be a table of {', '.join(_REQUIRED)} and more, {row!r} was given")
    known = [field.name for field in fields(Joint) if field.name != "name"]
    for key in row:
        if key not in known:
            raise ConfigError(f"{name} has no key {key!r}{_hint(key, known)}")
    for key in _REQUIRED:
        if key not in row:
            raise ConfigError(f"{name} must have {key}: {', '.join(_REQUIRED)} are needed")
    result = Joint(name=name, **{key: _checked(f"{name}.{key}", key, value) for key, value in row.items()})
    _check_limits(result)
    return result


def _checked(place: str, key: str, value: Any) -> Any:
    if key == "source":
        return _source(place, value)
    if key == "curve":
        return _curve(place, value)
    if key in _BOUNDED:
        return _bounded(place, value)
    if key in _NUMBERS:
        return _number(place, value)
    if type(value) is not bool:
        raise ConfigError(f"{place} must be true or false, {value!r} was given")
    return value


def _source(place: str, value: Any) -> dict[str, float]:
    weights = {value: 1.0} if isinstance(value, str) else value
    if not isinstance(weights, dict) or not weights:
        raise ConfigError(
            f"{place} must be the name of a quantity or a table of names and weights, {value!r} was given"
        )
    for name in weights:
        if name not in NAMES:
            raise ConfigError(f"{place} must be a quantity of a face, {name!r} was given{_hint(name, NAMES)}")
    return {name: _number(f"{place}.{name}", weight) for name, weight in weights.items()}


def _curve(place: str, value: Any) -> tuple[tuple[float, float], ...]:
    pairs = isinstance(value, list) and all(isinstance(point, list) and len(point) == 2 for point in value)
    if not pairs or len(value) < 2:
        raise ConfigError(f"{place} must be a list of two or more [value, value], {value!r} was given")
    points = tuple((_bounded(place, x), _bounded(place, y)) for x, y in value)
    if any(left[0] >= right[0] for left, right in pairwise(points)):
        raise ConfigError(f"{place} must ascend in its first numbers, {value!r} was given")
    return points


def _number(place: str, value: Any) -> float:
    if type(value) not in (int, float) or not abs(value) <= sys.float_info.max:  # as NaN and infinity are not, either
        hint = "; that is a text: YAML wants numbers without quotes, and 1.0e+3 for 1e3"
        raise ConfigError(f"{place} must be a number, {value!r} was given{hint if isinstance(value, str) else ''}")
    return float(value)


def _bounded(place: str, value: Any) -> float:
    number = _number(place, value)
    if abs(number) > _LARGEST:
        raise ConfigError(f"{place} must be from {-_LARGEST:.0f} to {_LARGEST:.0f}, {value!r} was given")
    return number


def _check_limits(joint: Joint) -> None:
    if joint.minimum == joint.maximum:
        raise ConfigError(f"{joint.name} must have minimum < maximum, {joint.minimum:g} was given for both")
    if not joint.minimum <= joint.rest <= joint.maximum:
        raise ConfigError(
            f"{joint.name} must have minimum <= rest <= maximum, "
            f"{joint.minimum:g}, {joint.rest:g} and {joint.maximum:g} were given"
        )
    for key in ("velocity", "acceleration"):
        if getattr(joint, key) <= 0:
            raise ConfigError(f"{joint.name}.{key} must be above 0, {getattr(joint, key):g} was given")
    if joint.dead_band < 0:
        raise ConfigError(f"{joint.name}.dead_band must be 0 or more, {joint.dead_band:g} was given")


def _hint(word: Any, known: tuple[str, ...] | list[str]) -> str:
    nearest = get_close_matches(str(word), known, n=1)
    return f", did you mean {nearest[0]}?" if nearest else f"; there are {', '.join(known)}"
