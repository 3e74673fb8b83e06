"""The mean of two witnesses: the expression head, and the coefficients of the fit where those say something.

The head reads drawn faces much better, and has seen no others. The fit reads landmarks by geometry, whoever they belong
to. Their errors have little to do with each other, so that the mean is the safer answer for real faces.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import Blendshapes, FaceFit, FloatArray, Frame, Track
from face_expr_ros.perception.expression import coefficients, head
from face_expr_ros.perception.expression.coefficients import Coefficients
from face_expr_ros.perception.expression.head import Head
from face_expr_ros.perception.fitting import Fitter

# Where the coefficients alone correlate with drawn faces by 0.4 or nearly, see docs/expression_table.md.
WITNESSED = (
    "eyeBlink", "eyeLookIn", "eyeLookOut", "eyeWide", "browDown", "browInnerUp", "browOuterUp", "jawOpen",
    "mouthPucker", "mouthSmile", "mouthFrown", "mouthPress",
)  # fmt: skip


class HeadAndFit:
    """Both stages, each with its own memory of a face's rest.

    Args:
        head: answers alone where the coefficients say nothing, and where FaceMesh does not see the face.
        coefficients: of a face model with ARKit's basis; None with another one.
    """

    def __init__(self, head: Head, coefficients: Coefficients | None) -> None:
        self._head = head
        self._coefficients = coefficients

    def reset(self) -> None:
        """Forget all faces."""
        for stage in self._stages():
            stage.reset()

    def keep(self, face_ids: Collection[str]) -> None:
        """Forget all faces but these."""
        for stage in self._stages():
            stage.keep(face_ids)

    def calibrate(self) -> int:
        """Take what the last frame's faces showed for a second as their rest; the number of faces."""
        if self._coefficients is not None:
            self._coefficients.calibrate()
        return self._head.calibrate()

    def __call__(self, frame: Frame, tracks: list[Track], fits: list[FaceFit]) -> list[Blendshapes]:
        """The blendshapes of each face, seen from its rest where that is known."""
        read = self._head(frame, tracks, fits)
        if self._coefficients is None:
            return read
        witnesses = self._coefficients(frame, tracks, fits)
        return [
            first if track.landmarks is None else _mean(first, second)
            for track, first, second in zip(tracks, read, witnesses, strict=True)
        ]

    def _stages(self) -> list[Head | Coefficients]:
        return [stage for stage in (self._head, self._coefficients) if stage is not None]


def _mean(read: Blendshapes, witness: Blendshapes) -> Blendshapes:
    share, places = _shares(read.names, witness.names)
    return Blendshapes(read.names, read.values + share * (witness.values[places] - read.values))


@cache
def _shares(names: tuple[str, ...], witnesses: tuple[str, ...]) -> tuple[FloatArray, NDArray[np.int64]]:
    """(n,) how much the coefficients count for each name, and where it stands among theirs."""
    share = np.where([name.startswith(WITNESSED) for name in names], 0.5, 0.0)
    return share, np.array([witnesses.index(name) for name in names])


def create(config: ExpressionConfig, model: MorphableModel, fitter: Fitter) -> HeadAndFit:
    """The backend."""
    reader = head.create(config, model, fitter)
    fits = set(reader.names) <= set(model.expression_names)
    return HeadAndFit(reader, coefficients.create(config, model, fitter) if fits else None)
