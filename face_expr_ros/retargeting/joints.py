"""Joint tables: for each joint of a robot's head the quantity that it follows, its limits and its mapping."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from face_expr_ros.core.resources import resource_path
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.yaml_files import StrictModel, load_yaml
from face_expr_ros.retargeting.sources import NAMES

SHIPPED = ("neck", "pan_tilt")
_MAX_LIMIT = 1e6  # of limits and curves: products of larger numbers overflow


def _as_weights(source: Any) -> Any:
    return {source: 1.0} if isinstance(source, str) else source


def _check_quantity(name: str) -> str:
    if name not in NAMES:
        nearest = get_close_matches(name, NAMES, n=1)
        hint = f", did you mean {nearest[0]!r}?" if nearest else f"; available: {', '.join(NAMES)}"
        raise ValueError(f"expected a quantity of a face, got {name!r}{hint}")
    return name


def _check_curve(curve: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    if len(curve) < 2 or any(left[0] >= right[0] for left, right in pairwise(curve)):
        points = [list(point) for point in curve]
        raise ValueError(f"expected two or more points [value, value] with ascending first values, got {points}")
    return curve


_Limit = Annotated[float, Field(ge=-_MAX_LIMIT, le=_MAX_LIMIT)]
_Rate = Annotated[float, Field(gt=0, le=_MAX_LIMIT)]
_Point = Annotated[tuple[_Limit, _Limit], Field(strict=False)]  # YAML has lists, not tuples


class Joint(StrictModel):
    """One row of a joint table. Positions are in the joint's unit: radians, or meters for a prismatic joint.

    Attributes:
        source: weights of quantities (``sources.NAMES``); the weighted sum is the input value.
        minimum, maximum: position limits.
        velocity, acceleration: limits, per second and per second squared.
        dead_band: input values up to this magnitude are 0; it is subtracted from the magnitude of larger ones.
        curve: (input, output) points with ascending inputs; linear in between, constant outside.
        gain, offset: position = offset + gain * curve(value).
        rest: position without a face.
        relative: the joint moves the camera: the position is relative to the one at the image's stamp.
    """

    source: Annotated[
        dict[Annotated[str, AfterValidator(_check_quantity)], float], BeforeValidator(_as_weights), Field(min_length=1)
    ]
    minimum: _Limit
    maximum: _Limit
    velocity: _Rate
    acceleration: _Rate
    dead_band: Annotated[float, Field(ge=0)] = 0.0
    curve: Annotated[tuple[_Point, ...], Field(strict=False), AfterValidator(_check_curve)] = ()
    gain: float = 1.0
    offset: float = 0.0
    rest: float = 0.0
    relative: bool = False

    @model_validator(mode="after")
    def _check_limits(self) -> Joint:
        if self.minimum == self.maximum or not self.minimum <= self.rest <= self.maximum:
            given = f"{self.minimum:g}, {self.rest:g} and {self.maximum:g}"
            raise ValueError(f"expected minimum < maximum and minimum <= rest <= maximum, got {given}")
        return self

    def target(self, value: float, position: float) -> float:
        """The target position, within the limits.

        Args:
            value: finite value of the source.
            position: of the joint at the image's stamp; used by relative joints.
        """
        value = math.copysign(max(abs(value) - self.dead_band, 0.0), value)
        if self.curve:
            values, results = zip(*self.curve, strict=True)
            value = float(np.interp(value, values, results))
        target = self.offset + self.gain * value + (position if self.relative else 0.0)
        return min(max(target, self.minimum), self.maximum)


@dataclass(frozen=True)
class JointTargets:
    """Target positions and velocities of the joints at one time, in the order of ``names``.

    Attributes:
        names: joint names.
        positions: radians, or meters for prismatic joints.
        velocities: the same per second.
    """

    names: tuple[str, ...]
    positions: tuple[float, ...]
    velocities: tuple[float, ...]


class _JointTable(StrictModel):
    joints: Annotated[dict[Annotated[str, Field(min_length=1)], Joint], Field(min_length=1)]


def load_joints(table: str) -> Mapping[str, Joint]:
    """Load a joint table, by joint name.

    Args:
        table: a table of the package (``SHIPPED``), or the path of a YAML file.

    Raises:
        ConfigError: the file cannot be read or is not a joint table; the text names file, line, joint and key.
    """
    path = resource_path(f"config/heads/{table}.yaml") if table in SHIPPED else Path(table)
    usage = f"the parameter table is {', '.join(SHIPPED)} or the path of a YAML file"
    return load_yaml(path, _JointTable, usage).joints


def select_joints(joints: Mapping[str, Joint], names: str) -> Mapping[str, Joint]:
    """The joints with these names, in the order of the names.

    Args:
        joints: a joint table.
        names: joint names separated by spaces; empty selects all.

    Raises:
        ConfigError: a name is not in the table.
    """
    selected = names.split()
    for name in selected:
        if name not in joints:
            raise ConfigError(f"joints: expected joints of the table ({', '.join(joints)}), got {name!r}")
    return {name: joints[name] for name in selected} if selected else joints
