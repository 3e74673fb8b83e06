"""Which topics of a bag are the camera's, and under which names faces are added."""

from __future__ import annotations

import re

from rosbags.interfaces import Connection

from face_expr_ros.bags import BagError
from face_expr_ros.bags.messages import CAMERA_INFO, COMPRESSED_IMAGE, IMAGE
from face_expr_ros.bags.reading import Recording

TRANSPORTS = {"raw": IMAGE, "compressed": COMPRESSED_IMAGE}


def checked_namespace(text: str) -> str:
    """A namespace with its slash, such as "/robot"; an empty text where there is none.

    Raises:
        BagError: it cannot be part of the name of a topic.
    """
    tokens = text.strip("/").split("/") if text.strip("/") else []
    for token in tokens:
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", token):
            raise BagError(
                f"a namespace such as /robot was wanted, of letters, digits and underscores, {text!r} was given"
            )
    return "".join(f"/{token}" for token in tokens)


def image_connection(recording: Recording, topic: str | None, transport: str) -> Connection:
    """The images to look at: the topic that is named or the only one there is.

    Args:
        recording: the bag.
        topic: its name, or None.
        transport: "raw" or "compressed", which of the two is taken where a bag has one image topic in both forms.

    Raises:
        BagError: it is not there, has other messages, or there are several.
    """
    if topic is not None:
        connection = recording.connection(topic)
        if connection.msgtype not in TRANSPORTS.values():
            raise BagError(f"{topic} has {connection.msgtype}, images were wanted: {_images_of(recording)}")
        return connection
    found = [connection for connection in recording.connections if connection.msgtype in TRANSPORTS.values()]
    preferred = [connection for connection in found if connection.msgtype == TRANSPORTS[transport]]
    for choice in (found, preferred):
        if len(choice) == 1:
            return choice[0]
    if not found:
        raise BagError(f"{recording.path} has no topic of images (sensor_msgs/Image or CompressedImage)")
    raise BagError(f"{recording.path} has several topics of images, name one with --topic: {_images_of(recording)}")


def camera_info_connection(recording: Recording, images: Connection) -> Connection | None:
    """The CameraInfo beside the images, as image_transport has it; None where the bag has none there."""
    base = images.topic.removesuffix("/compressed") if images.msgtype == COMPRESSED_IMAGE else images.topic
    wanted = base.rpartition("/")[0] + "/camera_info"
    found = [entry for entry in recording.connections if (entry.topic, entry.msgtype) == (wanted, CAMERA_INFO)]
    return found[0] if found else None


def _images_of(recording: Recording) -> str:
    topics = [entry.topic for entry in recording.connections if entry.msgtype in TRANSPORTS.values()]
    return ", ".join(sorted(topics)) or "none"
