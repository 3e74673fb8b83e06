"""Photographed skin textures in the UV coordinates of MakeHuman's base mesh, which the open model preserves.

A person's skin is a blend of one or two textures, shifted towards the person's skin tone, so that a few photographs
suffice for many people.
"""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.resources import resource_path
from face_expr_ros.synthetic.head import HeadGeometry

Float32 = NDArray[np.float32]
Color = tuple[float, float, float]

_SHIPPED = "bfm/skins"  # contains tones.csv, the tones of the cheeks
_NORMAL_MAP = "_normal"
_CHEEK = (0.043, -0.036, -0.012)  # meters, model axes: where a skin's tone is measured
_CHEEK_SIZE = 0.02
_TOWARDS_TONE = 0.75  # of the way from the photograph's tone to the person's


@dataclass(frozen=True)
class PhotoSkin:
    """A blend of photographed skins.

    Attributes:
        files: image files; weights: blend weights, their sum is 1.
    """

    files: tuple[Path, ...]
    weights: tuple[float, ...]

    def at_texels(self, geometry: HeadGeometry, tone: Color) -> Float32:
        """(N, 3) sRGB blue, green, red at the texels of a prepared head, shifted towards the tone of the cheek."""
        blended = sum(w * _sampled(file, geometry) for file, w in zip(self.files, self.weights, strict=True))
        factor = (np.array(tone, np.float32) / cheek_tone(geometry, np.asarray(blended))) ** _TOWARDS_TONE
        return np.clip(blended * factor, 0, 255).astype(np.float32)


def shipped_skin(tone: Color) -> PhotoSkin:
    """The packaged skin whose brightness is closest to that of the tone."""
    folder = resource_path(_SHIPPED)
    with (folder / "tones.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    brightness = [np.mean([float(row[channel]) for channel in ("blue", "green", "red")]) for row in rows]
    nearest = int(np.argmin(np.abs(np.log(brightness) - np.log(np.mean(tone)))))
    return PhotoSkin((folder / rows[nearest]["file"],), (1.0,))


def skin_files(folder: Path) -> list[Path]:
    """The skin textures in a folder, sorted by name.

    Raises:
        ValueError: the folder has no skins.
    """
    files = [path for path in sorted(folder.glob("*.jpg")) if _NORMAL_MAP not in path.stem]
    if not files:
        raise ValueError(f"expected skins as .jpg files in {str(folder)!r}, got none")
    return files


def random_skin(files: list[Path], tones: Float32, tone: Color, rng: np.random.Generator) -> PhotoSkin:
    """A blend of one or two skins whose brightness is close to that of a tone.

    Args:
        tones: (n, 3) cheek tones of the files.
    """
    brightness = tones.mean(axis=1)
    nearest = np.argsort(np.abs(np.log(brightness / np.mean(tone))) + rng.exponential(0.12, len(files)))[:2]
    share = float(rng.uniform(0.5, 1.0)) if rng.random() < 0.7 else 1.0
    return PhotoSkin(tuple(files[index] for index in nearest), (share, 1 - share))


def skin_tones(files: list[Path], geometry: HeadGeometry) -> Float32:
    """(n, 3) blue, green, red of each skin's cheeks."""
    return np.array([cheek_tone(geometry, _sampled(file, geometry)) for file in files])


def cheek_tone(geometry: HeadGeometry, colors: Float32) -> Float32:
    """(3,) mean of colors (N, 3) at the texels of the cheeks."""
    tone: Float32 = colors[_cheeks(geometry)].mean(axis=0)
    return np.maximum(tone, 1.0)


@functools.lru_cache(maxsize=2)
def _cheeks(geometry: HeadGeometry) -> NDArray[np.intp]:
    position = geometry.texels.interpolate(geometry.model.mean, geometry.model.triangles)
    position[:, 0] = np.abs(position[:, 0])
    return np.flatnonzero(np.linalg.norm(position - np.array(_CHEEK, np.float32), axis=1) < _CHEEK_SIZE)


@functools.lru_cache(maxsize=32)
def _sampled(file: Path, geometry: HeadGeometry) -> Float32:
    """(N, 3) colors of a skin texture at the texels."""
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"expected an image, got {str(file)!r}, which cannot be decoded")
    columns, rows = _places(geometry)
    height, width = image.shape[:2]
    x, y = (columns * width - 0.5)[None], (rows * height - 0.5)[None]
    # cv2.remap takes at most 32767 columns
    parts = [
        cv2.remap(image, x[:, at : at + 30_000], y[:, at : at + 30_000], cv2.INTER_LINEAR)[0]
        for at in range(0, x.shape[1], 30_000)
    ]
    return np.concatenate(parts).astype(np.float32)


@functools.lru_cache(maxsize=2)
def _places(geometry: HeadGeometry) -> tuple[Float32, Float32]:
    """Columns and rows (N,) of the texels, as fractions of the texture's width and height."""
    uv = geometry.texels.interpolate(geometry.model.uv, geometry.model.uv_triangles)
    return np.ascontiguousarray(uv[:, 0]), np.ascontiguousarray(1 - uv[:, 1])
