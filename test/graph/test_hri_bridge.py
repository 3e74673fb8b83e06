"""The node hri_bridge with real hri_msgs, which are built for these tests if they are not installed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from face_expr_ros.msg import FaceArray
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header, String
from support.faces import CAMERA, make_face

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.facemesh_regions import IBUG68, IRISES
from face_expr_ros.core.types import Blendshapes, Face, Roi, face_state
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.expression.readouts import ReadoutReader
from face_expr_ros.perception.gaze import gaze
from face_expr_ros.ros.encode import face_array

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # building hri_msgs takes a minute on a loaded machine
SENSOR_DATA = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
FACES = "/humans/faces"


class Scene:
    """A camera and a perception node that publish the faces of a test."""

    def __init__(self, graph: Any, bridge: Any) -> None:
        self.graph, self.bridge = graph, bridge
        self.faces: list[Face] = []
        self.invalid = False
        self.encoding = "bgr8"
        self.described = (640, 480)  # image size in CameraInfo
        self._count = 0
        self._infos = self._publisher(CameraInfo, "/hri/camera_info", SENSOR_DATA)
        self._images = self._publisher(Image, "/hri/image", SENSOR_DATA)
        self._arrays = self._publisher(FaceArray, "/hri/faces", 10)
        self._model = open_face_model("open")
        pixels = np.zeros((480, 640, 3), np.uint8)
        pixels[:, 320:] = 250
        self._pixels = pixels.tobytes()

    def _publisher(self, kind: type[Any], topic: str, qos: Any) -> Publisher[Any]:
        return self.graph.node.create_publisher(kind, topic, qos)

    def face(self, face_id: str, **blendshapes: float) -> Face:
        """A face in the center of the image, with its readouts."""
        face = make_face(self._model, face_id, Roi(256.0, 192.0, 127.0, 95.0), **blendshapes)
        return ReadoutReader(ExpressionConfig())((face,), 0)[0]

    def step(self) -> None:
        """Publish one image and its faces."""
        self._count += 1
        header = Header(stamp=Time(sec=self._count), frame_id="lens")
        self._infos.publish(CameraInfo(header=header, width=self.described[0], height=self.described[1]))
        image = Image(header=header, width=640, height=480, step=1920, encoding=self.encoding)
        image.data = self._pixels
        self._images.publish(image)
        message = face_array(self.faces, CAMERA, self._model.name, header)
        if self.invalid:
            message.faces[0].expression.blendshapes.pop()
        self._arrays.publish(message)

    def until(self, done: Any, what: str) -> None:
        self.graph.until(done, what, each=self.step)

    def topics(self) -> set[str]:
        return {name for name, _ in self.graph.node.get_topic_names_and_types() if name.startswith(FACES)}


@pytest.fixture(scope="module")
def scene(graph: Any, start: Any, hri_environment: dict[str, str]) -> Scene:
    arguments = ("-r", "__ns:=/hri", "-p", "face_tf:=true", "-p", "input_timeout:=2.0")
    bridge = start("hri_bridge", *arguments, environment=hri_environment)
    return Scene(graph, bridge)


def test_the_topics_of_a_face_exist_while_it_is_tracked(scene: Scene) -> None:
    from hri_msgs.msg import IdsList

    tracked = scene.graph.listen(IdsList, f"{FACES}/tracked")
    scene.faces = [scene.face("f1"), scene.face("f2")]
    expected = {f"{FACES}/f1/{topic}" for topic in ("roi", "cropped", "landmarks", "facs", "expression")}
    scene.until(lambda: expected <= scene.topics(), "the topics of f1")
    scene.until(lambda: tracked and list(tracked[-1].ids) == ["f1", "f2"], "two ids")
    assert tracked[-1].header.frame_id == "lens"
    scene.faces = scene.faces[1:]
    scene.until(lambda: not expected & scene.topics(), "the end of the topics of f1")
    assert f"{FACES}/f2/roi" in scene.topics()
    scene.until(lambda: list(tracked[-1].ids) == ["f2"], "one id")


@pytest.mark.parametrize("described", [(1280, 960), (0, 0), (640, 480)])
def test_the_size_is_that_of_the_images(scene: Scene, described: tuple[int, int]) -> None:
    from hri_msgs.msg import NormalizedRegionOfInterest2D

    boxes = scene.graph.listen(NormalizedRegionOfInterest2D, f"{FACES}/f20/roi")
    scene.described, scene.faces = described, [scene.face("f20")]
    scene.until(lambda: len(boxes) > 10, "boxes")
    box = boxes[-1]
    assert (box.xmin, box.ymin, box.xmax, box.ymax) == pytest.approx((0.4, 0.4, 0.6, 0.6))
    scene.described = (640, 480)


def test_roi_and_landmarks_are_normalized(scene: Scene) -> None:
    from hri_msgs.msg import FacialLandmarks, NormalizedRegionOfInterest2D

    boxes = scene.graph.listen(NormalizedRegionOfInterest2D, f"{FACES}/f3/roi")
    landmarks = scene.graph.listen(FacialLandmarks, f"{FACES}/f3/landmarks")
    scene.faces = [scene.face("f3")]
    scene.until(lambda: boxes and landmarks, "a box and landmarks")
    box, points = boxes[-1], landmarks[-1]
    assert (box.xmin, box.ymin, box.xmax, box.ymax, box.c) == pytest.approx((0.4, 0.4, 0.6, 0.6, 0.75))
    assert (points.width, points.height, len(points.landmarks)) == (640, 480, 70)
    landmarks_of_face = scene.faces[0].landmarks
    assert landmarks_of_face is not None
    for index, point in ((30, IBUG68[30]), (68, IRISES[0][0]), (69, IRISES[1][0])):
        x, y, _ = landmarks_of_face.points[point]
        assert points.landmarks[index].x == pytest.approx((x + 0.5) / 640, abs=1e-6)
        assert points.landmarks[index].y == pytest.approx((y + 0.5) / 480, abs=1e-6)


def test_action_units_and_expression_equal_those_of_the_face(scene: Scene) -> None:
    from hri_msgs.msg import Expression, FacialActionUnits

    units = scene.graph.listen(FacialActionUnits, f"{FACES}/f4/facs")
    expressions = scene.graph.listen(Expression, f"{FACES}/f4/expression")
    scene.faces = [scene.face("f4", mouthSmileLeft=0.9, mouthSmileRight=0.9, cheekSquintLeft=0.8, cheekSquintRight=0.8)]
    scene.until(lambda: units and expressions, "action units and an expression")
    assert units[-1].intensity[12] == pytest.approx(0.9)
    assert units[-1].intensity[6] == pytest.approx(0.8)
    assert (units[-1].confidence[12], units[-1].confidence[23]) == (0.75, 0.0)
    readouts = scene.faces[0].readouts
    assert expressions[-1].expression == "happy"
    assert expressions[-1].valence == pytest.approx(readouts.valence, abs=1e-6)
    assert expressions[-1].arousal == pytest.approx(readouts.arousal, abs=1e-6)


def test_the_cropped_image_is_from_the_image_with_the_same_stamp(scene: Scene) -> None:
    pictures = scene.graph.listen(Image, f"{FACES}/f5/cropped")
    scene.faces = [scene.face("f5")]
    scene.until(lambda: pictures, "a cropped image")
    picture = pictures[-1]
    assert (picture.width, picture.height, picture.encoding, picture.header.frame_id) == (128, 128, "bgr8", "lens")
    pixels = np.reshape(picture.data, (128, 128, 3))
    assert (pixels[:, :63] == 0).all()
    assert (pixels[:, 65:] == 250).all()


def test_tf_contains_the_face_frame_and_the_gaze_frame(scene: Scene) -> None:
    from tf2_msgs.msg import TFMessage

    messages = scene.graph.listen(TFMessage, "/tf", 100)
    scene.faces = [scene.face("f6", eyeLookOutLeft=0.5, eyeLookInRight=0.5)]

    def frames() -> dict[str, Any]:
        found = [transform for message in messages for transform in message.transforms]
        return {transform.child_frame_id: transform for transform in found}

    scene.until(lambda: {"face_f6", "gaze_f6"} <= frames().keys(), "the frames of f6")
    gaze_frame, face_frame = frames()["gaze_f6"], frames()["face_f6"]
    assert gaze_frame.header.frame_id == face_frame.header.frame_id == "lens"
    assert gaze_frame.transform.translation == face_frame.transform.translation
    q = gaze_frame.transform.rotation
    direction = Rotation.from_quat([q.x, q.y, q.z, q.w]).apply([0, 0, 1])
    np.testing.assert_allclose(direction, gaze(face_state(scene.faces[0], 0, "open")).combined, atol=1e-6)


def test_an_invalid_message_is_skipped_and_the_next_one_is_used(scene: Scene) -> None:
    from hri_msgs.msg import IdsList

    bridge = scene.bridge
    scene.faces, scene.invalid = [scene.face("f7")], True
    scene.until(lambda: "faces skipped: expected a value for each of 52" in bridge.output, "the error")
    scene.invalid = False
    tracked = scene.graph.listen(IdsList, f"{FACES}/tracked")
    scene.until(lambda: tracked and list(tracked[-1].ids) == ["f7"], "the face of a valid message")
    assert bridge.running


def test_an_image_that_cannot_be_decoded_affects_only_cropped(scene: Scene) -> None:
    from hri_msgs.msg import FacialActionUnits

    pictures = scene.graph.listen(Image, f"{FACES}/f12/cropped")
    units = scene.graph.listen(FacialActionUnits, f"{FACES}/f12/facs")
    scene.faces, scene.encoding = [scene.face("f12")], "32FC1"
    scene.until(lambda: "image skipped: " in scene.bridge.output, "the error")
    units.clear()
    scene.until(lambda: units, "action units without an image")
    assert not pictures
    scene.encoding = "bgr8"
    scene.until(lambda: pictures, "a cropped image")


def test_an_unknown_label_affects_only_the_expression(scene: Scene) -> None:
    from hri_msgs.msg import Expression, FacialActionUnits

    units = scene.graph.listen(FacialActionUnits, f"{FACES}/f8/facs")
    expressions = scene.graph.listen(Expression, f"{FACES}/f8/expression")
    face = scene.face("f8")
    scene.faces = [replace(face, readouts=replace(face.readouts, label="bored"))]
    scene.until(lambda: len(units) > 5, "action units")
    assert not expressions
    scene.until(lambda: "of face 'f8' skipped: expected a label of neutral, happy" in scene.bridge.output, "the error")
    scene.faces = [face]
    scene.until(lambda: expressions, "an expression")
    assert scene.bridge.running


def test_a_face_without_gaze_affects_only_its_gaze_frame(scene: Scene) -> None:
    """A face without ARKit's blendshapes and without landmarks, as of another face model in profile view."""
    from diagnostic_msgs.msg import DiagnosticArray
    from tf2_msgs.msg import TFMessage

    messages = scene.graph.listen(TFMessage, "/tf", 100)
    diagnostics = scene.graph.listen(DiagnosticArray, "/diagnostics")
    face = scene.face("f10")
    without = replace(face, id="f9", landmarks=None, blendshapes=Blendshapes((), np.zeros(0)))
    scene.faces = [without, face]

    def frames() -> set[str]:
        return {transform.child_frame_id for message in messages for transform in message.transforms}

    def counted() -> list[dict[str, str]]:
        found = [{pair.key: pair.value for pair in status.values} for each in diagnostics for status in each.status]
        return [values for values in found if "gaze of face 'f9' skipped" in values.get("last error", "")]

    scene.until(lambda: {"face_f9", "face_f10", "gaze_f10"} <= frames(), "the frames of both")
    assert "gaze_f9" not in frames()
    scene.until(counted, "a count")
    assert int(counted()[-1]["skipped"]) > 0
    assert scene.bridge.running


