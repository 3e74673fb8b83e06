"""Run time of publishing: a dense marker as message objects and as bytes, and each topic of the perception node."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import rclpy
from geometry_msgs.msg import Point
from rclpy.context import Context
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.signals import SignalHandlerOptions
from rclpy.time import Time
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker

from face_expr_ros.benchmarks.clock import Times, median_ms
from face_expr_ros.benchmarks.ros_listener import BenchError
from face_expr_ros.benchmarks.ros_message_bytes import message_bytes
from face_expr_ros.core.config import OutputConfig, PerceptionConfig
from face_expr_ros.core.types import Face, Frame
from face_expr_ros.drawing.meshes import ColoredMesh, MeshSet
from face_expr_ros.drawing.overlays import annotate
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.msg import FaceArray, FaceExpression, FacePose, FaceShape
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.ros.cdr import create_writer
from face_expr_ros.ros.encode import image_bytes
from face_expr_ros.ros.mesh_markers import MeshMarkers
from face_expr_ros.ros.outputs import Outputs
from face_expr_ros.serialization.image_decoding import decode_image
from face_expr_ros.serialization.message_dicts import face_array_values

NodeKind = TypeVar("NodeKind", bound=Node)

VERTICES, TRIANGLES = 38_365, 76_073  # of 3DDFA_V2's face model, which may not be installed
DETAILS = ("full", "decimated", "facemesh")
_BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_DISCOVERY_TIMEOUT = 30.0  # seconds
_SUBSCRIPTIONS: dict[str, tuple[tuple[type[Any], str], ...]] = {
    "faces": ((FaceArray, "faces"),),
    "pose, shape, expression": ((FacePose, "pose"), (FaceShape, "shape"), (FaceExpression, "expression")),
    "mesh_cloud": ((PointCloud2, "mesh_cloud"),),
    "annotated": ((Image, "annotated"),),
}


def measure_outputs(frames: tuple[Frame, ...], runs: int, object_runs: int) -> dict[str, Any]:
    """Run all benchmarks of this module in a separate ROS context.

    Args:
        frames: the first frames of a clip of one person.
        runs: number of runs of each measurement.
        object_runs: number of runs of the marker as message objects, which takes a second.

    Returns:
        message_bytes: by topic. decode_ms: conversion of a bgr8 image message to an array.
        marker_ms: as message objects and as bytes; marker_speedup: objects over bytes, building and publishing
            together; marker_speedup_cpu: the same for CPU times.
        outputs_ms: publishing of a frame by subscribed topics; mesh_ms: the same by mesh_detail.
        unsubscribed_ms: time for all topics except faces without subscribers: "no subscriber" minus "FaceArray alone".
        annotate_ms: drawing of the annotated image, which runs in a separate thread.
    """
    with ExitStack() as stack:
        context = Context()
        stack.callback(rclpy.try_shutdown, context=context)
        rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
        frame, faces = _tracked(frames)
        return {
            "message_bytes": message_bytes(frame, faces),
            "decode_ms": _decode_ms(frame, runs),
            **_measure_marker(context, frame, faces[0], runs, object_runs),
            **_measure_topics(context, frame, faces, runs),
        }


def _tracked(frames: tuple[Frame, ...]) -> tuple[Frame, tuple[Face, ...]]:
    """The last frame with its faces."""
    pipeline = Pipeline(PerceptionConfig())
    for frame in frames:
        faces = pipeline(frame)
    pipeline.close()
    return frame, faces


def _decode_ms(frame: Frame, runs: int) -> float:
    message = deserialize_message(image_bytes(frame.image, _header(frame)), Image)
    return median_ms(partial(decode_image, message), runs)


def _header(frame: Frame) -> Header:
    return Header(stamp=Time(nanoseconds=frame.stamp_ns).to_msg(), frame_id=frame.frame_id)


def _measure_marker(context: Context, frame: Frame, face: Face, runs: int, object_runs: int) -> dict[str, Any]:
    """Build and publish a Marker of 38,365 vertices and 76,073 triangles for one subscriber."""
    mesh_set = _dense_mesh(face)
    with _node(Node("bench_marker", context=context)) as node, _listener(context) as listener:
        publisher = node.create_publisher(Marker, "bench_marker", _BEST_EFFORT)
        listener.create_subscription(Marker, "bench_marker", _ignore, _BEST_EFFORT, raw=True)
        _wait_until(lambda: publisher.get_subscription_count() > 0)
        objects = _marker_times(publisher, partial(_marker_of_objects, mesh_set), object_runs)
        markers = MeshMarkers(open_face_model("open"), create_writer(Marker, node.get_logger().warning))
        build = partial(markers, [face], mesh_set, _header(frame), OutputConfig())
        serialized = _marker_times(publisher, lambda: next(iter(build())), runs)
    speedup = (objects["build"] + objects["publish"]) / (serialized["build"] + serialized["publish"])
    return {
        "marker_ms": {"objects": objects, "bytes": serialized},
        "marker_speedup": round(speedup, 1),
        "marker_speedup_cpu": round(objects["cpu"] / serialized["cpu"], 1),
    }


def _dense_mesh(face: Face) -> MeshSet:
    random = np.random.default_rng(0)
    vertices = random.normal(size=(VERTICES, 3)).astype(np.float32)
    colors = random.random((VERTICES, 4), dtype=np.float32)
    # A triangle strip: adjacent triangles use adjacent memory, as in a real mesh.
    corners = ((np.arange(TRIANGLES)[:, None] // 2 + np.arange(3)) % VERTICES).ravel().astype(np.intp)
    return MeshSet([ColoredMesh(face, vertices, colors)], corners, wireframe=False)


def _marker_of_objects(mesh_set: MeshSet) -> Marker:
    """The marker as rclpy code usually builds it."""
    (mesh,) = mesh_set.meshes
    marker = Marker(type=Marker.TRIANGLE_LIST)
    points, colors = mesh.vertices.astype(np.float64)[mesh_set.corners], mesh.colors[mesh_set.corners]
    marker.points = [Point(x=x, y=y, z=z) for x, y, z in points.tolist()]
    marker.colors = [ColorRGBA(r=r, g=g, b=b, a=a) for r, g, b, a in colors.tolist()]
    return marker


def _marker_times(publisher: Publisher, build: Callable[[], Any], runs: int) -> dict[str, float]:
    """Median milliseconds of building and publishing, and mean CPU time of both together."""
    build_times, publish_times = Times(), Times()
    for _ in range(runs):
        message = build_times.run(build)
        publish_times.run(partial(publisher.publish, message))
    built, published = build_times.summary(), publish_times.summary()
    return {"build": built["median"], "publish": published["median"], "cpu": built["cpu"] + published["cpu"]}


def _measure_topics(context: Context, frame: Frame, faces: tuple[Face, ...], runs: int) -> dict[str, Any]:
    """Milliseconds of publishing a frame, by subscribed topics and by mesh detail."""
    header, config, model = _header(frame), OutputConfig(), open_face_model("open")
    with _node(LifecycleNode("bench_outputs", context=context)) as node, _listener(context) as listener:
        node.trigger_configure()
        outputs = Outputs(node, model, config)
        node.trigger_activate()
        publish = partial(outputs, frame, faces, header)
        alone, unsubscribed = _alternate(_faces_alone(node, frame, faces, model.name), partial(publish, config), runs)
        outputs_ms = {"FaceArray alone": alone, "no subscriber": unsubscribed}
        for name, topics in _SUBSCRIPTIONS.items():
            with _subscribed(node, listener, topics):
                outputs_ms[name] = median_ms(partial(publish, config), runs)
        details = {detail: replace(config, mesh_detail=detail) for detail in DETAILS}
        with _subscribed(node, listener, ((Marker, "mesh_markers"),)):
            for detail in details.values():
                publish(detail)  # the first call computes the topology
            meshes = {name: median_ms(partial(publish, detail), runs) for name, detail in details.items()}
        outputs.close()
    return {
        "unsubscribed_ms": round(unsubscribed - alone, 3),
        "outputs_ms": outputs_ms,
        "mesh_ms": {"none": unsubscribed, **meshes},
        "annotate_ms": median_ms(partial(annotate, frame, faces, model), max(1, runs // 5)),
    }


def _faces_alone(node: Node, frame: Frame, faces: tuple[Face, ...], model: str) -> Callable[[], None]:
    """A function that serializes and publishes a FaceArray only."""
    publisher, header = node.create_publisher(FaceArray, "bench_faces", 10), _header(frame)
    write = create_writer(FaceArray, node.get_logger().warning)
    return lambda: publisher.publish(write(face_array_values(faces, frame.camera, model, header)))


def _alternate(first: Callable[[], object], second: Callable[[], object], runs: int) -> tuple[float, float]:
    """Median milliseconds of two functions that are run alternately."""
    first_times, second_times = Times(), Times()
    for _ in range(runs):
        first_times.run(first)
        second_times.run(second)
    return first_times.summary()["median"], second_times.summary()["median"]


@contextmanager
def _subscribed(node: Node, listener: Node, topics: tuple[tuple[type[Any], str], ...]) -> Iterator[None]:
    """Within this context only these topics are subscribed."""
    subscriptions = [listener.create_subscription(kind, topic, _ignore, 10, raw=True) for kind, topic in topics]
    _wait_until(lambda: all(node.count_subscribers(topic) == 1 for _, topic in topics))
    yield
    for subscription in subscriptions:
        listener.destroy_subscription(subscription)
    _wait_until(lambda: all(node.count_subscribers(topic) == 0 for _, topic in topics))


@contextmanager
def _node(node: NodeKind) -> Iterator[NodeKind]:
    try:
        yield node
    finally:
        node.destroy_node()


def _listener(context: Context) -> AbstractContextManager[Node]:
    return _node(Node("bench_listener", context=context))


def _wait_until(done: Callable[[], bool]) -> None:
    """Poll for the discovery of subscribers, for which rclpy has no event."""
    deadline = time.monotonic() + _DISCOVERY_TIMEOUT
    while not done():
        if time.monotonic() > deadline:
            raise BenchError(f"no subscriber was discovered within {_DISCOVERY_TIMEOUT:g} s: run face_expr doctor")
        time.sleep(0.02)


def _ignore(message: bytes) -> None:
    """Discard a message."""
