"""Sizes of the messages, which determine the network load."""

from __future__ import annotations

from typing import Any

import cv2
from rclpy.serialization import serialize_message
from rclpy.time import Time
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from face_expr_ros.core.config import OutputConfig
from face_expr_ros.core.types import Face, Frame
from face_expr_ros.drawing.meshes import MeshBuilder
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.msg import FaceArray
from face_expr_ros.ros import encode
from face_expr_ros.ros.cdr import create_writer
from face_expr_ros.ros.mesh_cloud import mesh_cloud
from face_expr_ros.ros.mesh_markers import MeshMarkers
from face_expr_ros.serialization.message_dicts import face_array_values

_QUALITY = 90  # JPEG


def message_bytes(frame: Frame, faces: tuple[Face, ...]) -> dict[str, int]:
    """Size in bytes of each topic's message for a frame with one face, in descending order.

    "image, JPEG" is the payload of `image/compressed`; "pose, shape, expression" without names are sufficient for the
    reconstruction of the mesh.
    """
    header = Header(stamp=Time(nanoseconds=frame.stamp_ns).to_msg(), frame_id=frame.frame_id)
    model, config, face = open_face_model("open"), OutputConfig(), faces[0]
    mesh_set = MeshBuilder(model, config)(faces, frame, config)
    assert mesh_set is not None
    (marker,) = MeshMarkers(model, create_writer(Marker, print))(faces, mesh_set, header, config)
    quality = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    small = (
        encode.face_pose(face, header),
        encode.face_shape(face, model.name, header),
        encode.face_expression(face, model.name, header, names=False),
    )
    sizes = {
        "image, bgr8": _size(encode.image_bytes(frame.image, header)),
        f"image, JPEG {_QUALITY}": len(cv2.imencode(".jpg", frame.image, quality)[1]),
        "mesh_markers": _size(marker),
        "mesh_cloud": _size(mesh_cloud(mesh_set, header, create_writer(PointCloud2, print))),
        "face_model, once": _size(encode.face_model(model, model.expression_names, header)),
        "faces": _size(create_writer(FaceArray, print)(face_array_values(faces, frame.camera, model.name, header))),
        "pose, shape, expression": sum(map(_size, small)),
    }
    return dict(sorted(sizes.items(), key=lambda entry: -entry[1]))


def _size(message: Any) -> int:
    return len(message if isinstance(message, bytes) else serialize_message(message))
