"""The picture of an annotated bag: its messages drawn in the arrangement of the layout for Foxglove.

Everything is drawn from what a viewer reads: the image, mesh_markers, CameraInfo, expression and pose of the bag.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from face_expr_ros.bags.annotate import annotate
from face_expr_ros.bags.foxglove import SHOWN, TARGET, VIEW
from face_expr_ros.bags.job import Job
from face_expr_ros.bags.messages import CAMERA_INFO, IMAGE, cdr, types_of
from face_expr_ros.bags.reading import Recording
from face_expr_ros.bags.writing import SplitWriter, new_topic
from face_expr_ros.core.config import CameraConfig
from face_expr_ros.core.geometry import pinhole_camera, project
from face_expr_ros.core.types import Camera, FloatArray, Frame
from face_expr_ros.serialization.message_dicts import header_values
from face_expr_ros.sources.synthetic import SyntheticSource

Image = NDArray[np.uint8]

_RATE = 30.0  # Hz
_SECONDS = 4.0  # duration of the bag
_SIZE = (640, 400)  # of a panel, pixels
_START_NS = 1_700_000_000_000_000_000
_TOPIC, _INFO = "/camera/image", "/camera/camera_info"
_BACKGROUND, _GRID, _TEXT = (46, 42, 40), (80, 76, 74), (235, 235, 235)
_COLORS = ((226, 152, 78), (77, 119, 245), (113, 223, 247), (169, 214, 92), (226, 149, 163), (156, 93, 214))  # BGR


def bag_picture(time: float) -> Image:
    """Four panels of an annotated bag of the synthetic actor, which ends at a time of the script, seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        camera = _record(folder / "recording", time - _SECONDS)
        annotate(Job(folder / "recording", folder / "annotated"), bar=False)
        topics = {topic: _messages(folder / "annotated", topic) for topic in (_TOPIC, "/mesh_markers", "/expression",
                                                                              "/pose")}  # fmt: skip
    picture, marker = topics[_TOPIC][-1], topics["/mesh_markers"][-1]
    pixels = np.asarray(picture.data).reshape(picture.height, picture.width, 3)
    names = topics["/expression"][-1].blendshape_names
    shapes = np.array([message.blendshapes for message in topics["/expression"]])
    shown = {name: shapes[:, names.index(name)] for name in SHOWN}
    angles = {
        name: np.degrees([getattr(message, name) for message in topics["/pose"]]) for name in ("yaw", "pitch", "roll")
    }
    left = [_overlay(pixels, marker, camera), _scene(marker)]
    right = [_plot("expression", shown, 0.0, 1.0), _plot("pose, degrees", angles, -15.0, 15.0)]
    return np.hstack([np.vstack(left), np.vstack(right)])


def _record(bag: Path, start: float) -> Camera:
    """Write a bag of raw images with CameraInfo; returns the camera."""
    source = SyntheticSource(CameraConfig())
    writer = SplitWriter(bag, "mcap", [new_topic(_TOPIC, IMAGE), new_topic(_INFO, CAMERA_INFO)])
    for number in range(round(_SECONDS * _RATE) + 1):
        frame, _ = source.at(start + number / _RATE)
        time_ns = _START_NS + round(number / _RATE * 1e9)
        header = header_values(time_ns, "camera_optical_frame")
        writer.write(_INFO, CAMERA_INFO, time_ns, cdr(CAMERA_INFO, _info_values(frame, header)))
        writer.write(_TOPIC, IMAGE, time_ns, cdr(IMAGE, _image_values(frame, header)))
    writer.finish({})
    writer.abort()
    return frame.camera


def _image_values(frame: Frame, header: Any) -> dict[str, Any]:
    height, width = frame.image.shape[:2]
    size = {"height": height, "width": width, "step": 3 * width}
    return {"header": header, **size, "encoding": "bgr8", "is_bigendian": 0, "data": frame.image}


def _info_values(frame: Frame, header: Any) -> dict[str, Any]:
    camera, roi = frame.camera, {"x_offset": 0, "y_offset": 0, "height": 0, "width": 0, "do_rectify": False}
    matrices = {"k": camera.matrix, "r": np.eye(3), "p": np.column_stack([camera.matrix, np.zeros(3)])}
    return {
        "header": header, "height": camera.height, "width": camera.width, "distortion_model": "plumb_bob",
        "d": np.zeros(5), **matrices, "binning_x": 0, "binning_y": 0, "roi": roi,
    }  # fmt: skip


def _messages(bag: Path, topic: str) -> list[Any]:
    with Recording(bag) as recording:
        connection = recording.connection(topic)
        types = types_of(connection)
        return [types.deserialize_cdr(part.data, connection.msgtype) for part in recording.messages([connection])]


