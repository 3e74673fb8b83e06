"""What publishing costs: a dense marker the ordinary way and as bytes, and each topic of the node, heard or not."""

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
from face_expr_ros.drawing.overlays import annotate
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.msg import FaceArray, FaceExpression, FacePose, FaceShape
from face_expr_ros.perception.pipeline import Pipeline
from face_expr_ros.ros import encode
from face_expr_ros.ros.cdr import create_writer
from face_expr_ros.ros.encode import image_bytes
from face_expr_ros.ros.mesh_markers import MeshMarkers
from face_expr_ros.ros.meshes import Drawing, DrawnFace
from face_expr_ros.ros.outputs import Outputs
from face_expr_ros.serialization.image_decoding import decode_image

NodeKind = TypeVar("NodeKind", bound=Node)

VERTICES, TRIANGLES = 38_365, 76_073  # of 3DDFA_V2's face model, which may not be installed
DETAILS = ("full", "decimated", "facemesh")
_BEST_EFFORT = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_PATIENCE = 30.0  # seconds until a subscriber is found
_HEARD: dict[str, tuple[tuple[type[Any], str], ...]] = {
    "faces": ((FaceArray, "faces"),),
    "pose, shape, expression": ((FacePose, "pose"), (FaceShape, "shape"), (FaceExpression, "expression")),
    "mesh_cloud": ((PointCloud2, "mesh_cloud"),),
    "annotated": ((Image, "annotated"),),
}


def measure_outputs(frames: tuple[Frame, ...], runs: int, ordinary_runs: int) -> dict[str, Any]:
    """Everything of this file, in a ROS context of its own.

    Args:
        frames: of a person, the first ones of a film.
        runs: of each measurement; ordinary_runs: of the ordinary marker, which takes a second.

    Returns:
        message_bytes: by topic. decode_ms: a bgr8 image message as an array.
        marker_ms: of the ordinary way and of bytes; marker_speedup: ordinary over bytes, build and publish together;
        marker_speedup_cpu: of the processor times.
        outputs_ms: of the whole publishing of a frame, by who subscribes; mesh_ms: the same by mesh_detail, and none.
        unsubscribed_ms: what all topics but faces take while nobody hears them: nobody less FaceArray alone.
        annotate_ms: the drawing of the annotated image, in a thread of its own.
    """
    with ExitStack() as stack:
        context = Context()
        stack.callback(rclpy.try_shutdown, context=context)
        rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
        frame, faces = _seen(frames)
        return {
            "message_bytes": message_bytes(frame, faces),
            "decode_ms": _decoding(frame, runs),
            **_measure_marker(context, frame, faces[0], runs, ordinary_runs),
            **_measure_topics(context, frame, faces, runs),
        }


def _seen(frames: tuple[Frame, ...]) -> tuple[Frame, tuple[Face, ...]]:
    """The last of the frames with its faces."""
    pipeline = Pipeline(PerceptionConfig())
    for frame in frames:
        faces = pipeline(frame)
    pipeline.close()
    return frame, faces


def _decoding(frame: Frame, runs: int) -> float:
    message = deserialize_message(image_bytes(frame.image, _header(frame)), Image)
    return median_ms(partial(decode_image, message), runs)


def _header(frame: Frame) -> Header:
    return Header(stamp=Time(nanoseconds=frame.stamp_ns).to_msg(), frame_id=frame.frame_id)


def _measure_marker(context: Context, frame: Frame, face: Face, runs: int, ordinary_runs: int) -> dict[str, Any]:
    """A mesh of 38,365 vertices and 76,073 triangles as a Marker for one subscriber, from vertices and triangles on."""
    drawing = _dense(face)
    with _node(Node("bench_marker", context=context)) as node, _listener(context) as listener:
        publisher = node.create_publisher(Marker, "bench_marker", _BEST_EFFORT)
        listener.create_subscription(Marker, "bench_marker", _ignore, _BEST_EFFORT, raw=True)
        _until(lambda: publisher.get_subscription_count() > 0)
        ordinary = _marker_times(publisher, partial(_ordinary, drawing), ordinary_runs)
        markers = MeshMarkers(open_face_model("open"), create_writer(Marker, node.get_logger().warning))
        build = partial(markers, [face], drawing, _header(frame), OutputConfig())
        fast = _marker_times(publisher, lambda: next(iter(build())), runs)
    wall = (ordinary["build"] + ordinary["publish"]) / (fast["build"] + fast["publish"])
    return {
        "marker_ms": {"objects": ordinary, "bytes": fast},
        "marker_speedup": round(wall, 1),
        "marker_speedup_cpu": round(ordinary["cpu"] / fast["cpu"], 1),
    }


