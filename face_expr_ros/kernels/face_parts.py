"""The parts of the face between FaceMesh's two networks, compiled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _face_parts

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


class FaceParts:
    """Cuts the parts of the face out of a feature map, and places the second network's points.

    Args:
        parts: indices of the landmarks of each part.
        corners: (n, 2) for each part the two landmarks between which its x axis points.
        margin: side of a part, in sides of the upright box around its landmarks.
        side: of a part, cells of the feature map.
        cell: side of a cell, pixels.
        irises: the part, and the indices, of the irises, if there are any.
        lids: number of the first landmarks of a part that give its iris the depth.

    Raises:
        ValueError: an index is negative, or the number of corners is not that of the parts.
    """

    def __init__(
        self,
        parts: Sequence[NDArray],
        corners: NDArray,
        margin: float,
        side: int,
        cell: int,
        irises: Sequence[tuple[int, NDArray]] = (),
        lids: int = 1,
    ) -> None:
        self.parts = [np.ascontiguousarray(part, np.intc) for part in parts]
        self._places = [*self.parts, *(np.ascontiguousarray(iris, np.intc) for _, iris in irises)]
        self._part_of = np.array([*range(len(parts)), *(part for part, _ in irises)], np.intp)
        self._lids = lids
        self._indices = np.concatenate(self.parts)
        self._ends = np.cumsum([len(part) for part in parts]).astype(np.intc)
        self._corners = np.ascontiguousarray(corners, np.intc)
        every = np.concatenate([self._corners.ravel(), *self._places])
        if self._corners.shape != (len(parts), 2) or every.min() < 0:
            raise ValueError(f"expected two corners for each of {len(parts)} parts, got {self._corners.shape}")
        self._count = int(every.max()) + 1
        self._margin, self._side, self._cell = margin, side, cell

    def cut(self, points: Float32, features: Float32, out: Sequence[Float32]) -> Float64:
        """Cut the parts out of a feature map.

        Equals, for each part, `sample_features` with the map from its cells to those of the feature map, which belongs
        to ``axes``: with ``box`` the corners of the box around its landmarks in the axes ``[right, down]`` from corner
        to corner, enlarged by the margin, ``axes @ (x, y, 1)`` is the pixel at (x, y), 0..1 along the box.

        Args:
            points: (>= n, 3) the landmarks, x and y in pixels.
            features: (height, width, channels).
            out: for each part (side, side, channels) for the result.

        Returns:
            axes (n, 2, 3).

        Raises:
            ValueError: a shape is wrong.
        """
        if points.ndim != 2 or points.shape[1] != 3 or len(points) < self._count or features.ndim != 3:
            raise ValueError(
                f"expected at least {self._count} points (n, 3) and features (height, width, channels), got "
                f"{points.shape} and {features.shape}"
            )
        shape = (self._side, self._side, features.shape[2])
        if [part.shape for part in out] != [shape] * len(self.parts):
            raise ValueError(
                f"out: expected {len(self.parts)} of the shape {shape}, got {[part.shape for part in out]}"
            )
        axes = np.empty((len(out), 2, 3))
        _face_parts.cut(
            points, self._indices, self._ends, self._corners, self._margin, self._cell, features, axes, list(out)
        )
        return axes

    def place(self, answers: Sequence[Float32], axes: Float64, unit: float, points: Float32) -> None:
        """Write the second network's points of the parts, then of the irises.

        Equals, for each answer and the axes of its part::

            points[indices, :2] = answer.reshape(-1, 2) / unit @ axes[:, :2].T + axes[:, 2]

        and for an iris, whose depth is that of the lids of its part::

            points[iris, 2] = points[part[:lids], 2].mean()

        Args:
            answers: for each part, and each iris, x and y of its points in one row, ``unit`` at the far side of the
                part.
            axes: (n, 2, 3) from `cut`.
            points: (>= n, 3), changed.

        Raises:
            ValueError: a shape is wrong.
        """
        sizes = [2 * len(place) for place in self._places]
        given = [len(answer) for answer in answers]
        if given != sizes or axes.shape != (len(self.parts), 2, 3) or len(points) < self._count:
            raise ValueError(
                f"expected answers of {sizes} numbers, axes ({len(self.parts)}, 2, 3) and {self._count} points, got "
                f"{given}, {axes.shape} and {points.shape}"
            )
        _face_parts.place(list(answers), self._places, self._part_of, axes, unit, self._lids, points)
