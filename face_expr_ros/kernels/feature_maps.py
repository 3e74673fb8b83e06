"""Square parts of a network's feature map, cut out by affine maps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.kernels import _feature_maps


def sample_features(features: NDArray[np.float32], transforms: NDArray, side: int) -> NDArray[np.float32]:
    """Bilinear samples of a feature map; 0 outside of it.

    Args:
        features: (height, width, channels).
        transforms: (n, 2, 3) from the cells of a part (x, y, 1) to those of the feature map, whose first is (0, 0).
        side: of a part, cells.

    Returns:
        (n, side, side, channels).

    Raises:
        ValueError: a shape or type is wrong, or a map is not finite.
    """
    if features.ndim != 3 or features.dtype != np.float32 or not features.size:
        raise ValueError(f"features: expected float32 (height, width, channels), got {features.dtype} {features.shape}")
    maps = np.ascontiguousarray(transforms, np.float64)
    if maps.ndim != 3 or maps.shape[1:] != (2, 3) or not np.isfinite(maps).all():
        raise ValueError(f"transforms: expected finite (n, 2, 3), got {maps.shape}")
    if side < 1:
        raise ValueError(f"side: expected at least 1, got {side}")
    out = np.empty((len(maps), side, side, features.shape[2]), np.float32)
    _feature_maps.sample(np.ascontiguousarray(features), maps, out)
    return out
