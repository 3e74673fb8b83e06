"""Topics and frames of REP-155 (ROS4HRI), where hri_msgs is installed (it is not on PyPI)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import Quaternion, TransformStamped, Vector3
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.publisher import Publisher
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from face_expr_ros.config import setting
from face_expr_ros.face_state import FaceState
from face_expr_ros.retargeting import hri_values
from face_expr_ros.retargeting.gaze import gaze, gaze_axes
from face_expr_ros.retargeting.hri_values import EXPRESSIONS, ImageSize, hri_id
from face_expr_ros.ros.encode import image_bytes, pose_message
from face_expr_ros.ros.transforms import transform_message_type

FACES = "/humans/faces"
HOW_TO_INSTALL = (
    "hri_msgs is not installed, so there is nothing to do: sudo apt install ros-$ROS_DISTRO-hri-msgs "
    "(Humble and Jazzy), or build github.com/ros4hri/hri_msgs in your workspace"
)


@dataclass(frozen=True)
class HriBridgeConfig:
    """Settings of the node ``hri_bridge``."""

    image_transport: str = setting("raw", "subscribe image or image/compressed", choices=("raw", "compressed"))
    crop_width: int = setting(128, "of the pictures of faces", unit="pixels", minimum=16, maximum=2048)
    crop_height: int = setting(128, "of the pictures of faces", unit="pixels", minimum=16, maximum=2048)
    gaze_tf: bool = setting(True, "broadcast the frames gaze_<id>, where tf2_msgs is installed")
    face_tf: bool = setting(False, "broadcast the frames face_<id> too; perception does so already")
    input_timeout: float = setting(
        1.0, "silence of the topic faces after which nobody is in view", unit="s", minimum=0.05, maximum=60.0
    )


@dataclass(frozen=True)
class HriTypes:
    """The message classes of hri_msgs that faces need."""

    ids: type[Any]
    roi: type[Any]
    landmarks: type[Any]
    point: type[Any]
    facs: type[Any]
    expression: type[Any]


def hri_types() -> HriTypes | None:
    """The classes; None where hri_msgs is not installed."""
    try:
        from hri_msgs import msg
    except ImportError:
        return None
    return HriTypes(
        msg.IdsList,
        msg.NormalizedRegionOfInterest2D,
        msg.FacialLandmarks,
        msg.NormalizedPointOfInterest2D,
        msg.FacialActionUnits,
        msg.Expression,
    )


class HriFaces:
    """/humans/faces/tracked, and for each face in view its own topics, which come and go with it."""

    def __init__(self, node: Node, types: HriTypes, config: HriBridgeConfig) -> None:
        self._node, self._types, self._config = node, types, config
        self._kinds: dict[str, type[Any]] = {
            "roi": types.roi,
            "cropped": Image,
            "landmarks": types.landmarks,
            "facs": types.facs,
            "expression": types.expression,
        }
        self._tracked = node.create_publisher(types.ids, f"{FACES}/tracked", 10)
        self._topics: dict[str, dict[str, Publisher[Any]]] = {}
        self._tf_type = transform_message_type()
        self._tf = node.create_publisher(self._tf_type, "/tf", 100) if self._tf_type else None

    @property
    def wants_images(self) -> bool:
        """Somebody listens to the picture of a face."""
        return any(topics["cropped"].get_subscription_count() for topics in self._topics.values())

    def __call__(
        self, faces: Sequence[FaceState], header: Header, size: ImageSize | None, image: NDArray[np.uint8] | None
    ) -> None:
        """Publish the faces of one image.

        Args:
            faces: all of them; faces that are not among them lose their topics.
            header: of the image.
            size: of the image; without it there are no boxes and no landmarks.
            image: (height, width, 3) BGR; without it there are no pictures of faces.
        """
        named = {hri_id(face.id): face for face in faces}
        self._come_and_go(set(named))
        self._tracked.publish(self._types.ids(header=header, ids=list(named)))
        for name, face in named.items():
            for topic, message in self._messages(self._topics[name], face, header, size, image).items():
                self._topics[name][topic].publish(message)
        if named and self._tf is not None and self._tf_type is not None and header.frame_id:
            self._tf.publish(self._tf_type(transforms=self._transforms(named, header)))

    def _come_and_go(self, present: set[str]) -> None:
        for name in self._topics.keys() - present:
            for publisher in self._topics.pop(name).values():
                self._node.destroy_publisher(publisher)
        for name in present - self._topics.keys():
            self._topics[name] = {
                topic: self._node.create_publisher(kind, f"{FACES}/{name}/{topic}", 10)
                for topic, kind in self._kinds.items()
            }

    def _messages(
        self,
        topics: dict[str, Publisher[Any]],
        face: FaceState,
        header: Header,
        size: ImageSize | None,
        image: NDArray[np.uint8] | None,
    ) -> dict[str, Any]:
        """What somebody listens to and what can be said."""
        heard = {topic for topic, publisher in topics.items() if publisher.get_subscription_count()}
        result: dict[str, Any] = {}
        if "roi" in heard and size is not None:
            result["roi"] = roi_message(self._types, face, size, header)
        if "landmarks" in heard and size is not None and len(face.landmarks):
            result["landmarks"] = landmarks_message(self._types, face, size, header)
        if "cropped" in heard and image is not None:
            picture = hri_values.cropped(image, face.roi, self._config.crop_width, self._config.crop_height)
            result["cropped"] = image_bytes(picture, header)
        if "facs" in heard:
            result["facs"] = facs_message(self._types, face, header)
        if "expression" in heard and face.readouts.label in EXPRESSIONS:
            result["expression"] = expression_message(self._types, face, header)
        return result

    def _transforms(self, named: dict[str, FaceState], header: Header) -> list[TransformStamped]:
        transforms = []
        for name, face in named.items():
            if self._config.face_tf:
                transforms.append(face_transform(name, face, header))
            if self._config.gaze_tf:
                transforms.append(gaze_transform(name, face, header))
        return transforms


def roi_message(types: HriTypes, face: FaceState, size: ImageSize, header: Header) -> Any:
    """hri_msgs/NormalizedRegionOfInterest2D."""
    xmin, ymin, xmax, ymax = hri_values.normalized_box(face.roi, size)
    return types.roi(header=header, xmin=xmin, ymin=ymin, xmax=xmax, ymax=ymax, c=float(face.confidence))


def landmarks_message(types: HriTypes, face: FaceState, size: ImageSize, header: Header) -> Any:
    """hri_msgs/FacialLandmarks."""
    points = [types.point(x=x, y=y, c=c) for x, y, c in hri_values.normalized_points(face, size).tolist()]
    return types.landmarks(header=header, landmarks=points, height=size.height, width=size.width)


def facs_message(types: HriTypes, face: FaceState, header: Header) -> Any:
    """hri_msgs/FacialActionUnits."""
    intensity, confidence = hri_values.action_units(face)
    return types.facs(header=header, intensity=intensity.astype(np.float32), confidence=confidence.astype(np.float32))


def expression_message(types: HriTypes, face: FaceState, header: Header) -> Any:
    """hri_msgs/Expression."""
    readouts = face.readouts
    return types.expression(
        header=header,
        expression=EXPRESSIONS[readouts.label],
        valence=float(readouts.valence),
        arousal=float(readouts.arousal),
        confidence=float(face.confidence),
    )


def face_transform(name: str, face: FaceState, header: Header) -> TransformStamped:
    """face_<id>: x out of the face, y to the subject's left, z to the scalp, at the sellion."""
    pose = pose_message(face.pose)
    return _transform(f"face_{name}", face, pose.orientation, header)


def gaze_transform(name: str, face: FaceState, header: Header) -> TransformStamped:
    """gaze_<id>: where the face frame is, with z along the gaze, x to the subject's right and y down."""
    axes = gaze_axes(gaze(face), face.pose)
    x, y, z, w = Rotation.from_matrix(axes).as_quat().tolist()
    return _transform(f"gaze_{name}", face, Quaternion(x=x, y=y, z=z, w=w), header)


def _transform(child: str, face: FaceState, rotation: Quaternion, header: Header) -> TransformStamped:
    x, y, z = face.pose.position.tolist()
    result = TransformStamped(header=header, child_frame_id=child)
    result.transform.translation, result.transform.rotation = Vector3(x=x, y=y, z=z), rotation
    return result
