"""Lookups with the real tf2_ros, where it is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from face_expr_ros.msg import Face, FaceArray
from geometry_msgs.msg import Transform
from rclpy.time import Time

tf2_ros = pytest.importorskip("tf2_ros")


def of_transform(transform: Transform) -> list[float]:
    t, q = transform.translation, transform.rotation
    return [t.x, t.y, t.z, q.x, q.y, q.z, q.w]


def of_face(face: Face) -> list[float]:
    p, q = face.pose.pose.position, face.pose.pose.orientation
    return [p.x, p.y, p.z, q.x, q.y, q.z, q.w]


def test_a_lookup_at_the_stamp_of_an_image_is_the_pose_of_its_face(graph: Any, start: Any) -> None:
    arguments = ("-r", "__ns:=/tf_test")
    processes = [start("perception", *arguments), start("camera", *arguments, "-p", "width:=320", "-p", "height:=240")]
    buffer = tf2_ros.Buffer()
    listener = tf2_ros.TransformListener(buffer, graph.node)
    arrays: list[FaceArray] = graph.listen(FaceArray, "/tf_test/faces")

    def known() -> list[FaceArray]:
        return [
            array
            for array in arrays
            for face in array.faces
            if buffer.can_transform(array.header.frame_id, f"face_{face.face_id}", Time.from_msg(array.header.stamp))
        ]

    graph.until(lambda: len(known()) >= 5, "transforms at the stamps of images")
    for array in known():
        face = array.faces[0]
        stamp = Time.from_msg(array.header.stamp)
        found = buffer.lookup_transform(array.header.frame_id, f"face_{face.face_id}", stamp)
        np.testing.assert_allclose(of_transform(found.transform), of_face(face), atol=1e-9)
    listener.unregister()
    assert [process.stop() for process in processes] == [0, 0]
