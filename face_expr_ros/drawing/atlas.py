"""Texture atlas: packs the UV islands of a face model into one texture.

In the model's own layout the face covers only a few percent of the area. Here the largest island, the skin of the head,
fills the width of the texture, and the small islands share a strip below it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import rasterizer

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]

_MARGIN = 0.012  # between islands, fraction of the texture's width
_STRIP_SCALE = 0.42  # scale of the small islands relative to the head's skin


@dataclass(frozen=True)
class Atlas:
    """A packed texture layout.

    Attributes:
        uv: (U, 2) float32 in units of the texture's width, v downwards.
        uv_triangles: (T, 3) indices into uv.
        height: height of the texture, in widths.
        tiles: (n, 3) left, top and side of the n requested square tiles, in widths.
    """

    uv: Float32
    uv_triangles: Int32
    height: float
    tiles: Float32

    def pixels(self, width: int) -> tuple[int, int]:
        """Width and height of the texture in pixels."""
        return width, int(np.ceil(self.height * width))

    def normalized_uv(self, width: int) -> Float32:
        """uv in 0..1 of the texture's width and height, as the rasterizer expects it."""
        columns, rows = self.pixels(width)
        return (self.uv * np.array([1.0, columns / rows])).astype(np.float32)


def pack(
    uv: NDArray, uv_triangles: NDArray, tile_sides: tuple[float, ...] = (), strip_scale: float = _STRIP_SCALE
) -> Atlas:
    """Pack the islands of a layout: the largest over the whole width, the others and square tiles on shelves below.

    Args:
        uv: (U, 2), v upwards; uv_triangles: (T, 3).
        tile_sides: sides of the tiles, in widths of the texture.
        strip_scale: scale of the other islands relative to the largest.
    """
    island = islands(uv_triangles, len(uv))
    flipped = np.asarray(uv, np.float64) * [1.0, -1.0]
    low = np.array([flipped[island == n].min(axis=0) for n in range(island.max() + 1)])
    size = np.array([flipped[island == n].max(axis=0) for n in range(island.max() + 1)]) - low
    largest = int(np.argmax(size.prod(axis=1)))
    scale = np.full(len(size), strip_scale)
    scale[largest] = 1.0
    scale *= (1.0 - 2 * _MARGIN) / size[largest, 0]
    boxes = np.vstack([size * scale[:, None], np.repeat(np.array(tile_sides)[:, None], 2, axis=1).reshape(-1, 2)])
    corners, height = _shelves(boxes, largest)
    packed = (flipped - low[island]) * scale[island][:, None] + corners[island]
    tiles = np.column_stack([corners[len(size) :], boxes[len(size) :, 0]])
    return Atlas(packed.astype(np.float32), uv_triangles.astype(np.int32), height, tiles.astype(np.float32))


def islands(triangles: NDArray, count: int) -> NDArray:
    """(count,) index of the island of each uv point; triangles: (T, 3)."""
    lowest = np.arange(count)  # of the points known to be in the island of each point
    while True:
        before, at_corners = lowest.copy(), lowest[triangles].min(axis=1)
        for corner in range(3):
            np.minimum.at(lowest, triangles[:, corner], at_corners)
        lowest = lowest[lowest]
        if np.array_equal(lowest, before):
            return np.unique(lowest, return_inverse=True)[1]


def _shelves(boxes: NDArray, first: int) -> tuple[NDArray, float]:
    """Top left corners of boxes on shelves of width 1, the box `first` alone on the first; and the total height."""
    corners = np.full(boxes.shape, _MARGIN)
    x, top = _MARGIN, boxes[first, 1] + 2 * _MARGIN
    bottom = top
    for box in sorted(set(range(len(boxes))) - {first}, key=lambda n: -boxes[n, 1]):
        if x + boxes[box, 0] > 1.0:
            x, top = _MARGIN, bottom
        corners[box] = x, top
        x += boxes[box, 0] + _MARGIN
        bottom = max(bottom, top + boxes[box, 1] + _MARGIN)
    return corners, float(bottom)