def _triangles(marker: Any) -> tuple[FloatArray, FloatArray]:
    """Corners (n, 3, 3) of a TRIANGLE_LIST in the camera frame, meters, and their mean colors (n, 3) as BGR in 0..1."""
    q, p = marker.pose.orientation, marker.pose.position
    points = np.array([[point.x, point.y, point.z] for point in marker.points])
    colors = np.array([[color.b, color.g, color.r] for color in marker.colors])
    corners = Rotation.from_quat([q.x, q.y, q.z, q.w]).apply(points) + np.array([p.x, p.y, p.z])
    return corners.reshape(-1, 3, 3), colors.reshape(-1, 3, 3).mean(axis=1)


def _draw(image: Image, corners: FloatArray, colors: FloatArray, camera: Camera) -> None:
    """Paint triangles, farthest first; those seen from behind are left out."""
    pixels = project(corners.reshape(-1, 3), camera).reshape(-1, 3, 2)
    (ax, ay), (bx, by) = (pixels[:, 1] - pixels[:, 0]).T, (pixels[:, 2] - pixels[:, 0]).T
    for index in np.argsort(-corners[:, :, 2].mean(axis=1)):
        if ax[index] * by[index] < ay[index] * bx[index]:
            points = np.rint(16 * pixels[index]).astype(np.int32)
            cv2.fillConvexPoly(image, points, (255 * colors[index]).tolist(), cv2.LINE_AA, shift=4)


def _overlay(pixels: Image, marker: Any, camera: Camera) -> Image:
    """The panel Image: the mesh projected into the image."""
    image = pixels.copy()
    _draw(image, *_triangles(marker), camera)
    scale = max(_SIZE[0] / image.shape[1], _SIZE[1] / image.shape[0])
    panel = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    top, left = (panel.shape[0] - _SIZE[1]) // 2, (panel.shape[1] - _SIZE[0]) // 2
    return _titled(panel[top : top + _SIZE[1], left : left + _SIZE[0]].copy(), "Image: camera/image, mesh_markers")


def _scene(marker: Any) -> Image:
    """The panel 3D: the mesh and the axes of the camera, viewed from behind and above the camera."""
    panel = np.full((_SIZE[1], _SIZE[0], 3), _BACKGROUND, np.uint8)
    viewer = pinhole_camera(*_SIZE, VIEW["fovy"])
    turn = Rotation.from_euler("x", 180.0 - VIEW["phi"], degrees=True).as_matrix()
    corners, colors = _triangles(marker)

    def seen(points: FloatArray) -> FloatArray:
        return (points - TARGET) @ turn.T + np.array([0.0, 0.0, VIEW["distance"]])

    _draw(panel, seen(corners), colors, viewer)
    for axis, color in zip(np.eye(3) * 0.2, ((60, 60, 235), (80, 200, 60), (240, 130, 50)), strict=True):
        ends = project(seen(np.stack([np.zeros(3), axis])), viewer)
        cv2.line(panel, *(tuple(np.rint(end).astype(int).tolist()) for end in ends), color, 3, cv2.LINE_AA)
    return _titled(panel, "3D: mesh_markers, camera_optical_frame")


def _plot(title: str, series: dict[str, FloatArray], low: float, high: float) -> Image:
    """The panel Plot: curves over the time of the bag."""
    panel = np.full((_SIZE[1], _SIZE[0], 3), _BACKGROUND, np.uint8)
    left, top, width, height = 50, 40, _SIZE[0] - 70, _SIZE[1] - 70
    for step in range(5):
        y = top + height * step // 4
        cv2.line(panel, (left, y), (left + width, y), _GRID, 1)
        cv2.putText(panel, f"{high - (high - low) * step / 4:g}", (8, y + 4), cv2.FONT_HERSHEY_SIMPLEX, 0.4, _TEXT, 1,
                    cv2.LINE_AA)  # fmt: skip
    for number, ((name, values), color) in enumerate(zip(series.items(), _COLORS, strict=False)):
        across = left + width * np.linspace(0.0, 1.0, len(values))
        down = top + height * (high - np.clip(values, low, high)) / (high - low)
        points = np.rint(np.column_stack([across, down])).astype(np.int32)
        cv2.polylines(panel, [points], False, color, 2, cv2.LINE_AA)
        cv2.putText(panel, name, (left + 8, top + 18 + 18 * number), cv2.FONT_HERSHEY_SIMPLEX, 0.45, color, 1,
                    cv2.LINE_AA)  # fmt: skip
    return _titled(panel, f"Plot: {title}, {_SECONDS:g} s")


def _titled(panel: Image, title: str) -> Image:
    cv2.rectangle(panel, (0, 0), (_SIZE[0] - 1, 24), (30, 28, 26), -1)
    cv2.putText(panel, title, (10, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _TEXT, 1, cv2.LINE_AA)
    cv2.rectangle(panel, (0, 0), (_SIZE[0] - 1, _SIZE[1] - 1), _GRID, 1)
    return panel
