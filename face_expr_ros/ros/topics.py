"""Names of topics that belong together."""

from __future__ import annotations

from rclpy.node import Node


def image_topic(node: Node, transport: str) -> str:
    """The image topic after remapping; image transports append their name to the topic of the raw image."""
    base = node.resolve_topic_name("image")
    return base if transport == "raw" else f"{base}/{transport}"


def camera_info_topic(node: Node) -> str:
    """``camera_info`` where it is remapped itself, else the sibling of the image topic, as image_transport has it."""
    remapped = node.resolve_topic_name("camera_info")
    if remapped != node.resolve_topic_name("camera_info", only_expand=True):
        return remapped
    return node.resolve_topic_name("image").rpartition("/")[0] + "/camera_info"
