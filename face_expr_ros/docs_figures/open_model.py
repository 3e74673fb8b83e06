"""Figures of bfm/README.md: the mean, identity components, all blendshapes and the landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.types import Camera, Pose
from face_expr_ros.synthetic.scene import FaceRenderer

Image = NDArray[np.uint8]

COMPONENTS = 8
DEVIATIONS = 2.5
_DISTANCE = 0.9  # meters
_QUALITY = 76
_WHITE = (255, 255, 255)


class PortraitRenderer:
    """Renders square portraits with a field of view given in meters at the face."""

    def __init__(self, model: MorphableModel) -> None:
        self.model = model
        self._renderer = FaceRenderer(model)

    def portrait(
        self, vertices: NDArray[np.float32], size: int, field: float = 0.30, yaw: float = 0.0, center: float = -0.035
    ) -> tuple[Image, NDArray[np.float32]]:
        """A (size, size, 3) image and the vertices' pixels (V, 2).

        Args:
            field: width of the field of view, meters.
            yaw: degrees, positive to the subject's left.
            center: height at the center of the image, meters.
        """
        focal, middle = size * _DISTANCE / field, (size - 1) / 2
        matrix = np.array([[focal, 0.0, middle], [0.0, focal, middle], [0.0, 0.0, 1.0]])
        camera = Camera(size, size, matrix, np.zeros(0), metric=True)
        rotation = np.diag([1.0, -1.0, -1.0]) @ Rotation.from_euler("y", yaw, degrees=True).as_matrix()
        pivot = np.array([0.0, center, -0.06])
        pose = Pose(rotation, np.array([0.0, 0.0, _DISTANCE]) - rotation @ pivot, metric=True)
        points = vertices @ pose.rotation.T + pose.position
        pixels = (focal * points[:, :2] / points[:, 2:] + middle).astype(np.float32)
        return self._renderer.render(vertices, pose, camera), pixels


def draw_model_pictures(model: MorphableModel, folder: Path) -> list[Path]:
    """Write all figures into ``folder`` and return their paths."""
    folder.mkdir(exist_ok=True)
    camera = PortraitRenderer(model)
    pictures = {
        "mean.jpg": mean_picture(camera),
        "identity.jpg": identity_picture(camera),
        "blendshapes.jpg": blendshapes_picture(camera),
        "landmarks.jpg": landmarks_picture(camera),
    }
    for name, picture in pictures.items():
        cv2.imwrite(str(folder / name), picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return [folder / name for name in pictures]


def mean_picture(camera: PortraitRenderer) -> Image:
    """The mean from the front, from three quarters and from the side."""
    mean = camera.model.mean
    return np.hstack([camera.portrait(mean, 420, 0.38, yaw, center=-0.05)[0] for yaw in (0.0, 40.0, 85.0)])


def identity_picture(camera: PortraitRenderer) -> Image:
    """The first components, each at minus and plus DEVIATIONS standard deviations."""
    tiles = []
    for k in range(COMPONENTS):
        for sign in (-1.0, 1.0):
            shape = np.zeros(k + 1)
            shape[k] = sign * DEVIATIONS
            tile = camera.portrait(camera.model.vertices(shape), 260, 0.34, yaw=20.0, center=-0.03)[0]
            tiles.append(_titled(tile, f"{k + 1}: {sign * DEVIATIONS:+.1f} sd"))
    return _grid(tiles, columns=4)


def blendshapes_picture(camera: PortraitRenderer) -> Image:
    """Every blendshape at 1.0; mouthClose, which closes the lips of an open jaw, together with jawOpen."""
    names = camera.model.expression_names
    tiles = []
    for k, name in enumerate(names):
        expression = np.zeros(len(names))
        expression[k] = 1.0
        title = name
        if name == "mouthClose":
            expression[names.index("jawOpen")] = 1.0
            title = "mouthClose + jawOpen"
        tile = camera.portrait(camera.model.vertices(None, expression), 230, 0.205, yaw=12.0, center=-0.042)[0]
        tiles.append(_titled(tile, title))
    return _grid(tiles, columns=8)


def landmarks_picture(camera: PortraitRenderer) -> Image:
    """The 68 iBUG points with their numbers, and the 478 FaceMesh points."""
    model, size = camera.model, 700
    picture, pixels = camera.portrait(model.mean, size, 0.20, center=-0.04)
    numbered, dotted = cv2.convertScaleAbs(picture, alpha=0.8), picture.copy()
    for k, (x, y) in enumerate(pixels[model.landmarks68]):
        _dot(numbered, x, y, (80, 255, 80))
        cv2.putText(numbered, str(k), (int(x) + 4, int(y) - 3), 0, 0.36, _WHITE, 1, cv2.LINE_AA)
    for x, y in model.points(pixels, model.facemesh_triangle, model.facemesh_barycentric):
        _dot(dotted, x, y, (80, 255, 80))
    return np.hstack([numbered, dotted])


def _dot(picture: Image, x: float, y: float, color: tuple[int, int, int]) -> None:
    cv2.circle(picture, (round(x * 16), round(y * 16)), 26, color, -1, cv2.LINE_AA, 4)


def _titled(tile: Image, title: str) -> Image:
    titled = tile.copy()
    cv2.putText(titled, title, (7, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _WHITE, 1, cv2.LINE_AA)
    return titled


def _grid(tiles: Sequence[Image], columns: int) -> Image:
    blanks = [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    cells = [*tiles, *blanks]
    return np.vstack([np.hstack(cells[k : k + columns]) for k in range(0, len(cells), columns)])
