"""Resolution of image and camera_info topic names."""

from __future__ import annotations

from rclpy.node import Node


def image_topic(node: Node, transport: str) -> str:
    """The image topic after remapping; a transport other than raw appends its name, as image_transport does."""
    base = node.resolve_topic_name("image")
    return base if transport == "raw" else f"{base}/{transport}"


def camera_info_topic(node: Node) -> str:
    """The remapped ``camera_info``; without a remapping the one next to the image topic, as in image_transport."""
    remapped = node.resolve_topic_name("camera_info")
    if remapped != node.resolve_topic_name("camera_info", only_expand=True):
        return remapped
    return node.resolve_topic_name("image").rpartition("/")[0] + "/camera_info"
