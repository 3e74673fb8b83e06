"""Topic names of the nodes that subscribe to a camera."""

from __future__ import annotations

from rclpy.node import Node


def image_topic(node: Node, transport: str, namespace: str = "") -> str:
    """The image topic after remapping.

    Of a transport other than raw it is the remapped ``image_<transport>``, for topics of any name; without that
    remapping, ``image/<transport>``, as in image_transport. ``namespace``: of the camera; empty: that of the node.
    """
    base = node.resolve_topic_name(_in(namespace, "image"))
    if transport == "raw":
        return base
    return _remapped(node, _in(namespace, f"image_{transport}")) or f"{base}/{transport}"


def camera_info_topic(node: Node, namespace: str = "") -> str:
    """The remapped ``camera_info``; without a remapping the one next to the image topic, as in image_transport."""
    if (remapped := _remapped(node, _in(namespace, "camera_info"))) is not None:
        return remapped
    compressed = (_remapped(node, _in(namespace, "image_compressed")) or "").removesuffix("/compressed")
    base = _remapped(node, _in(namespace, "image")) or compressed
    return (base or node.resolve_topic_name(_in(namespace, "image"))).rpartition("/")[0] + "/camera_info"


def _remapped(node: Node, name: str) -> str | None:
    """The full name that a topic is remapped to; None if it is not remapped."""
    resolved = node.resolve_topic_name(name)
    return None if resolved == node.resolve_topic_name(name, only_expand=True) else resolved


def _in(namespace: str, name: str) -> str:
    """A topic in a namespace; an empty one is that of the node."""
    return f"{namespace}/{name}" if namespace else name
