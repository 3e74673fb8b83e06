"""What every source gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import Camera, FloatArray, Pose

Warn = Callable[[str], None]


class SourceError(ValueError):
    """A source that is not there or cannot be read; the text says what was wanted and what to do."""


@dataclass(frozen=True)
class Truth:
    """What was rendered.

    Attributes:
        pose: the head in the camera frame.
        shape: (identity_count,) coefficients in standard deviations.
        expression: (expression_count,) coefficients in the model's own basis, 0..1.
    """

    pose: Pose
    shape: FloatArray
    expression: FloatArray


@dataclass(frozen=True)
class SourceFrame:
    """One image of a source.

    Attributes:
        image: (height, width, 3) uint8, BGR.
        camera: the camera that took it; None where nothing is known of it.
        truths: the faces that were rendered into it; None where the image is not rendered.
    """

    image: NDArray[np.uint8]
    camera: Camera | None = None
    truths: tuple[Truth, ...] | None = None


class Source(Protocol):
    """Gives one image after the other.

    Attributes:
        ahead: the image of a time can be read before that time, as a camera cannot.
    """

    ahead: bool

    def read(self, t: float) -> SourceFrame | None:
        """The next image, which is shown at ``t`` seconds from the first; None after the last one.

        Raises:
            SourceError: there should be one, but it cannot be read.
        """

    def close(self) -> None:
        """Free the device or file."""