@dataclass(frozen=True)
class Texels:
    """The surface under each covered texel of the texture.

    Attributes:
        rows, columns: (N,) position of the texels.
        triangle: (N,) index of the triangle under each texel.
        barycentric: (N, 3) float32 barycentric coordinates in that triangle.
        shape: rows and columns of the texture.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    triangle: Int32
    barycentric: Float32
    shape: tuple[int, int]

    def interpolate(self, values: NDArray, triangles: NDArray) -> Float32:
        """Vertex values (V, k) interpolated at every texel: (N, k), column-major."""
        corners = values[triangles].astype(np.float32)
        columns = [
            np.einsum("nc,nc->n", np.take(corners[..., k], self.triangle, axis=0), self.barycentric)
            for k in range(values.shape[1])
        ]
        return np.stack(columns).T

    def image(self, colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """An image (rows, columns, 4) with the colors (N, 4) of the texels, 0 elsewhere."""
        image = np.zeros((*self.shape, 4), np.uint8)
        image.view(np.uint32)[self.rows, self.columns, 0] = np.ascontiguousarray(colors).view(np.uint32)[:, 0]
        return image


def texels(atlas: Atlas, width: int) -> Texels:
    """Find the surface under each texel by rasterizing the layout."""
    columns, rows = atlas.pixels(width)
    flat = np.column_stack([atlas.uv * width - 0.5, np.ones(len(atlas.uv))]).astype(np.float32)
    _, index = rasterizer.depth_map(flat, atlas.uv_triangles, columns, rows, cull=False)
    row, column = np.nonzero(index != rasterizer.EMPTY)
    triangle = index[row, column]
    weights = barycentric(flat[atlas.uv_triangles, :2], triangle, column, row)
    return Texels(row, column, triangle, weights, (rows, columns))


def barycentric(corners: Float32, triangle: Int32, x: NDArray, y: NDArray) -> Float32:
    """Barycentric coordinates (N, 3) of points x, y (N,) in their triangles of corners (T, 3, 2)."""
    a, ab, ac = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    area = np.where(area == 0, np.float32(1), area)  # degenerate triangles cover no texels
    # Derivatives of the second and the third coordinate in x and y.
    steps = np.column_stack([ac[:, 1], -ac[:, 0], -ab[:, 1], ab[:, 0]]) / area[:, None]
    ax, ay, bx, by, cx, cy = np.take(np.column_stack([a, steps]), triangle, axis=0).T
    dx, dy = x.astype(np.float32) - ax, y.astype(np.float32) - ay
    second, third = bx * dx + by * dy, cx * dx + cy * dy
    return np.column_stack([1 - second - third, second, third])


@dataclass(frozen=True)
class Fringe:
    """Texels just outside the islands, and the nearest covered texel of each.

    Attributes:
        rows, columns: (n,) position of the texels; source_rows, source_columns: (n,) texels they copy the color from.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    source_rows: NDArray[np.intp]
    source_columns: NDArray[np.intp]

    def fill(self, image: NDArray[np.uint8]) -> None:
        """Extend the colors over the borders, in place, so that interpolation and mipmaps do not use empty texels."""
        image[self.rows, self.columns] = image[self.source_rows, self.source_columns]


def fringe(atlas: Atlas, under: Texels, reach: float = 9.0) -> Fringe:
    """The fringe up to `reach` texels wide around the islands and tiles."""
    empty = np.ones(under.shape, bool)
    empty[under.rows, under.columns] = False
    for left, top, side in np.round(atlas.tiles * under.shape[1]).astype(int):
        empty[top : top + side, left : left + side] = False
    distance, label = cv2.distanceTransformWithLabels(
        empty.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    covered = np.flatnonzero(~empty)
    source = np.zeros(len(covered) + 1, np.intp)
    source[label.ravel()[covered]] = covered
    rows, columns = np.nonzero(empty & (distance <= reach))
    return Fringe(rows, columns, *np.unravel_index(source[label[rows, columns]], empty.shape))
