"""The learned fusion: a network that reads points and patches of a face beside two estimates of its blendshapes.

The estimates are the expression head's, which knows rendered faces and their exact movements, and the fit's, which
reads landmarks by geometry. The fusion was trained on graded portraits and on rendered faces at once; how much each
estimate counts for each blendshape, and when, is learned. What it gives is calibrated: a neutral expression reads near
0 and a strong movement near 1.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.face_model import BundleError, MorphableModel
from face_expr_ros.core.types import FaceFit, FloatArray
from face_expr_ros.models.bundle import package_file
from face_expr_ros.models.onnx_session import OnnxNetwork
from face_expr_ros.perception.expression.alignment import Alignment
from face_expr_ros.perception.expression.head import FEATURE_VERSION, ExpressionHead, Head
from face_expr_ros.perception.expression.neutral import Neutrals
from face_expr_ros.perception.fitting import Fitter

INPUTS = ("features", "patches", "fit", "head", "state")
_MOST_REST = 0.9  # of a blendshape in a neutral expression; the remainder is stretched to reach 1


class FusedReader:
    """Head and fusion, one after the other.

    Args:
        head: gives one of the estimates.
        gain: (E,) by what a coefficient of the fit is multiplied to read as a blendshape.
        order: (52,) where the network's blendshapes are among the coefficients of the fit; None for a face model
            without them, whose fits are not read.

    Attributes:
        names: of the blendshapes.

    Raises:
        BundleError: a file is missing or damaged, or was made for other features.
    """

    def __init__(self, head: ExpressionHead, gain: FloatArray, order: NDArray[np.int64] | None) -> None:
        self._head = head
        path = package_file("expression_fusion", "network")
        self._network = OnnxNetwork(path, INPUTS)
        described = self._network.metadata
        self.names: tuple[str, ...] = tuple(json.loads(described["names"]))
        if described.get("feature_version") != str(FEATURE_VERSION) or self.names != self._head.names:
            raise BundleError(f"{path} was trained for another expression head: install this package's weights")
        self._gain, self._order = gain, order
        self._calm = calm(self.names)

    def align(self, points: FloatArray) -> Alignment:
        """Where a face with these landmarks (478, 3) is. Raises ValueError where they do not say."""
        return self._head.align(points)

    def read(
        self,
        image: NDArray[np.uint8],
        points: Sequence[FloatArray],
        aligned: Sequence[Alignment],
        rests: Sequence[FloatArray | None],
        fits: Sequence[FaceFit],
    ) -> tuple[FloatArray, FloatArray]:
        """Blendshapes (n, 52), from each face's neutral expression where that is known, and as they are without."""
        features, patches = self._head.inputs(image, points, aligned)
        head, state = self._head.answer(features, patches, [None] * len(aligned))
        estimates = self._coefficients(fits), head.astype(np.float32), state.astype(np.float32)
        (shown,) = self._network(features, patches, *estimates)
        values = shown.astype(np.float64)
        neutral = np.array([np.zeros(len(self.names)) if rest is None else rest for rest in rests])
        return from_neutral(values, neutral * self._calm), values

    def _coefficients(self, fits: Sequence[FaceFit]) -> NDArray[np.float32]:
        """(n, 52) the fits as blendshapes; zeros where the face model has no such basis."""
        if self._order is None:
            return np.zeros((len(fits), len(self.names)), np.float32)
        shown = np.clip(self._gain * np.array([fit.expression for fit in fits]), 0.0, 1.0)
        return np.asarray(shown[:, self._order], np.float32)


def calm(names: Sequence[str]) -> FloatArray:
    """(len(names),) 1 for blendshapes that a neutral expression does not show, 0 for where its eyes look."""
    return np.array([not name.startswith("eyeLook") for name in names], np.float64)


def from_neutral(values: FloatArray, neutral: FloatArray) -> FloatArray:
    """Blendshapes with what the neutral expression reads taken off: it reads as 0, and 1 stays 1."""
    told = np.clip(neutral, 0.0, _MOST_REST)
    return np.clip((values - told) / (1.0 - told), 0.0, 1.0)


def create(config: ExpressionConfig, model: MorphableModel, fitter: Fitter) -> Head:
    """The backend; with a face model that lacks ARKit's basis, the fits are not read."""
    head, names = ExpressionHead(), model.expression_names
    if not set(head.names) <= set(names):
        return Head(FusedReader(head, np.ones(0), None), Neutrals(config))
    order = np.array([names.index(name) for name in head.names])
    return Head(FusedReader(head, fitter.expression_gain(), order), Neutrals(config))