def test_engagement_and_gaze_are_published_for_persons_matched_to_a_face(scene: Scene) -> None:
    from hri_msgs.msg import EngagementLevel, Gaze, IdsList

    node = scene.graph.node
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    persons = node.create_publisher(IdsList, "/humans/persons/tracked", 10)
    match = node.create_publisher(String, "/humans/persons/p7/face_id", latched)
    match.publish(String(data="f13"))
    levels = scene.graph.listen(EngagementLevel, "/humans/persons/p7/engagement_status")
    gazes = scene.graph.listen(Gaze, "/humans/interactions/gazing")
    face = scene.face("f13")

    def show(looking: float, level: int) -> None:
        scene.faces = [replace(face, readouts=replace(face.readouts, looking_at_camera=looking))]
        persons.publish(IdsList(ids=["p7", "p8"]))
        levels.clear()
        scene.until(lambda: levels and levels[-1].level == level, f"level {level}")

    show(0.1, 1)
    assert not gazes
    show(0.9, 3)
    scene.until(lambda: gazes, "a gaze at the robot")
    assert levels[-1].header.frame_id == "lens"
    assert (gazes[-1].sender, gazes[-1].receiver) == ("p7", "")
    show(0.1, 1)


def test_the_first_of_two_faces_with_the_same_hri_id_is_published(scene: Scene) -> None:
    from hri_msgs.msg import IdsList

    tracked = scene.graph.listen(IdsList, f"{FACES}/tracked")
    scene.faces = [scene.face("a-1"), scene.face("a_1"), scene.face("b")]
    scene.until(lambda: tracked and list(tracked[-1].ids) == ["a_1", "b"], "two ids")
    assert scene.bridge.running


