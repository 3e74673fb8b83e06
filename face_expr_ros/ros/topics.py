"""Resolution of image and camera_info topic names."""

from __future__ import annotations

from rclpy.node import Node


def image_topic(node: Node, transport: str, namespace: str = "") -> str:
    """The image topic after remapping; a transport other than raw appends its name, as image_transport does."""
    base = node.resolve_topic_name(_in(namespace, "image"))
    return base if transport == "raw" else f"{base}/{transport}"


def camera_info_topic(node: Node, namespace: str = "") -> str:
    """The remapped ``camera_info``; without a remapping the one next to the image topic, as in image_transport."""
    name = _in(namespace, "camera_info")
    remapped = node.resolve_topic_name(name)
    if remapped != node.resolve_topic_name(name, only_expand=True):
        return remapped
    return node.resolve_topic_name(_in(namespace, "image")).rpartition("/")[0] + "/camera_info"


def _in(namespace: str, name: str) -> str:
    """A topic in a namespace; an empty one is that of the node."""
    return f"{namespace}/{name}" if namespace else name
