"""The topics of the perception node."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from face_expr_ros.core.config import OutputConfig
from face_expr_ros.core.face_model import MorphableModel
from face_expr_ros.core.latest_item import LatestItemWorker
from face_expr_ros.core.types import Face, Frame
from face_expr_ros.drawing.mesh_detail import check_mesh_detail
from face_expr_ros.drawing.meshes import MeshBuilder
from face_expr_ros.drawing.modes import check_mode, draw_in_frame
from face_expr_ros.drawing.overlays import annotate
from face_expr_ros.msg import FaceArray, FaceEvent, FaceExpression, FaceModel, FacePose, FaceShape
from face_expr_ros.ros import encode
from face_expr_ros.ros.cdr import create_writer
from face_expr_ros.ros.malloc_tuning import trim_heaps
from face_expr_ros.ros.mesh_cloud import empty_cloud, mesh_cloud
from face_expr_ros.ros.mesh_markers import MeshMarkers
from face_expr_ros.ros.node_runner import LOG_INTERVAL
from face_expr_ros.ros.transforms import face_transforms, transform_message_type
from face_expr_ros.serialization.message_dicts import face_array_values, face_model_values

QUEUE = QoSProfile(depth=10)  # reliable
MARKER_QUEUE = QoSProfile(depth=20)  # the markers of the last two images
TF_QUEUE = QoSProfile(depth=100)  # as tf2_ros
LAST_MESSAGE_TIMEOUT = Duration(seconds=0.1)  # for subscribers to receive what was published before a shutdown
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@dataclass(frozen=True)
class _AnnotationJob:
    """Input of the annotated image."""

    frame: Frame
    faces: tuple[Face, ...]
    header: Header
    config: OutputConfig


def check_output(config: OutputConfig, model: MorphableModel) -> None:
    """Check that a model supports the output settings.

    Raises:
        BundleError: the model does not support ``annotated``.
        ConfigError: the model does not support ``mesh_detail``.
    """
    check_mode(config.annotated, model)
    check_mesh_detail(model, config.mesh_detail)


class Outputs:
    """Publishers of all results of an image; messages of unsubscribed topics are not computed.

    Raises:
        BundleError, ConfigError: see `check_output`.
    """

    def __init__(self, node: LifecycleNode, model: MorphableModel, config: OutputConfig) -> None:
        check_output(config, model)
        self._node = node
        self._model = model
        self._publishers: list[LifecyclePublisher[Any]] = []
        self._faces = self._publisher(FaceArray, "faces")
        self._events = self._publisher(FaceEvent, "face_events")
        self._pose = self._publisher(FacePose, "pose")
        self._shape = self._publisher(FaceShape, "shape")
        self._expression = self._publisher(FaceExpression, "expression")
        self._markers = self._publisher(Marker, "mesh_markers", MARKER_QUEUE)
        self._cloud = self._publisher(PointCloud2, "mesh_cloud")
        self._annotated = self._publisher(Image, "annotated")
        self._tf_type = transform_message_type()
        self._tf = self._publisher(self._tf_type, "/tf", TF_QUEUE) if self._tf_type else None
        self._face_model = self._publisher(FaceModel, "face_model", LATCHED)
        self._unpublished_model: Header | None = None
        warn = node.get_logger().warning
        self._build_meshes = MeshBuilder(model, config)
        self._mesh_markers = MeshMarkers(model, create_writer(Marker, warn))
        self._write_cloud = create_writer(PointCloud2, warn)
        self._write_faces = create_writer(FaceArray, warn)
        self._annotator = LatestItemWorker(self._annotate, "annotated")

    def offer_face_model(self, header: Header) -> None:
        """Publish the face model, which is latched, with this header as soon as `publish_offered` finds a subscriber.

        It is the largest message: 5 MB, of which the publisher keeps a copy.
        """
        self._unpublished_model = header
        self.publish_offered()

    def publish_offered(self) -> None:
        """Publish the face model if it is not yet published and now has a subscriber; call several times a second."""
        header = self._unpublished_model
        if header is None or not self._face_model.get_subscription_count():
            return
        self._unpublished_model = None
        write = create_writer(FaceModel, self._node.get_logger().warning)
        self._face_model.publish(write(face_model_values(self._model, self._model.expression_names, header)))
        trim_heaps()  # of several copies of the message only the publisher's is left

    def clear(self, header: Header) -> None:
        """Remove all faces that are displayed: an empty FaceArray, no markers and an empty cloud."""
        self._faces.publish(FaceArray(header=header))
        self._markers.publish(self._mesh_markers.clear(header))
        self._cloud.publish(empty_cloud(header, self._write_cloud))

    def close(self) -> None:
        """Destroy the publishers, after subscribers have received the last messages."""
        self._annotator.close()
        for publisher in (self._faces, self._markers):
            publisher.wait_for_all_acked(LAST_MESSAGE_TIMEOUT)
        for publisher in self._publishers:
            self._node.destroy_lifecycle_publisher(publisher)

    def __call__(self, frame: Frame, faces: tuple[Face, ...], header: Header, config: OutputConfig) -> None:
        """Publish the faces of one image with the image's header."""
        name = self._model.name
        self._faces.publish(self._write_faces(face_array_values(faces, frame.camera, name, header)))
        for face in faces:
            for event in face.events:
                self._events.publish(encode.face_event(face.id, event, header))
        if config.tf and faces and self._tf and self._tf_type:
            self._tf.publish(self._tf_type(transforms=face_transforms(faces, header)))
        _publish_each(self._pose, faces, lambda face: encode.face_pose(face, header))
        _publish_each(self._shape, faces, lambda face: encode.face_shape(face, name, header))
        _publish_each(self._expression, faces, lambda face: encode.face_expression(face, name, header, config.names))
        self._publish_meshes(frame, faces, header, config)
        if self._annotated.get_subscription_count():
            self._annotator.put(_AnnotationJob(frame, faces, header, config))

    def _publish_meshes(self, frame: Frame, faces: tuple[Face, ...], header: Header, config: OutputConfig) -> None:
        markers, cloud = self._markers.get_subscription_count(), self._cloud.get_subscription_count()
        if not markers and not cloud:
            return
        mesh_set = self._build_meshes(faces, frame, config)
        if markers:
            for marker in self._mesh_markers(faces, mesh_set, header, config):
                self._markers.publish(marker)
        if cloud and mesh_set:
            self._cloud.publish(mesh_cloud(mesh_set, header, self._write_cloud))

    def _annotate(self, job: _AnnotationJob) -> None:
        """Runs in a separate thread: drawing takes longer than the pipeline and must not delay the next image."""
        try:
            self._annotated.publish(encode.image_bytes(_annotated_image(job, self._model), job.header))
        except Exception as error:
            if self._node.context.ok():  # publishing fails during shutdown
                self._node.get_logger().error(f"annotated image skipped: {error}", throttle_duration_sec=LOG_INTERVAL)

    def _publisher(self, message_type: type[Any], topic: str, qos: QoSProfile = QUEUE) -> LifecyclePublisher[Any]:
        overrides = QoSOverridingOptions.with_default_policies()
        publisher = self._node.create_lifecycle_publisher(message_type, topic, qos, qos_overriding_options=overrides)
        self._publishers.append(publisher)
        return publisher


def _annotated_image(job: _AnnotationJob, model: MorphableModel) -> NDArray[np.uint8]:
    mode = job.config.annotated
    if mode == "annotated":
        return annotate(job.frame, job.faces, model, mesh=job.config.annotated_mesh)
    return draw_in_frame(mode, job.frame, job.faces, model)


def _publish_each(publisher: LifecyclePublisher[Any], faces: Iterable[Face], build: Callable[[Face], Any]) -> None:
    if publisher.get_subscription_count():
        for face in faces:
            publisher.publish(build(face))
