"""Where lips, eyelids and ears lie on the open face model's skin: MakeHuman's masks (CC0)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from face_expr_ros.open_model.build_masks import HEAD_CUT
from face_expr_ros.resources import resource_path

Float32 = NDArray[np.float32]


def head_masks(uv: NDArray) -> tuple[Float32, Float32, Float32]:
    """Lips, eyelids and ears, each (n,) in 0..1, at the open model's texture coordinates (n, 2)."""
    image = cv2.imread(str(resource_path("bfm/open_face_masks.png")))
    left, top, right, bottom = HEAD_CUT
    x = (uv[:, 0] - left) / (right - left) * image.shape[1] - 0.5
    y = (1 - uv[:, 1] - top) / (bottom - top) * image.shape[0] - 0.5
    lips, lids, ears = (
        map_coordinates(image[..., k].astype(np.float32) / 255, [y, x], order=1, output=np.float32) for k in range(3)
    )
    return lips, lids, ears
