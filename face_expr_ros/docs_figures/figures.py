"""The pictures of README.md and docs/: ``python -m face_expr_ros.docs_figures`` draws them all again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.config import DRAW_MODES, CameraConfig, PerceptionConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.geometry import FACE_FRAME, pinhole_camera, project, rotation_from_euler, to_camera
from face_expr_ros.core.resources import resource_path
from face_expr_ros.core.types import Camera, Face, FloatArray, Frame, Pose
from face_expr_ros.docs_figures.expression_samples import portraits_picture
from face_expr_ros.docs_figures.robots import neck_picture
from face_expr_ros.docs_figures.tddfa_samples import curves_picture, samples_picture
from face_expr_ros.drawing.mesh_overlay import draw_mesh
from face_expr_ros.drawing.modes import draw
from face_expr_ros.drawing.overlays import annotate, draw_axes, draw_bars, draw_box, draw_landmarks
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.sources.synthetic import SyntheticSource
from face_expr_ros.synthetic.scene import FaceRenderer

Image = NDArray[np.uint8]
Color = tuple[int, int, int]

LAUGH = 18.2  # seconds into the actor's script
_WARM_UP = 1.0  # seconds of the script before the frame that is shown
_RATE = 30.0  # Hz
_QUALITY = 88
_WHITE, _SHADOW, _BLUE = (245, 245, 245), (25, 25, 25), (255, 200, 70)
_RED, _GREEN, _DEEP_BLUE = (60, 60, 235), (80, 200, 60), (240, 130, 50)  # x, y and z, as RViz draws them


@dataclass(frozen=True)
class _Perceived:
    """A frame of the synthetic actor and what the pipeline found in it."""

    frame: Frame
    faces: tuple[Face, ...]
    model: MorphableModel


def draw_pictures(folder: Path) -> list[Path]:
    """Write all pictures as JPEG into ``folder``; their paths."""
    model = open_face_model("open")
    laugh = _perceive(model, LAUGH)
    pictures = {
        "demo.jpg": demo_picture(laugh),
        "stages.jpg": stages_picture(laugh),
        "kinds.jpg": kinds_picture(laugh),
        "angles.jpg": angles_picture(model),
        "camera.jpg": camera_picture(model),
        "training.jpg": samples_picture(model),
        "portraits.jpg": portraits_picture(model),
        "neck.jpg": neck_picture(model),
        "training_curves.jpg": curves_picture(resource_path("weights/tddfa_open_mb05_curves.csv")),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        cv2.imwrite(str(folder / name), picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return [folder / name for name in pictures]


def demo_picture(seen: _Perceived) -> Image:
    """The annotated image without and with the fitted mesh."""
    tiles = [annotate(seen.frame, seen.faces, seen.model, mesh=mesh) for mesh in (False, True)]
    return np.hstack([_around_face(tile, seen, 560, 520) for tile in tiles])


def stages_picture(seen: _Perceived) -> Image:
    """The image, its landmarks, the fitted model, pose and expression."""
    face, image, camera = seen.faces[0], seen.frame.image, seen.frame.camera
    tiles = [image.copy() for _ in range(4)]
    if face.landmarks is not None:
        draw_landmarks(tiles[1], face.landmarks.points, _BLUE)
    draw_box(tiles[1], face.roi, face.id, _BLUE)
    draw_mesh(tiles[2], [face.fit], seen.model, camera, opacity=0.95)
    draw_axes(tiles[3], face.fit.pose, camera)
    draw_bars(tiles[3], face.blendshapes, face.roi, _BLUE)
    titles = ("image", "landmarks, tracker", "fitted model", "pose, expression")
    parts = [_around_face(tile, seen, 520, 400) for tile in tiles]
    return _grid([_titled(part, title) for part, title in zip(parts, titles, strict=True)], 2)


def kinds_picture(seen: _Perceived) -> Image:
    """Everything that `face_expr image --draw` can draw."""
    tiles = [draw(kind, seen.frame, seen.faces, seen.model) for kind in DRAW_MODES]
    parts = [
        _around_face(tile, seen, 400, 440) if tile.shape == seen.frame.image.shape else tile[: tile.shape[1]]
        for tile in tiles
    ]
    parts = [np.asarray(cv2.resize(part, (300, 330), interpolation=cv2.INTER_AREA), np.uint8) for part in parts]
    return _grid([_titled(part, kind) for part, kind in zip(parts, DRAW_MODES, strict=True)], 4)


def angles_picture(model: MorphableModel) -> Image:
    """The positive direction of each angle, with the axes of the face frame."""
    renderer = FaceRenderer(model)
    camera = pinhole_camera(420, 440, 30.0)
    tiles = []
    for title, angles in (
        ("yaw 0, pitch 0, roll 0", (0, 0, 0)),
        ("yaw +30", (30, 0, 0)),
        ("pitch +20", (0, 20, 0)),
        ("roll +20", (0, 0, 20)),
    ):
        pose = Pose(rotation_from_euler(*np.radians(angles)), np.array([0.0, -0.02, 0.85]), metric=True)
        tile = renderer.render(model.mean, pose, camera)
        draw_axes(tile, pose, camera, length=0.1)
        tiles.append(_titled(tile, title))
    tiles[0] = _sided(tiles[0])
    return _grid(tiles, 4)


def _sided(tile: Image) -> Image:
    """The subject's right and left, as they appear in the image."""
    height, width = tile.shape[:2]
    _write(tile, "subject's right", (10, height - 14), 0.45)
    _write(tile, "subject's left", (width - 112, height - 14), 0.45)
    return tile


