"""Topics and frames of REP-155 (ROS4HRI); they require hri_msgs, which is not on PyPI."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from geometry_msgs.msg import TransformStamped
from numpy.typing import NDArray
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from face_expr_ros.core.settings import setting
from face_expr_ros.core.types import FaceState
from face_expr_ros.retargeting import hri_values
from face_expr_ros.retargeting.hri_values import ImageSize, hri_id
from face_expr_ros.ros.encode import image_bytes
from face_expr_ros.ros.hri_messages import (
    HriTypes,
    expression_message,
    face_transform,
    facs_message,
    gaze_transform,
    landmarks_message,
    roi_message,
)
from face_expr_ros.ros.hri_persons import PersonPublisher
from face_expr_ros.ros.transforms import transform_message_type

FACES = "/humans/faces"
LAST_MESSAGE_TIMEOUT = Duration(seconds=0.1)
HOW_TO_INSTALL = (
    "hri_bridge requires hri_msgs, which is not installed: sudo apt install ros-$ROS_DISTRO-hri-msgs "
    "(not on Kilted), or build github.com/ros4hri/hri_msgs in your workspace"
)


@dataclass(frozen=True)
class HriBridgeConfig:
    """Settings of the node ``hri_bridge``."""

    namespaces: str = setting(
        "", "namespaces of several cameras, separated by spaces, such as /front /rear; empty: that of the node"
    )
    image_transport: str = setting("raw", "subscribe to image or to image/compressed", choices=("raw", "compressed"))
    crop_width: int = setting(128, "width of the cropped face images", unit="pixels", minimum=16, maximum=2048)
    crop_height: int = setting(128, "height of the cropped face images", unit="pixels", minimum=16, maximum=2048)
    gaze_tf: bool = setting(True, "broadcast the frames gaze_<id>, if tf2_msgs is installed")
    face_tf: bool = setting(False, "broadcast the frames face_<id>, which perception broadcasts by default")
    persons: bool = setting(
        True, "publish engagement and gaze of the persons that a person manager has matched to a face"
    )
    engage_after: float = setting(
        1.0,
        "time for which a person looks at the camera, engaging, before being engaged",
        unit="s",
        minimum=0.0,
        maximum=60.0,
    )
    disengage_after: float = setting(
        2.0,
        "time for which an engaged person looks away, disengaging, before being disengaged",
        unit="s",
        minimum=0.0,
        maximum=60.0,
    )
    input_timeout: float = setting(
        1.0,
        "time without a message on the topic faces after which all faces are removed",
        unit="s",
        minimum=0.05,
        maximum=60.0,
    )


class TrackedFaces:
    """Publishes /humans/faces/tracked, the ids of the faces of all cameras of a node."""

    conflict = (
        f"another node publishes {FACES}/tracked, and each message replaces the other's: "
        "use one hri_bridge for all cameras, with the parameter namespaces"
    )

    def __init__(self, node: Node, types: HriTypes) -> None:
        self._node, self._type = node, types.ids
        self._publisher = node.create_publisher(types.ids, f"{FACES}/tracked", 10)
        self._ids: dict[object, list[str]] = {}

    def __call__(self, camera: object, ids: Sequence[str], header: Header) -> None:
        """Publish the ids of all cameras after those of one have been replaced; ``header`` is that of its image."""
        self._ids[camera] = list(ids)
        everyone = dict.fromkeys(name for others in self._ids.values() for name in others)
        self._publisher.publish(self._type(header=header, ids=list(everyone)))

    def tracked_elsewhere(self, camera: object) -> set[str]:
        """The ids of the faces of the other cameras."""
        return {name for other, names in self._ids.items() if other is not camera for name in names}

    def finish(self) -> None:
        """Wait shortly until subscribers have received the last list of ids."""
        self._publisher.wait_for_all_acked(LAST_MESSAGE_TIMEOUT)

    @property
    def has_other_publishers(self) -> bool:
        """Whether another node publishes the topic."""
        return self._node.count_publishers(f"{FACES}/tracked") > 1


class HriPublisher:
    """Publishes the faces of one camera: their ids, the topics of each face, and its frames.

    The topics of a face are created when it appears and destroyed when it disappears.

    Args:
        node: creates the publishers.
        types, config: see there.
        report: called with a message for each output that is skipped.
        tracked: publishes the ids, together with those of other cameras.
    """

    def __init__(
        self,
        node: Node,
        types: HriTypes,
        config: HriBridgeConfig,
        report: Callable[[str], None],
        tracked: TrackedFaces,
    ) -> None:
        self._node, self._types, self._config, self._report = node, types, config, report
        self._tracked = tracked
        self._topic_types: dict[str, type[Any]] = {
            "roi": types.roi,
            "cropped": Image,
            "landmarks": types.landmarks,
            "facs": types.facs,
            "expression": types.expression,
        }
        self._persons: PersonPublisher | None = None
        if config.persons:
            self._persons = PersonPublisher(node, types, config.engage_after, config.disengage_after)
        self._topics: dict[str, dict[str, Publisher[Any]]] = {}
        self._tf_type = transform_message_type()
        self._tf = node.create_publisher(self._tf_type, "/tf", 100) if self._tf_type else None

    @property
    def needs_images(self) -> bool:
        """Whether the cropped image of a face is subscribed."""
        return any(topics["cropped"].get_subscription_count() for topics in self._topics.values())

    def __call__(
        self, faces: Sequence[FaceState], header: Header, size: ImageSize | None, image: NDArray[np.uint8] | None
    ) -> None:
        """Publish the faces of one image.

        Args:
            faces: all faces of the image; the topics of all other faces are destroyed.
            header: header of the image.
            size: size of the image; without it no boxes and landmarks are published.
            image: (height, width, 3) BGR; without it no cropped images are published.
        """
        by_id = self._by_hri_id(faces)
        self._update_topics(set(by_id))
        self._tracked(self, list(by_id), header)
        for name, face in by_id.items():
            for topic, build in self._message_builders(name, face, header, size, image).items():
                message = self._try_build(topic, face, build)
                if message is not None:
                    self._topics[name][topic].publish(message)
        if self._persons is not None:
            self._persons(by_id, header)
        if self._tf is not None and self._tf_type is not None and header.frame_id:
            transforms = self._transforms(by_id, header)
            if transforms:
                self._tf.publish(self._tf_type(transforms=transforms))

    def _by_hri_id(self, faces: Sequence[FaceState]) -> dict[str, FaceState]:
        """The faces by their REP-155 ids; of several faces with the same id the first is kept."""
        result: dict[str, FaceState] = {}
        elsewhere = self._tracked.tracked_elsewhere(self)
        for face in faces:
            if hri_id(face.id) in elsewhere or result.setdefault(hri_id(face.id), face) is not face:
                self._report(f"face {face.id!r} skipped: its id {hri_id(face.id)!r} is that of another face")
        return result

    def _update_topics(self, present: set[str]) -> None:
        for name in self._topics.keys() - present:
            for publisher in self._topics.pop(name).values():
                self._node.destroy_publisher(publisher)
        for name in present - self._topics.keys():
            self._topics[name] = {
                topic: self._node.create_publisher(message_type, f"{FACES}/{name}/{topic}", 10)
                for topic, message_type in self._topic_types.items()
            }

    def _message_builders(
        self, name: str, face: FaceState, header: Header, size: ImageSize | None, image: NDArray[np.uint8] | None
    ) -> dict[str, Callable[[], Any]]:
        """Functions that make the messages of the subscribed topics for which the data is available."""
        subscribed = {topic for topic, publisher in self._topics[name].items() if publisher.get_subscription_count()}
        result: dict[str, Callable[[], Any]] = {}
        if "roi" in subscribed and size is not None:
            result["roi"] = partial(roi_message, self._types, face, size, header)
        if "landmarks" in subscribed and size is not None and len(face.landmarks):
            result["landmarks"] = partial(landmarks_message, self._types, face, size, header)
        if "cropped" in subscribed and image is not None:
            result["cropped"] = partial(self._cropped_image, face, image, header)
        if "facs" in subscribed:
            result["facs"] = partial(facs_message, self._types, face, header)
        if "expression" in subscribed and face.readouts.label:
            result["expression"] = partial(expression_message, self._types, face, header)
        return result

    def _cropped_image(self, face: FaceState, image: NDArray[np.uint8], header: Header) -> bytes:
        width, height = self._config.crop_width, self._config.crop_height
        return image_bytes(hri_values.cropped(image, face.roi, width, height), header)

    def _transforms(self, by_id: Mapping[str, FaceState], header: Header) -> list[TransformStamped]:
        frames: list[tuple[str, Callable[[str, FaceState, Header], TransformStamped]]] = []
        if self._config.face_tf:
            frames.append(("frame", face_transform))
        if self._config.gaze_tf:
            frames.append(("gaze", gaze_transform))
        transforms = [
            self._try_build(label, face, partial(build, name, face, header))
            for name, face in by_id.items()
            for label, build in frames
        ]
        return [transform for transform in transforms if transform is not None]

    def _try_build(self, label: str, face: FaceState, build: Callable[[], Any]) -> Any:
        """The result of ``build``; None, with a report, if the face lacks the data."""
        try:
            return build()
        except ValueError as error:
            self._report(f"{label} of face {face.id!r} skipped: {error}")
            return None
