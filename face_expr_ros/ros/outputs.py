"""The topics of the perception node."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from face_expr_ros.core.config import OutputConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.latest_item import LatestItemWorker
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import Face, Frame
from face_expr_ros.drawing.modes import check_mode, draw_in_frame
from face_expr_ros.drawing.overlays import annotate
from face_expr_ros.msg import FaceArray, FaceExpression, FaceModel, FacePose, FaceShape
from face_expr_ros.ros import encode
from face_expr_ros.ros.cdr import open_writer
from face_expr_ros.ros.mesh_cloud import mesh_cloud
from face_expr_ros.ros.mesh_markers import MeshMarkers
from face_expr_ros.ros.meshes import Meshes
from face_expr_ros.ros.node_runner import LOG_INTERVAL
from face_expr_ros.ros.transforms import face_transforms, transform_message_type
from face_expr_ros.serialization.message_dicts import face_array_values

QUEUE = QoSProfile(depth=10)  # reliable
MARKER_QUEUE = QoSProfile(depth=20)  # the markers of an image and of the one before; more would only be older
TF_QUEUE = QoSProfile(depth=100)  # as tf2_ros
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@dataclass(frozen=True)
class _Drawing:
    """An annotated image to be made."""

    frame: Frame
    faces: tuple[Face, ...]
    header: Header
    config: OutputConfig


class Outputs:
    """Publishers of everything that comes out of an image; what nobody subscribes to is not computed."""

    def __init__(self, node: LifecycleNode, model: MorphableModel, config: OutputConfig) -> None:
        """Offers the topics.

        Raises:
            BundleError: the model cannot be drawn in the mode ``annotated`` of the configuration.
            ConfigError: the model cannot be drawn with the configuration's ``mesh_detail``.
        """
        check_mode(config.annotated, model)
        meshes = Meshes(model, config)
        self._node = node
        self._model = model
        self._publishers: list[LifecyclePublisher[Any]] = []
        self._faces = self._publisher(FaceArray, "faces")
        self._pose = self._publisher(FacePose, "pose")
        self._shape = self._publisher(FaceShape, "shape")
        self._expression = self._publisher(FaceExpression, "expression")
        self._markers = self._publisher(Marker, "mesh_markers", MARKER_QUEUE)
        self._cloud = self._publisher(PointCloud2, "mesh_cloud")
        self._annotated = self._publisher(Image, "annotated")
        self._tf_type = transform_message_type()
        self._tf = self._publisher(self._tf_type, "/tf", TF_QUEUE) if self._tf_type else None
        self._face_model = self._publisher(FaceModel, "face_model", LATCHED)
        self._meshes = meshes
        warn = node.get_logger().warning
        self._mesh_markers = MeshMarkers(model, open_writer(Marker, warn))
        self._write_cloud = open_writer(PointCloud2, warn)
        self._write_faces = open_writer(FaceArray, warn)
        self._annotator = LatestItemWorker(self._annotate, "annotated")

    def announce(self, header: Header) -> None:
        """Publish the face model, once for all subscribers that come later."""
        self._face_model.publish(encode.face_model(self._model, self._model.expression_names, header))

    def close(self) -> None:
        """Take the topics back."""
        self._annotator.close()
        for publisher in self._publishers:
            self._node.destroy_lifecycle_publisher(publisher)

    def __call__(self, frame: Frame, faces: tuple[Face, ...], header: Header, config: OutputConfig) -> None:
        """Publish one image's faces under the image's header."""
        name = self._model.name
        self._faces.publish(self._write_faces(face_array_values(faces, frame.camera, name, header)))
        if config.tf and faces and self._tf and self._tf_type:
            self._tf.publish(self._tf_type(transforms=face_transforms(faces, header)))
        _each(self._pose, faces, lambda face: encode.face_pose(face, header))
        _each(self._shape, faces, lambda face: encode.face_shape(face, name, header))
        _each(self._expression, faces, lambda face: encode.face_expression(face, name, header, config.names))
        self._publish_meshes(frame, faces, header, config)
        if self._annotated.get_subscription_count():
            self._annotator.put(_Drawing(frame, faces, header, config))

    def _publish_meshes(self, frame: Frame, faces: tuple[Face, ...], header: Header, config: OutputConfig) -> None:
        markers, cloud = self._markers.get_subscription_count(), self._cloud.get_subscription_count()
        if not markers and not cloud:
            return
        try:
            drawing = self._meshes(faces, frame, config)
        except ConfigError as error:  # the model does not have a detail that was set while the node runs
            self._node.get_logger().error(f"mesh left out: {error}", throttle_duration_sec=LOG_INTERVAL)
            return
        if markers:
            for marker in self._mesh_markers(faces, drawing, header, config):
                self._markers.publish(marker)
        if cloud and drawing:
            self._cloud.publish(mesh_cloud(drawing, header, self._write_cloud))

    def _annotate(self, drawing: _Drawing) -> None:
        """In a thread of its own: drawing takes longer than finding the faces and must not delay the next ones."""
        try:
            self._annotated.publish(encode.image_bytes(_picture(drawing, self._model), drawing.header))
        except Exception as error:
            if self._node.context.ok():  # publishing fails while the process ends
                self._node.get_logger().error(f"annotated image left out: {error}", throttle_duration_sec=LOG_INTERVAL)

    def _publisher(self, kind: type[Any], topic: str, qos: QoSProfile = QUEUE) -> LifecyclePublisher[Any]:
        overrides = QoSOverridingOptions.with_default_policies()
        publisher = self._node.create_lifecycle_publisher(kind, topic, qos, qos_overriding_options=overrides)
        self._publishers.append(publisher)
        return publisher


def _picture(drawing: _Drawing, model: MorphableModel) -> NDArray[np.uint8]:
    kind = drawing.config.annotated
    if kind == "annotated":
        return annotate(drawing.frame, drawing.faces, model, mesh=drawing.config.annotated_mesh)
    return draw_in_frame(kind, drawing.frame, drawing.faces, model)


def _each(publisher: LifecyclePublisher[Any], faces: Iterable[Face], message: Callable[[Face], Any]) -> None:
    if publisher.get_subscription_count():
        for face in faces:
            publisher.publish(message(face))
