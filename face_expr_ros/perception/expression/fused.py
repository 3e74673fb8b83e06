"""The learned fusion: a network whose inputs are a face's points and patches and two estimates of its blendshapes.

The estimates come from the expression head, which is trained on rendered faces with exact blendshapes, and from the
fit, which is based on the geometry of the landmarks. The fusion is trained jointly on graded portraits and rendered
faces; the weight of each estimate is learned per blendshape and depends on the input. Its outputs are calibrated: about
0 for a neutral expression and about 1 for a strong movement.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.face_model import BundleError, MorphableModel
from face_expr_ros.core.types import FaceFit, FloatArray
from face_expr_ros.kernels.small_vectors import scaled_columns
from face_expr_ros.models.batch_network import open_network
from face_expr_ros.models.bundle import package_file
from face_expr_ros.perception.expression.alignment import Alignment
from face_expr_ros.perception.expression.head import FEATURE_VERSION, ExpressionHead, Head
from face_expr_ros.perception.expression.neutral import Neutrals, from_neutral, neutral_mask
from face_expr_ros.perception.fitting import Fitter

INPUTS = ("features", "patches", "fit", "head", "state", "appearance", "known")


class FusedReader:
    """Runs the expression head and the fusion network.

    Args:
        head: expression head, one of the two estimates.
        gain: (E,) factor from coefficients of the fit to blendshapes.
        order: (52,) indices of the network's blendshapes in the coefficients of the fit; None for a face model
            without ARKit blendshapes, whose fits are not used.
        provider: of the fusion network, see `open_network`.

    Attributes:
        names: names of the blendshapes.

    Raises:
        BundleError: a file is missing or damaged, or was made for other features.
    """

    def __init__(
        self, head: ExpressionHead, gain: FloatArray, order: NDArray[np.int64] | None, provider: str = "cpu"
    ) -> None:
        self._head = head
        path = package_file("expression_fusion", "network")
        onnx = partial(package_file, "expression_fusion", "onnx")
        self._network = open_network(path, INPUTS, provider, onnx=onnx)
        described = self._network.metadata
        self.names: tuple[str, ...] = tuple(json.loads(described["names"]))
        if described.get("feature_version") != str(FEATURE_VERSION) or self.names != self._head.names:
            raise BundleError(f"{path} was trained for another expression head: install this package's weights")
        self._gain, self._order = gain, order
        self._mask = neutral_mask(self.names)
        self._unknown = np.zeros(int(described["appearance"]), np.float32)

    def align(self, points: FloatArray) -> Alignment:
        """The alignment of a face with landmarks (478, 3). Raises ValueError for degenerate landmarks."""
        return self._head.align(points)

    def read(
        self,
        image: NDArray[np.uint8],
        points: Sequence[FloatArray],
        aligned: Sequence[Alignment],
        rests: Sequence[FloatArray | None],
        fits: Sequence[FaceFit],
        appearance: Sequence[NDArray[np.float32] | None],
    ) -> tuple[FloatArray, FloatArray]:
        """Blendshapes (n, 52), relative to each face's neutral expression where it is known, and absolute ones."""
        features, patches = self._head.inputs(image, points, aligned)
        estimates = self._coefficients(fits), *self._head.estimates(features, patches)
        (shown,) = self._network(features, patches, *estimates, *self._appearance(appearance))
        values = shown.astype(np.float64)
        if all(rest is None for rest in rests):
            return np.minimum(np.maximum(values, 0.0), 1.0), values
        neutral = np.array([np.zeros(len(self.names)) if rest is None else rest for rest in rests])
        return from_neutral(values, neutral * self._mask), values

    def _appearance(
        self, appearance: Sequence[NDArray[np.float32] | None]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(n, count) features, zeros where they are unknown, and (n, 1) 1 where they are known."""
        known = np.array([[each is not None] for each in appearance], np.float32)
        rows = [self._unknown if each is None else each for each in appearance]
        return rows[0][None] if len(rows) == 1 else np.array(rows, np.float32), known

    def _coefficients(self, fits: Sequence[FaceFit]) -> NDArray[np.float32]:
        """(n, 52) blendshapes of the fits; zeros for a face model without ARKit blendshapes."""
        if self._order is None:
            return np.zeros((len(fits), len(self.names)), np.float32)
        return scaled_columns([fit.expression for fit in fits], self._gain, self._order)


def create(config: ExpressionConfig, model: MorphableModel, fitter: Fitter) -> Head:
    """Create the backend; fits are not used with a face model without ARKit blendshapes."""
    head, names = ExpressionHead(config.provider), model.expression_names
    if not set(head.names) <= set(names):
        return Head(FusedReader(head, np.ones(0), None, config.provider), Neutrals(config))
    order = np.array([names.index(name) for name in head.names])
    return Head(FusedReader(head, fitter.expression_gain(), order, config.provider), Neutrals(config))