def camera_picture(model: MorphableModel) -> Image:
    """The camera with its image and axes, and a face before it, seen from beside and above the camera."""
    eye, target = np.array([0.95, -0.42, -0.28]), np.array([0.03, -0.01, 0.36])
    viewer, look = pinhole_camera(1100, 620, 34.0), _look_at(eye, target)
    face = Pose(rotation_from_euler(0.0, 0.0, 0.0), np.array([0.0, 0.0, 0.7]), metric=True)
    seen = Pose(look.rotation @ face.rotation, to_camera(face.position[None], look)[0], metric=True)
    picture = FaceRenderer(model).render(model.mean, seen, viewer)
    sketch = _Sketch(picture, viewer, look)
    corners = np.array([[-0.16, -0.1, 0.25], [0.16, -0.1, 0.25], [0.16, 0.1, 0.25], [-0.16, 0.1, 0.25]])
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        sketch.line(start, end, _WHITE)
        sketch.line(np.zeros(3), start, (170, 170, 170))
    sketch.line(np.zeros(3), face.position, _BLUE, "position")
    draw_axes(picture, seen, viewer, length=0.13)
    for axis, color, name in zip(np.eye(3) * 0.17, (_RED, _GREEN, _DEEP_BLUE), ("x", "y", "z"), strict=True):
        sketch.arrow(np.zeros(3), axis, color, name)
    sketch.arrow(corners[0], corners[0] + [0.1, 0, 0], _WHITE, "u")
    sketch.arrow(corners[0], corners[0] + [0, 0.07, 0], _WHITE, "v")
    sketch.note(corners[0], "pixel (0, 0)", (-20, -16))
    sketch.note(np.zeros(3), "camera_optical_frame", (-170, -14))
    for axis, name in zip(FACE_FRAME.T * 0.13, ("x", "y", "z"), strict=True):
        sketch.note(face.position + face.rotation @ axis, name, (-6, -10))
    sketch.note(face.position, "face_f1", (22, -118))
    return picture


@dataclass(frozen=True)
class _Sketch:
    """Lines of the camera frame, drawn as a viewer elsewhere sees them."""

    picture: Image
    viewer: Camera
    look: Pose

    def pixel(self, point: FloatArray) -> tuple[int, int]:
        """Where a point (3,) of the camera frame, meters, is in the picture."""
        x, y = project(to_camera(np.asarray(point)[None], self.look), self.viewer)[0]
        return round(float(x)), round(float(y))

    def line(self, start: FloatArray, end: FloatArray, color: Color, name: str = "") -> None:
        """A thin line, its name in the middle."""
        cv2.line(self.picture, self.pixel(start), self.pixel(end), color, 1, cv2.LINE_AA)
        if name:
            self.note((start + end) / 2, name, (-10, 22))

    def arrow(self, start: FloatArray, end: FloatArray, color: Color, name: str) -> None:
        """An axis, its name at the tip."""
        cv2.arrowedLine(self.picture, self.pixel(start), self.pixel(end), color, 3, cv2.LINE_AA, tipLength=0.15)
        self.note(end, name, (8, 4))

    def note(self, place: FloatArray, text: str, offset: tuple[int, int]) -> None:
        """A text beside a point."""
        x, y = self.pixel(place)
        _write(self.picture, text, (x + offset[0], y + offset[1]), 0.6)


def _look_at(eye: FloatArray, target: FloatArray) -> Pose:
    """From the camera frame to the frame of a viewer at ``eye`` who looks at ``target``, with the same up."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return Pose(rotation, -rotation @ eye, metric=True)


def _perceive(model: MorphableModel, time: float) -> _Perceived:
    """The actor at a time of the script, after the pipeline has watched for a while."""
    source, pipeline = SyntheticSource(CameraConfig(), model), Pipeline(PerceptionConfig())
    for moment in np.arange(time - _WARM_UP, time, 1.0 / _RATE):
        frame, _ = source.at(float(moment))
        faces = pipeline(frame)
    pipeline.close()
    return _Perceived(frame, faces, model)


def _around_face(image: Image, seen: _Perceived, width: int, height: int) -> Image:
    """A part of the image with the face, and room for the bars to the right of it."""
    roi = seen.faces[0].roi
    left, top = round(roi.x - 0.22 * width), round(roi.y + roi.height / 2 - height / 2)
    return image[top : top + height, left : left + width].copy()


def _titled(tile: Image, title: str) -> Image:
    (width, _), _ = cv2.getTextSize(title, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 1)
    _write(tile, title, (tile.shape[1] - width - 12, 26), 0.6)
    return tile


def _write(image: Image, text: str, place: tuple[int, int], size: float) -> None:
    for color, width in ((_SHADOW, 3), (_WHITE, 1)):
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, color, width, cv2.LINE_AA)


def _grid(tiles: Sequence[Image], columns: int) -> Image:
    rows = [np.hstack(tiles[first : first + columns]) for first in range(0, len(tiles), columns)]
    return np.vstack(rows)
