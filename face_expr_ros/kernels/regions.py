"""Cuts a rotated region from a color image at the input size of a network.

The functions give the results of OpenCV 4, with any version and without OpenCV: OpenCV 5's interpolation differs by up
to 3 of 255, which moves the faces that a detector finds, and with them all landmarks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _regions

FloatArray = NDArray[np.floating]


def cut_region(
    image: NDArray[np.uint8], transform: FloatArray, side: int, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """The region of an image under an affine map, with reversed channels and values in 0..1.

    Bit-identical, with OpenCV 4, to::

        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        crop = cv2.warpAffine(image, transform, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        crop[:, :, ::-1] * np.float32(1 / 255)

    Args:
        image: (height, width, 3); outside, the nearest pixel is used.
        transform: (2, 3) from the pixels of the region to those of the image.
        side: of the region, pixels.
        out: (side, side, 3) for the result; by default a new array.

    Returns:
        (side, side, 3), contiguous.

    Raises:
        ValueError: a shape or type is wrong, the image has no pixels, or the map is not finite.
    """
    pixels, places = _checked(image, transform)
    if side < 1:
        raise ValueError(f"side: expected at least one pixel, got {side}")
    if out is None:
        out = np.empty((side, side, 3), np.float32)
    if out.shape != (side, side, 3):
        raise ValueError(f"out: expected the shape {(side, side, 3)}, got {out.shape}")
    _regions.cut(pixels, places, out, np.empty((4, side), np.int64))
    return out


def warp_affine(
    image: NDArray[np.uint8], transform: FloatArray, size: tuple[int, int], *, black: bool = False
) -> NDArray[np.uint8]:
    """An image under an affine map, with reversed channels.

    Bit-identical, with OpenCV 4, to::

        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        border = cv2.BORDER_CONSTANT if black else cv2.BORDER_REPLICATE
        cv2.warpAffine(image, transform, size, flags=flags, borderMode=border)[:, :, ::-1]

    Args:
        image: (height, width, 3).
        transform: (2, 3) from the pixels of the result to those of the image.
        size: width and height of the result, pixels.
        black: it is black outside the image; else the nearest pixel is used.

    Returns:
        (height, width, 3), contiguous.

    Raises:
        ValueError: a shape or type is wrong, the image has no pixels, or the map is not finite.
    """
    pixels, places = _checked(image, transform)
    width, height = size
    if width < 1 or height < 1:
        raise ValueError(f"size: expected at least one pixel in each direction, got {size}")
    out = np.empty((height, width, 3), np.uint8)
    _regions.warp(pixels, places, black, out, np.empty((3, width), np.int64))
    return out


def _checked(image: NDArray[np.uint8], transform: FloatArray) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The image with each row in one piece, and the map in double precision."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"expected a uint8 image (height, width, 3), got {image.dtype} {image.shape}")
    places = np.ascontiguousarray(transform, np.float64)
    if places.shape != (2, 3) or not np.isfinite(places).all():
        raise ValueError(f"transform: expected a finite map (2, 3), got {places.tolist()}")
    rows_in_one_piece = image.strides[1:] == (3, 1) and image.strides[0] > 0
    return image if rows_in_one_piece else image.copy(), places


def map_points(points: NDArray[np.float32], axes: FloatArray) -> NDArray[np.float32]:
    """Points under an affine map, in double precision; equals ``points @ axes[:, :3].T + axes[:, 3]``.

    Args:
        points: (n, 3) float32.
        axes: (3, 4).

    Raises:
        ValueError: a shape or type is wrong.
    """
    if points.ndim != 2 or points.shape[1] != 3 or axes.shape != (3, 4):
        raise ValueError(f"expected points (n, 3) and axes (3, 4), got {points.shape} and {axes.shape}")
    out = np.empty(points.shape, np.float32)
    _regions.move(points, np.ascontiguousarray(axes, np.float64), out)
    return out
