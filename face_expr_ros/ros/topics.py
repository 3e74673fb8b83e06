"""Resolution of image and camera_info topic names."""

from __future__ import annotations

from rclpy.node import Node


def image_topic(node: Node, transport: str) -> str:
    """The image topic after remapping.

    Of a transport other than raw it is the remapped ``image_<transport>``, for topics of any name; without that
    remapping, ``image/<transport>``, as in image_transport.
    """
    base = node.resolve_topic_name("image")
    if transport == "raw":
        return base
    return _remapped(node, f"image_{transport}") or f"{base}/{transport}"


def camera_info_topic(node: Node) -> str:
    """The remapped ``camera_info``; without a remapping the one next to the image topic, as in image_transport."""
    if (remapped := _remapped(node, "camera_info")) is not None:
        return remapped
    base = _remapped(node, "image") or (_remapped(node, "image_compressed") or "").removesuffix("/compressed")
    return (base or node.resolve_topic_name("image")).rpartition("/")[0] + "/camera_info"


def _remapped(node: Node, name: str) -> str | None:
    """The full name that a topic is remapped to; None if it is not remapped."""
    resolved = node.resolve_topic_name(name)
    return None if resolved == node.resolve_topic_name(name, only_expand=True) else resolved