def test_faces_are_removed_after_the_input_timeout_and_at_exit(scene: Scene) -> None:
    from hri_msgs.msg import IdsList

    tracked = scene.graph.listen(IdsList, f"{FACES}/tracked")
    scene.faces = [scene.face("f11")]
    scene.until(lambda: tracked and list(tracked[-1].ids) == ["f11"], "a face")
    scene.graph.until(lambda: not tracked[-1].ids, "an empty list of ids")
    assert f"{FACES}/f11/roi" not in scene.topics()
    scene.until(lambda: list(tracked[-1].ids) == ["f11"], "the face again")
    assert scene.bridge.stop() == 0, scene.bridge.output
    scene.graph.until(lambda: not tracked[-1].ids, "an empty list of ids at exit")


def test_one_bridge_publishes_the_faces_of_several_cameras(
    graph: Any, start: Any, scene: Scene, hri_environment: dict[str, str]
) -> None:
    from hri_msgs.msg import IdsList

    arguments = ("-r", "__ns:=/both", "-p", "namespaces:=/left /right", "-p", "input_timeout:=1.0")
    bridge = start("hri_bridge", *arguments, environment=hri_environment)
    arrays = {side: graph.node.create_publisher(FaceArray, f"/{side}/faces", 10) for side in ("left", "right")}
    tracked: list[IdsList] = graph.listen(IdsList, f"{FACES}/tracked")

    def publish(**ids: str) -> None:
        for side, face_id in ids.items():
            header = Header(stamp=Time(sec=1), frame_id=side)
            arrays[side].publish(face_array([scene.face(face_id)], CAMERA, "open", header))

    def found(*ids: str) -> Any:
        return lambda: any(sorted(message.ids) == sorted(ids) for message in tracked[-5:])

    graph.until(found("left_f1", "right_f1"), "both", each=lambda: publish(left="left_f1", right="right_f1"))
    tracked.clear()
    graph.until(found("left_f1"), "the face of the camera that continues", each=lambda: publish(left="left_f1"))
    graph.until(
        lambda: "its id 'left_f1' is that of another face" in bridge.output,
        "the report of an id that is used twice",
        each=lambda: publish(left="left_f1", right="left_f1"),
    )
    assert bridge.stop() == 0, bridge.output
