"""Selection of the camera topics of a bag, and validation of the namespace of the added topics."""

from __future__ import annotations

import re

from rosbags.interfaces import Connection

from face_expr_ros.bags import BagError
from face_expr_ros.bags.messages import CAMERA_INFO, COMPRESSED_IMAGE, IMAGE
from face_expr_ros.bags.reading import Recording
from face_expr_ros.serialization.video_decoding import VIDEO_TYPES

TRANSPORTS = {"raw": IMAGE, "compressed": COMPRESSED_IMAGE}
DEFAULT_DEPTH_TOPIC = "depth/image"  # of the perception node, in its namespace
_SUFFIXES = ("/compressed", "/ffmpeg", "/foxglove")  # of topics beside the raw image, by image_transport's plugins
_UNREADABLE = {"theora_image_transport/msg/Packet": "Theora"}


def checked_namespace(text: str) -> str:
    """A namespace with a leading slash, such as "/robot"; empty for the global namespace.

    Raises:
        BagError: it is not a valid part of a topic name.
    """
    tokens = text.strip("/").split("/") if text.strip("/") else []
    for token in tokens:
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", token):
            raise BagError(f"expected a namespace of letters, digits and underscores, such as /robot, got {text!r}")
    return "".join(f"/{token}" for token in tokens)


def image_connection(
    recording: Recording, topic: str | None, transport: str, depth_topic: str | None = None
) -> Connection:
    """The image topic: the named one, or the only one of the bag. A video is used if there are no images.

    Args:
        recording: the bag.
        topic: name of the topic, or None.
        transport: "raw" or "compressed": the preferred one if a bag has both forms of one image topic.
        depth_topic: topic of depth images, which is not selected unless it is named.

    Raises:
        BagError: the topic does not exist or has another type, or there are several.
    """
    if topic is not None:
        connection = recording.connection(topic)
        if connection.msgtype not in (*TRANSPORTS.values(), *VIDEO_TYPES):
            raise BagError(f"expected an image topic ({_images_of(recording)}), got {topic} with {connection.msgtype}")
        return connection
    connections = [entry for entry in recording.connections if not _is_depth(entry.topic, depth_topic)]
    found = [connection for connection in connections if connection.msgtype in TRANSPORTS.values()]
    found = found or [connection for connection in recording.connections if connection.msgtype in VIDEO_TYPES]
    preferred = [connection for connection in found if connection.msgtype == TRANSPORTS[transport]]
    for choice in (found, preferred):
        if len(choice) == 1:
            return choice[0]
    if not found:
        raise BagError(f"{recording.path} has no image topic (sensor_msgs/Image or CompressedImage){_hint(recording)}")
    raise BagError(f"{recording.path} has several image topics, select one with --topic: {_images_of(recording)}")


def _is_depth(topic: str, depth_topic: str | None) -> bool:
    return topic == depth_topic or f"/{topic.strip('/')}".endswith(f"/{DEFAULT_DEPTH_TOPIC}")


def camera_info_connection(recording: Recording, images: Connection) -> Connection | None:
    """The CameraInfo topic of an image topic, by the naming rule of image_transport; None if the bag lacks it."""
    is_beside_raw = images.msgtype != IMAGE and images.topic.endswith(_SUFFIXES)
    base = images.topic.rpartition("/")[0] if is_beside_raw else images.topic
    name = base.rpartition("/")[0] + "/camera_info"
    found = [entry for entry in recording.connections if (entry.topic, entry.msgtype) == (name, CAMERA_INFO)]
    return found[0] if found else None


def _images_of(recording: Recording) -> str:
    kinds = (*TRANSPORTS.values(), *VIDEO_TYPES)
    topics = [entry.topic for entry in recording.connections if entry.msgtype in kinds]
    return ", ".join(sorted(topics)) or "none"


def _hint(recording: Recording) -> str:
    """Topics that may contain images but cannot be read, and why."""
    videos = [
        f"{entry.topic} is a video in {_UNREADABLE[entry.msgtype]}: play it, and record it as images with "
        "`ros2 run image_transport republish`"
        for entry in recording.connections
        if entry.msgtype in _UNREADABLE
    ]
    others = [f"{topic} is left out: {reason}" for topic, reason in recording.left_out.items()]
    return "".join(f"; {text}" for text in [*videos, *others])
