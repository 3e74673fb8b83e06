"""The interface of all sources, and the frames they return."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import Camera, FloatArray, Pose

Warn = Callable[[str], None]


class SourceError(ValueError):
    """A source does not exist or cannot be read; the message says what was expected and what to do."""


@dataclass(frozen=True)
class Truth:
    """Ground truth of one rendered face.

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
        camera: the camera of the image; None if unknown.
        truths: ground truth of the rendered faces; None if the image is not rendered.
        time: seconds since the first image, in a video; None where the time of reading counts.
    """

    image: NDArray[np.uint8]
    camera: Camera | None = None
    truths: tuple[Truth, ...] | None = None
    time: float | None = None


class Source(Protocol):
    """A sequence of images.

    Attributes:
        can_read_ahead: whether an image can be read before the time it shows; False for cameras.
    """

    can_read_ahead: bool

    def read(self, t: float) -> SourceFrame | None:
        """The next image, to be shown ``t`` seconds after the first; None after the last one.

        Raises:
            SourceError: the next image cannot be read.
        """

    def close(self) -> None:
        """Release the device or file."""
