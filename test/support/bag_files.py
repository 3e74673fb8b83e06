"""Bags for tests: images of a rendered face, recorded without ROS."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from face_expr_ros.bags.messages import CAMERA_INFO, COMPRESSED_IMAGE, IMAGE, cdr, package_types, types_of
from face_expr_ros.bags.reading import Recording
from face_expr_ros.core.geometry import pinhole_camera
from face_expr_ros.serialization.message_dicts import header_values

STRING = "std_msgs/msg/String"
START_NS = 1_700_000_000_000_000_000
RATE = 15  # Hz
COUNT = 10  # images of the fixture `bag`
BEST_EFFORT = Qos(
    QosHistory.KEEP_LAST, 5, QosReliability.BEST_EFFORT, QosDurability.VOLATILE, QosTime(0, 0), QosTime(0, 0),
    QosLiveliness.AUTOMATIC, QosTime(0, 0), False,
)  # fmt: skip
LATCHED = BEST_EFFORT._replace(reliability=QosReliability.RELIABLE, durability=QosDurability.TRANSIENT_LOCAL)


def moving(portrait: NDArray[np.uint8], count: int) -> Iterator[NDArray[np.uint8]]:
    """(480, 640, 3) BGR: the portrait, moving from side to side and growing."""
    for number in range(count):
        scale, shift = 1.0 + 0.004 * number, 40.0 * math.sin(number / 5)
        matrix = np.array([[scale, 0.0, shift - 320 * (scale - 1)], [0.0, scale, -240 * (scale - 1)]])
        yield np.asarray(cv2.warpAffine(portrait, matrix, (640, 480), borderMode=cv2.BORDER_REPLICATE), np.uint8)


CAMERA = pinhole_camera(640, 480, 45.0)


def header(number: int) -> dict[str, Any]:
    return header_values(START_NS + number * 1_000_000_000 // RATE, "lens")


def raw(image: NDArray[np.uint8], head: dict[str, Any], encoding: str = "bgr8") -> bytes:
    height, width = image.shape[:2]
    return cdr(
        IMAGE,
        {
            "header": head, "height": height, "width": width, "encoding": encoding, "is_bigendian": 0,
            "step": 3 * width, "data": image,
        },
    )  # fmt: skip


def jpeg(image: NDArray[np.uint8], head: dict[str, Any]) -> bytes:
    data = cv2.imencode(".jpg", image)[1]
    return cdr(COMPRESSED_IMAGE, {"header": head, "format": "bgr8; jpeg compressed bgr8", "data": data})


def camera_info(head: dict[str, Any], focal: float | None = None) -> bytes:
    matrix = CAMERA.matrix.copy()
    if focal is not None:
        matrix[0, 0] = matrix[1, 1] = focal
    roi = {"x_offset": 0, "y_offset": 0, "height": 0, "width": 0, "do_rectify": False}
    values = {
        "header": head, "height": 480, "width": 640, "distortion_model": "plumb_bob", "d": np.zeros(5),
        "k": matrix, "r": np.eye(3), "p": np.eye(3, 4), "binning_x": 0, "binning_y": 0, "roi": roi,
    }  # fmt: skip
    return cdr(CAMERA_INFO, values)


class BagFile:
    """A bag open for writing; a context manager."""

    def __init__(self, path: Path, storage: str = "mcap", compression: str = "none") -> None:
        self._writer = Writer(path, version=8, storage_plugin=StoragePlugin[storage.upper()])
        mode = CompressionMode[compression.upper()]
        if mode != CompressionMode.NONE:
            self._writer.set_compression(mode, CompressionFormat.ZSTD)
        self._connections: dict[str, Any] = {}

    def __enter__(self) -> BagFile:
        self._writer.open()
        return self

    def __exit__(self, *problem: Any) -> None:
        self._writer.close()

    def write(self, topic: str, kind: str, number: float, data: bytes, qos: Qos = BEST_EFFORT) -> None:
        """Write a message at the time of image ``number``."""
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, kind, typestore=package_types(), offered_qos_profiles=[qos]
            )
        self._writer.write(self._connections[topic], START_NS + int(number * 1_000_000_000 / RATE), data)


def record(
    path: Path, portrait: NDArray[np.uint8], count: int = 16, transport: str = "raw", info_at: float = 0.1, **how: str
) -> Path:
    """A bag with moving images, their CameraInfo, and an unrelated topic.

    ``info_at`` is the delay of CameraInfo after its image, in image periods.
    """
    topic, kind, make = {
        "raw": ("/camera/image", IMAGE, raw), "compressed": ("/camera/image/compressed", COMPRESSED_IMAGE, jpeg)
    }[transport]  # fmt: skip
    with BagFile(path, **how) as bag:
        for number, image in enumerate(moving(portrait, count)):
            bag.write(topic, kind, number, make(image, header(number)))
            bag.write("/camera/camera_info", CAMERA_INFO, number + info_at, camera_info(header(number)))
            bag.write("/chatter", STRING, number + 0.2, cdr(STRING, {"data": f"word {number}"}))
    return path


def rows(bag: Path) -> list[tuple[str, int, str]]:
    """Topic, time and hash of every message."""
    with Recording(bag) as recording:
        return [(m.connection.topic, m.time_ns, hashlib.sha256(m.data).hexdigest()) for m in recording.messages()]


def of_topic(bag: Path, topic: str) -> list[Any]:
    """The messages of a topic, as objects."""
    with Recording(bag) as recording:
        connection = recording.connection(topic)
        types = types_of(connection)
        return [types.deserialize_cdr(m.data, connection.msgtype) for m in recording.messages([connection])]
