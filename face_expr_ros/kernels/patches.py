"""Cuts square patches from an image by affine maps, all patches of a face at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _patches


def cut_squares(image: NDArray[np.uint8], transforms: NDArray, side: int) -> NDArray[np.uint8]:
    """Patches of an image, sampled at twice their resolution and averaged.

    Bit-identical, for every (2, 3) map of ``transforms``, to::

        fine = cv2.warpAffine(image, map, (2 * side, 2 * side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        patch = cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA)

    Args:
        image: (height, width) gray; black outside.
        transforms: (n, 2, 3) from the pixels of an oversampled patch to those of the image.
        side: of a patch, pixels.

    Returns:
        (n, side, side) gray.

    Raises:
        ValueError: a shape or type is wrong, the image has no pixels, or a map is not finite.
    """
    if image.ndim != 2 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"expected a gray uint8 image, got {image.dtype} {image.shape}")
    maps = np.ascontiguousarray(transforms, np.float64)
    if maps.ndim != 3 or maps.shape[1:] != (2, 3) or not np.isfinite(maps).all():
        raise ValueError(f"transforms: expected finite values of shape (n, 2, 3), got {maps.shape}")
    if side < 1:
        raise ValueError(f"side: expected at least one pixel, got {side}")
    out = np.empty((len(maps), side, side), np.uint8)
    _patches.cut(np.ascontiguousarray(image), maps, out)
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
    middles: NDArray,
    offsets: NDArray[np.float64],
    across: NDArray[np.float64],
    down: NDArray[np.float64],
    right: tuple[float, float],
    up: tuple[float, float],
    side: int,
) -> tuple[NDArray[np.float64], tuple[float, float, float, float]]:
    """The maps from the pixels of squares to those of an image; equals, with ``end = side - 1``::

        a, d = across[:, None] * right, -down[:, None] * up
        start = middles + offsets @ [right, up] - end / 2 * (a + d)
        np.stack([a, d, start], axis=2)

    Args:
        middles: (n, 2) pixels; offsets: (n, 2) from them to the middles of the squares, along both axes.
        across, down: (n,) lengths of a square's pixel along the axes, negative where it is mirrored.
        right, up: the axes in the image, pixels per length.
        side: of a square, pixels.

    Returns:
        (n, 2, 3), and left, right, top and bottom of the pixels that the squares show.

    Raises:
        ValueError: a shape is wrong, or there is no square.
    """
    n = len(across)
    if not n or middles.shape != (n, 2) or offsets.shape != (n, 2) or down.shape != (n,):
        shapes = f"{middles.shape}, {offsets.shape}, {across.shape} and {down.shape}"
        raise ValueError(f"expected middles and offsets (n, 2), and lengths (n,), n > 0, got {shapes}")
    maps = np.empty((n, 2, 3))
    bounds = _patches.place(np.asarray(middles, np.float64), offsets, across, down, *right, *up, side - 1.0, maps)
    return maps, bounds
