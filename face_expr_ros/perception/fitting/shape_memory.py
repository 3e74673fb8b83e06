"""What is known of a face's shape before a frame is fitted: learned from expressions that vary, never from one held.

A frame cannot tell a person's thin lips from lips that are pressed. If every frame of a held expression counted as new
evidence, the shape would absorb the expression within seconds. Frames of one expression therefore count once, as a
*view*: within a view the estimate of the shape is only made surer against noise, in such a way that a face that does
not move keeps both its shape and its expression. When the expression changes, the view is added to what is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.types import FloatArray

_CHANGED = 0.15  # of a blendshape: another view begins
_FLEETING = ("eye",)  # lids and gaze move whatever else is held


class ShapeMemory:
    """Of one face.

    Args:
        size: number of shape coefficients.
        limit: weight of what is known already against a new frame or view, at most.
        telling: (E,) bool, blendshapes that tell one view from another, see `telling_blendshapes`.
    """

    def __init__(self, size: int, limit: float, telling: NDArray[np.bool_]) -> None:
        self.shape: FloatArray = np.zeros(size)  # the estimate, with this view
        self._limit, self._telling = limit, telling
        self._known: FloatArray = np.zeros(size)  # of the views before this one
        self._frames = self._views = 0
        self._view: FloatArray | None = None  # the expression with which this view began

    def inverse_variance(self) -> float:
        """Inverse variance of `expected`."""
        return 1.0 / (1.0 - self._weight(self._frames))

    def expected(self) -> FloatArray:
        """The mean of the prior with which the next frame is fitted.

        The estimate s of a view is where the slope of its frames balances that of what was known before, with mean k
        and certainty c. With the certainty C of many frames the same balance needs the mean ``s - c / C (s - k)``;
        with s itself as the mean it would drift on from frame to frame.
        """
        known = 1.0 / (1.0 - self._weight(self._views))
        return self.shape - known / self.inverse_variance() * (self.shape - self._known)

    def update(self, shape: FloatArray, expression: FloatArray) -> None:
        """Add what was fitted to a frame."""
        told = expression[self._telling]
        if self._view is None or np.abs(told - self._view).max(initial=0.0) > _CHANGED:
            self._begin_view(told)
        past = self._weight(self._frames)
        self.shape = past * self.shape + (1.0 - past) * shape
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
            past = self._weight(self._views)
            self._known = past * self._known + (1.0 - past) * self.shape
            self._views += 1
        self._view = told

    def _weight(self, count: int) -> float:
        return min(self._limit, count / (count + 1.0))


def telling_blendshapes(names: tuple[str, ...]) -> NDArray[np.bool_]:
    """(len(names),) which blendshapes tell whether an expression is held; all where the names are not ARKit's."""
    return np.array([not name.startswith(_FLEETING) for name in names], np.bool_)
