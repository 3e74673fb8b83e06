"""The mirror image of a face in the coefficients of a symmetric model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.arkit import mirrored_name
from face_expr_ros.core.face_model import MorphableModel


@dataclass(frozen=True)
class CoefficientMirror:
    """The coefficients of a mirrored face are ``sign * coefficients[index]``.

    Attributes:
        sign: (I + E,) float32, 1 or -1; index: (I + E,). Shape coefficients come first, then the blendshapes.
    """

    sign: NDArray[np.float32]
    index: NDArray[np.intp]

    def __call__(self, coefficients: NDArray[np.floating]) -> NDArray[np.floating]:
        """Coefficients (..., I + E) of the mirror images."""
        mirrored: NDArray[np.floating] = self.sign * coefficients[..., self.index]
        return mirrored


def coefficient_mirror(model: MorphableModel) -> CoefficientMirror:
    """The mirror of a model; identity components are symmetric or antisymmetric, blendshapes swap sides."""
    mirrored = model.identity[:, model.mirror] * np.array([-1, 1, 1], np.float32)
    sign = np.sign(np.einsum("nvc,nvc->n", mirrored, model.identity))
    names = model.expression_names
    swapped = [names.index(mirrored_name(name)) for name in names]
    count = len(sign)
    return CoefficientMirror(
        np.concatenate([sign, np.ones(len(names))]).astype(np.float32),
        np.concatenate([np.arange(count), count + np.array(swapped)]),
    )


def mirrored_parameters(parameters: NDArray[np.floating], mirror: CoefficientMirror, side: int) -> NDArray[np.floating]:
    """TDDFA parameters (..., 12 + I + E) of mirrored crops of ``side`` pixels; x starts at 1."""
    matrix = parameters[..., :12].reshape(*parameters.shape[:-1], 3, 4)
    flipped = matrix * np.array([1, -1, -1, -1]) * np.array([[1], [-1], [-1]])
    flipped[..., 0, 3] += side + 1
    pose = flipped.reshape(*parameters.shape[:-1], 12)
    return np.concatenate([pose, mirror(parameters[..., 12:])], axis=-1).astype(parameters.dtype, copy=False)
