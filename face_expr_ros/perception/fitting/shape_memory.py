"""The prior of a face's shape from earlier frames: updated when the expression changes, not while one is held.

A single frame does not distinguish thin lips from pressed lips. If each frame of a held expression were independent
evidence, the shape would absorb the expression within seconds. The frames of one expression are therefore combined into
one *view*: within a view, averaging reduces the noise of the shape, and a static face keeps both its shape and its
expression. When the expression changes, the view is added to the prior.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.small_vectors import largest_change, weighted_mean

_CHANGED = 0.15  # change of a blendshape that begins a new view
_FLEETING = ("eye",)  # eyelids and gaze also move while an expression is held


class ShapeMemory:
    """The shape prior of one face.

    Args:
        size: number of shape coefficients.
        limit: maximum weight of the previous estimate against a new frame or view.
        telling: (E,) bool, blendshapes that distinguish views, see `telling_blendshapes`.
    """

    def __init__(self, size: int, limit: float, telling: NDArray[np.bool_]) -> None:
        self.shape: FloatArray = np.zeros(size)  # the estimate, including the current view
        self._limit, self._telling = limit, np.flatnonzero(telling)
        self._known: FloatArray = np.zeros(size)  # the estimate from the earlier views
        self._frames = self._views = 0
        self._view: FloatArray | None = None  # the expression at the beginning of the current view

    def inverse_variance(self) -> float:
        """Inverse variance of `expected`."""
        return 1.0 / (1.0 - self._weight(self._frames))

    def expected(self) -> FloatArray:
        """The mean of the prior with which the next frame is fitted.

        The estimate s of a view is where the gradient of its frames balances that of the earlier prior with mean k and
        inverse variance c. With the larger inverse variance C after many frames, the same balance requires the mean
        ``s - c / C (s - k)``; with the mean s, the estimate would drift from frame to frame.
        """
        known = 1.0 / (1.0 - self._weight(self._views))
        return weighted_mean(self._known, self.shape, known / self.inverse_variance())

    def update(self, shape: FloatArray, expression: FloatArray) -> None:
        """Add the fit of a frame."""
        if self._view is None or largest_change(expression, self._telling, self._view) > _CHANGED:
            self._begin_view(expression[self._telling])
        self.shape = weighted_mean(self.shape, shape, self._weight(self._frames))
        self._frames += 1

    def state_dict(self) -> dict[str, Any]:
        """The state between two frames."""
        return {
            "shape": self.shape, "known": self._known, "frames": self._frames, "views": self._views, "view": self._view
        }  # fmt: skip

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.shape, self._known, self._view = state["shape"], state["known"], state["view"]
        self._frames, self._views = state["frames"], state["views"]

    def _begin_view(self, told: FloatArray) -> None:
        if self._view is not None:
            self._known = weighted_mean(self._known, self.shape, self._weight(self._views))
            self._views += 1
        self._view = told

    def _weight(self, count: int) -> float:
        return min(self._limit, count / (count + 1.0))


def telling_blendshapes(names: tuple[str, ...]) -> NDArray[np.bool_]:
    """(len(names),) mask of the blendshapes that show a change of expression: all except those of the eyes."""
    return np.array([not name.startswith(_FLEETING) for name in names], np.bool_)
