"""Rotated square regions of a color image: where they are, and their pixels at the input size of a network.

The functions that sample give the results of OpenCV 4, with any version and without OpenCV: OpenCV 5's interpolation
differs by up to 3 of 255, which moves the faces that a detector finds, and with them all landmarks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _regions

FloatArray = NDArray[np.floating]
RegionNumbers = tuple[float, float, float, float]  # x and y of the center and side, pixels; rotation, radians


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
    if not _regions.cut(pixels, places, out, np.empty((3, side), np.int64)):
        raise ValueError(f"transform: expected a finite map (2, 3), got {places.tolist()}")
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
    if not np.isfinite(places).all():
        raise ValueError(f"transform: expected a finite map (2, 3), got {places.tolist()}")
    out = np.empty((height, width, 3), np.uint8)
    _regions.warp(pixels, places, black, out, np.empty((5, width), np.int64))
    return out


def _checked(image: NDArray[np.uint8], transform: FloatArray) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The image with each row in one piece, and the map in double precision."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"expected a uint8 image (height, width, 3), got {image.dtype} {image.shape}")
    places = np.ascontiguousarray(transform, np.float64)
    if places.shape != (2, 3):
        raise ValueError(f"transform: expected a finite map (2, 3), got {places.tolist()}")
    rows_in_one_piece = image.strides[1:] == (3, 1) and image.strides[0] > 0
    return image if rows_in_one_piece else image.copy(), places


def region_transform(region: RegionNumbers, side: int) -> NDArray[np.float64]:
    """The map (2, 3) from the pixels of a region that is sampled with ``side`` pixels to those of the image.

    As MediaPipe cuts it out, including its half-pixel offsets: coordinates relative to the corner of the first pixel
    are used as if relative to its center. Equals, with ``right = region.side / side * (cos(rotation), sin(rotation))``
    and ``down`` the same turned by a quarter::

        np.column_stack([right, down, (x + 0.5, y + 0.5) - side / 2 * (right + down)])
    """
    transform = np.empty((2, 3))
    _regions.place(*region, side, transform)
    return transform


def points_in_image(points: NDArray[np.float32], region: RegionNumbers) -> NDArray[np.float32]:
    """Points (n, 3) relative to a region's corner and side, in image pixels; computed in double precision.

    Raises:
        ValueError: the shape is wrong.
    """
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"expected points (n, 3), got {points.shape}")
    out = np.empty(points.shape, np.float32)
    _regions.move(points, *region, out)
    return out


def region_around(points: NDArray[np.float32], eyes: tuple[int, int], margin: float) -> RegionNumbers:
    """The square around points, rotated with the line through two of them.

    Args:
        points: (n, >= 2) pixels.
        eyes: rows of the two points, from left to right in an upright image.
        margin: side of the square, in long sides of the box around the points.

    Returns:
        NaN if a coordinate is NaN.

    Raises:
        ValueError: the shape is wrong, or there is no point at ``eyes``.
    """
    if points.ndim != 2 or points.shape[1] < 2 or not 0 <= min(eyes) <= max(eyes) < len(points):
        raise ValueError(f"expected points (n, 2) or (n, 3) with the rows {eyes}, got {points.shape}")
    found: RegionNumbers = _regions.around(points, *eyes, margin)
    return found


def followed_region(last: RegionNumbers, region: RegionNumbers, play: float, rotation_play: float) -> RegionNumbers:
    """The region nearest to ``last`` that differs from ``region`` by no more than the play.

    Args:
        play: of x, y and side, in sides; rotation_play: radians.
    """
    found: RegionNumbers = _regions.follow(*last, *region, play, rotation_play)
    return found
