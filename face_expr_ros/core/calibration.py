"""The calibration of one person: a neutral expression, and gain, dead zone and curve of each blendshape.

A measured value x becomes

    a = max(0, x - neutral) / (1 - neutral)
    b = max(0, a - dead_zone) / (1 - dead_zone)
    y = min(1, gain * b) ** curve

docs/calibration.md describes the file ``calibration.yaml``.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import yaml
from pydantic import AfterValidator, Field

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import Blendshapes, FloatArray
from face_expr_ros.core.yaml_files import StrictModel, load_yaml, parse_yaml

MAX_NEUTRAL = 0.9  # of a blendshape in the neutral expression; the remaining range is scaled to reach 1
MAX_TEXT = 32768  # characters of a calibration; a complete one has about 4000
_DIGITS = 4
_HEADER = "# Calibration of one person for face_expr_ros: docs/calibration.md\n"


def _check_name(name: str) -> str:
    if name not in ARKIT_NAMES:
        nearest = get_close_matches(name, ARKIT_NAMES, n=1)
        hint = f", did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(f"expected a blendshape of ARKit, got {name!r:.80}{hint}")
    return name


_Name = Annotated[str, AfterValidator(_check_name)]
_Part = Annotated[float, Field(ge=0, le=MAX_NEUTRAL)]


class Response(StrictModel):
    """How a blendshape answers above the neutral expression.

    Attributes:
        gain: 2 reaches 1 at half of the range.
        dead_zone: values up to this one become 0.
        curve: exponent; above 1 is gentler at the start, below 1 steeper.
    """

    gain: Annotated[float, Field(ge=0, le=10)] = 1.0
    dead_zone: _Part = 0.0
    curve: Annotated[float, Field(ge=0.2, le=5)] = 1.0


class Calibration(StrictModel):
    """The content of ``calibration.yaml``; a blendshape that is not listed is not changed.

    Attributes:
        version: of the format.
        name: of the person, for people who read the file.
        neutral: blendshapes of the neutral expression.
        blendshapes: their responses.
    """

    version: Literal[1] = 1
    name: Annotated[str, Field(max_length=200)] = ""
    neutral: dict[_Name, _Part] = Field(default_factory=dict)
    blendshapes: dict[_Name, Response] = Field(default_factory=dict)

    def with_neutral(self, neutral: dict[str, float]) -> Calibration:
        """This calibration with another neutral expression; values are limited to ``MAX_NEUTRAL``."""
        limited = {name: round(min(max(value, 0.0), MAX_NEUTRAL), _DIGITS) for name, value in neutral.items()}
        return self.model_copy(update={"neutral": {name: value for name, value in limited.items() if value > 0.0}})


class CalibratedResponse:
    """Applies a calibration to blendshapes."""

    def __init__(self, calibration: Calibration) -> None:
        self.calibration = calibration
        self._rows = lru_cache(maxsize=16)(self._rows_of)  # by names, which come from messages

    def __call__(self, blendshapes: Blendshapes, neutral: bool = True) -> Blendshapes:
        """The calibrated blendshapes, in the same order; names that are not ARKit's are not changed.

        Args:
            blendshapes: 0..1.
            neutral: False for values that are already relative to the neutral expression.
        """
        index, rest, gain, dead_zone, curve = self._rows(blendshapes.names)
        if not len(index):
            return blendshapes
        rest = rest if neutral else np.zeros_like(rest)
        values = blendshapes.values.astype(np.float64)
        above = np.maximum(values[index] - rest, 0.0) / (1.0 - rest)
        above = np.maximum(above - dead_zone, 0.0) / (1.0 - dead_zone)
        values[index] = np.minimum(gain * above, 1.0) ** curve
        return Blendshapes(blendshapes.names, values)

    def _rows_of(self, names: tuple[str, ...]) -> tuple[FloatArray, ...]:
        """Indices of the listed blendshapes in ``names``, and their neutral values, gains, dead zones and curves."""
        neutral, listed, default = self.calibration.neutral, self.calibration.blendshapes, Response()
        rows = [
            (place, neutral.get(name, 0.0), response.gain, response.dead_zone, response.curve)
            for place, name in enumerate(names)
            if name in neutral or name in listed
            for response in [listed.get(name, default)]
        ]
        table = np.array(rows, np.float64).reshape(-1, 5)
        return (table[:, 0].astype(np.intp), *table[:, 1:].T)


def load_calibration(path: Path) -> Calibration:
    """Load ``calibration.yaml``.

    Raises:
        ConfigError: the file cannot be read, or is not a calibration; the text names file, line and key.
    """
    return load_yaml(path, Calibration, "make one with face_expr calibrate --out")


def open_calibration(path: str) -> CalibratedResponse | None:
    """The calibration file that a parameter names; None for an empty one. Raises ConfigError as `load_calibration`."""
    return CalibratedResponse(load_calibration(Path(path))) if path else None


def parse_calibration(text: str) -> Calibration:
    """A calibration from YAML or JSON text, without YAML's anchors, with which a short text can become a huge value.

    Raises:
        ConfigError: the text is not a calibration.
    """
    if re.search(r"(^|[\s\[{,:])[&*][^\s,\]}]", text):
        raise ConfigError("calibration: expected YAML without anchors (&) and aliases (*)")
    return parse_yaml(text, Calibration, "calibration")


def calibration_yaml(calibration: Calibration) -> str:
    """The text of ``calibration.yaml``."""
    content = calibration.model_dump()
    flat = yaml.safe_dump(
        {name: content[name] for name in ("version", "name", "neutral")}, sort_keys=False, allow_unicode=True
    )
    lines = [f"  {name}: {_row(response)}" for name, response in calibration.blendshapes.items()]
    return _HEADER + flat + ("blendshapes:\n" + "\n".join(lines) + "\n" if lines else "blendshapes: {}\n")


def _row(response: Response) -> str:
    return f"{{gain: {response.gain:g}, dead_zone: {response.dead_zone:g}, curve: {response.curve:g}}}"