def _dense(face: Face) -> Drawing:
    random = np.random.default_rng(0)
    vertices = random.normal(size=(VERTICES, 3)).astype(np.float32)
    colors = random.random((VERTICES, 4), dtype=np.float32)
    # A strip: neighbors in the list are neighbors in memory, as in a real mesh.
    corners = ((np.arange(TRIANGLES)[:, None] // 2 + np.arange(3)) % VERTICES).ravel().astype(np.intp)
    return Drawing([DrawnFace(face, vertices, colors)], corners, wires=False)


def _ordinary(drawing: Drawing) -> Marker:
    """As one writes it with rclpy."""
    (drawn,) = drawing.faces
    marker = Marker(type=Marker.TRIANGLE_LIST)
    points, colors = drawn.vertices.astype(np.float64)[drawing.corners], drawn.colors[drawing.corners]
    marker.points = [Point(x=x, y=y, z=z) for x, y, z in points.tolist()]
    marker.colors = [ColorRGBA(r=r, g=g, b=b, a=a) for r, g, b, a in colors.tolist()]
    return marker


def _marker_times(publisher: Publisher, build: Callable[[], Any], runs: int) -> dict[str, float]:
    """Median milliseconds to build and to publish, and mean processor time of both."""
    building, publishing = Times(), Times()
    for _ in range(runs):
        message = building.run(build)
        publishing.run(partial(publisher.publish, message))
    built, published = building.summary(), publishing.summary()
    return {"build": built["median"], "publish": published["median"], "cpu": built["cpu"] + published["cpu"]}


def _measure_topics(context: Context, frame: Frame, faces: tuple[Face, ...], runs: int) -> dict[str, Any]:
    """Publishing a frame, by who subscribes and by the detail of the mesh."""
    header, config, model = _header(frame), OutputConfig(), open_face_model("open")
    with _node(LifecycleNode("bench_outputs", context=context)) as node, _listener(context) as listener:
        node.trigger_configure()
        outputs = Outputs(node, model, config)
        node.trigger_activate()
        publish = partial(outputs, frame, faces, header)
        alone, unheard = _take_turns(_faces_alone(node, frame, faces, model.name), partial(publish, config), runs)
        heard = {"FaceArray alone": alone, "nobody": unheard}
        for name, topics in _HEARD.items():
            with _subscribed(node, listener, topics):
                heard[name] = median_ms(partial(publish, config), runs)
        details = {detail: replace(config, mesh_detail=detail) for detail in DETAILS}
        with _subscribed(node, listener, ((Marker, "mesh_markers"),)):
            for detail in details.values():
                publish(detail)  # the first time it is prepared
            meshes = {name: median_ms(partial(publish, detail), runs) for name, detail in details.items()}
        outputs.close()
    return {
        "unsubscribed_ms": round(unheard - alone, 3),
        "outputs_ms": heard,
        "mesh_ms": {"none": unheard, **meshes},
        "annotate_ms": median_ms(partial(annotate, frame, faces, model), max(1, runs // 5)),
    }


def _faces_alone(node: Node, frame: Frame, faces: tuple[Face, ...], model: str) -> Callable[[], None]:
    """Writes and publishes a FaceArray and knows of no other topic."""
    publisher, header = node.create_publisher(FaceArray, "bench_faces", 10), _header(frame)
    write = create_writer(FaceArray, node.get_logger().warning)
    return lambda: publisher.publish(write(encode.face_array_values(faces, frame.camera, model, header)))


def _take_turns(first: Callable[[], object], second: Callable[[], object], runs: int) -> tuple[float, float]:
    """Median milliseconds of both."""
    times = Times(), Times()
    for _ in range(runs):
        for time_of, work in zip(times, (first, second), strict=True):
            time_of.run(work)
    return times[0].summary()["median"], times[1].summary()["median"]


@contextmanager
def _subscribed(node: Node, listener: Node, topics: tuple[tuple[type[Any], str], ...]) -> Iterator[None]:
    """Meanwhile somebody hears these topics, and no others."""
    subscriptions = [listener.create_subscription(kind, topic, _ignore, 10, raw=True) for kind, topic in topics]
    _until(lambda: all(node.count_subscribers(topic) == 1 for _, topic in topics))
    yield
    for subscription in subscriptions:
        listener.destroy_subscription(subscription)
    _until(lambda: all(node.count_subscribers(topic) == 0 for _, topic in topics))


@contextmanager
def _node(node: NodeKind) -> Iterator[NodeKind]:
    try:
        yield node
    finally:
        node.destroy_node()


def _listener(context: Context) -> AbstractContextManager[Node]:
    return _node(Node("bench_listener", context=context))


def _until(done: Callable[[], bool]) -> None:
    """Wait for the discovery of subscribers, which nothing announces."""
    deadline = time.monotonic() + _PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise BenchError(f"no subscriber was found within {_PATIENCE:g} s: try face_expr doctor")
        time.sleep(0.02)


def _ignore(message: bytes) -> None:
    """Nobody reads it."""
