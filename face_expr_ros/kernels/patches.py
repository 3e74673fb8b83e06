"""Cuts square patches from an image by affine maps, all patches of a face at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _patches

# By the type of the points: the dispatch of a compiled function takes as long as its loop.
_PLACE = {np.dtype(np.float32): _patches.place["float"], np.dtype(np.float64): _patches.place["double"]}


def cut_squares(
    image: NDArray[np.uint8], transforms: NDArray, side: int, origin: tuple[int, int] = (0, 0), step: int = 1
) -> NDArray[np.uint8]:
    """Patches of an image, sampled at twice their resolution and averaged.

    Bit-identical, for every (2, 3) map of ``transforms``, to::

        fine = cv2.warpAffine(image, map, (2 * side, 2 * side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        patch = cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA)

    Args:
        image: (height, width) gray; black outside.
        transforms: (n, 2, 3) from the pixels of an oversampled patch to those of the image.
        side: of a patch, pixels.
        origin, step: the maps are to an image of which this one is the part from column and row ``origin`` on, reduced
            to the means of squares of ``step`` pixels.

    Returns:
        (n, side, side) gray.

    Raises:
        ValueError: a shape or type is wrong, the image has no pixels, or a map is not finite.
    """
    if image.ndim != 2 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"expected a gray uint8 image, got {image.dtype} {image.shape}")
    maps = np.ascontiguousarray(transforms, np.float64)
    if maps.ndim != 3 or maps.shape[1:] != (2, 3):
        raise ValueError(f"transforms: expected finite values of shape (n, 2, 3), got {maps.shape}")
    if side < 1:
        raise ValueError(f"side: expected at least one pixel, got {side}")
    out = np.empty((len(maps), side, side), np.uint8)
    if not _patches.cut(np.ascontiguousarray(image), maps, *origin, step, out):
        raise ValueError(f"transforms: expected finite values, got {maps.tolist()}")
    return out


def gray_of(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image (height, width, 3) in gray; bit-identical to ``cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)``.

    Raises:
        ValueError: the shape or type is wrong, or there are no pixels.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"expected a uint8 image (height, width, 3), got {image.dtype} {image.shape}")
    out = np.empty(image.shape[:2], np.uint8)
    _patches.gray(image if image.strides[1:] == (3, 1) else image.copy(), out)
    return out


def place_squares(
    points: NDArray[np.floating],
    pairs: NDArray[np.intp],
    offsets: NDArray[np.float64],
    across: NDArray[np.float64],
    down: NDArray[np.float64],
    rotation: NDArray[np.float64],
    scale: float,
    shortest: float,
    side: int,
) -> tuple[NDArray[np.float64], tuple[float, float, float, float]]:
    """The maps from the pixels of squares on a face to those of the image; equals, with ``end = side - 1``::

        axes = rotation[:2, :2].T * (1, -1)  # the face's x and y in the image
        lengths = np.linalg.norm(axes, axis=1, keepdims=True)
        right, up = axes * scale * np.maximum(lengths, shortest) / lengths
        a, d = across[:, None] * right, -down[:, None] * up
        start = points[pairs, :2].mean(axis=1) + offsets @ [right, up] - end / 2 * (a + d)
        np.stack([a, d, start], axis=2)

    Args:
        points: (m, >= 2) float32 or float64, pixels.
        pairs: (n, 2) rows, not checked; their mean is the place of a square.
        offsets: (n, 2) from there to the middles of the squares, along both axes of the face.
        across, down: (n,) lengths of a square's pixel along the axes, negative where it is mirrored.
        rotation: (3, 3) of the face, to x right, y up and z to the viewer; scale: pixels per length.
        shortest: the length to which a foreshortened axis of length 1 is extended.
        side: of a square, pixels.

    Returns:
        (n, 2, 3), and left, right, top and bottom of the pixels that the squares show.

    Raises:
        ValueError: a shape or type is wrong, or there is no square.
    """
    n = len(across)
    if not n or pairs.shape != (n, 2) or offsets.shape != (n, 2) or down.shape != (n,) or rotation.shape != (3, 3):
        shapes = f"{pairs.shape}, {offsets.shape}, {across.shape}, {down.shape} and {rotation.shape}"
        raise ValueError(f"expected pairs and offsets (n, 2), lengths (n,), n > 0, and a rotation (3, 3), got {shapes}")
    if points.ndim != 2 or points.shape[1] < 2 or points.dtype not in _PLACE:
        raise ValueError(f"expected points (m, 2) or (m, 3), got {points.dtype} {points.shape}")
    maps = np.empty((n, 2, 3))
    place = _PLACE[points.dtype]
    bounds = place(points, pairs, offsets, across, down, rotation, scale, shortest, side - 1.0, maps)
    return maps, bounds
