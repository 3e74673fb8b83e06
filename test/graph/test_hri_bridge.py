"""The bridge to REP-155 with real hri_msgs: built for these tests where they are not installed."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from face_expr_ros.msg import FaceArray
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from support import interfaces
from support.faces import CAMERA, make_face

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.facemesh_regions import IBUG68, IRISES
from face_expr_ros.core.types import Blendshapes, Face, Roi, face_state
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.expression.readouts import ReadoutReader
from face_expr_ros.retargeting.gaze import gaze
from face_expr_ros.ros.encode import face_array

pytestmark = pytest.mark.slow
INSTALLED = find_spec("hri_msgs") is not None
needs_hri_msgs = pytest.mark.skipif(not INSTALLED, reason="runs below, with hri_msgs built for it")
SENSOR_DATA = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
FACES = "/humans/faces"


@pytest.mark.skipif(INSTALLED, reason="hri_msgs is installed, the tests of this file run with it")
@pytest.mark.timeout(900)  # half a minute of building, on a machine that has time
def test_this_file_passes_with_hri_msgs_built_for_it(tmp_path: Path) -> None:
    interfaces.write_package(tmp_path / "src", "hri_msgs", "std_msgs", interfaces.HRI_MSGS)
    if find_spec("tf2_msgs") is None:
        interfaces.write_package(tmp_path / "src", "tf2_msgs", "geometry_msgs", interfaces.TF2_MSGS)
    interfaces.build(tmp_path)
    done = interfaces.run_in(tmp_path, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "11 passed" in done.stdout


class Scene:
    """A camera and a perception node whose faces the test chooses."""

    def __init__(self, graph: Any, bridge: Any) -> None:
        self.graph, self.bridge = graph, bridge
        self.faces: list[Face] = []
        self.broken = False
        self.encoding = "bgr8"
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
        """A face around the middle of the image, read by the read-outs."""
        seen = make_face(self._model, face_id, Roi(256.0, 192.0, 127.0, 95.0), **blendshapes)
        return ReadoutReader(ExpressionConfig())((seen,))[0]

    def step(self) -> None:
        """One image and its faces."""
        self._count += 1
        header = Header(stamp=Time(sec=self._count), frame_id="lens")
        self._infos.publish(CameraInfo(header=header, width=640, height=480))
        image = Image(header=header, width=640, height=480, step=1920, encoding=self.encoding)
        image.data = self._pixels
        self._images.publish(image)
        message = face_array(self.faces, CAMERA, self._model.name, header)
        if self.broken:
            message.faces[0].expression.blendshapes.pop()
        self._arrays.publish(message)

    def until(self, done: Any, what: str) -> None:
        self.graph.until(done, what, each=self.step)

    def topics(self) -> set[str]:
        return {name for name, _ in self.graph.node.get_topic_names_and_types() if name.startswith(FACES)}


@pytest.fixture(scope="module")
def scene(graph: Any, start: Any) -> Scene:
    bridge = start("hri_bridge", "-r", "__ns:=/hri", "-p", "face_tf:=true", "-p", "input_timeout:=2.0")
    return Scene(graph, bridge)


@needs_hri_msgs
def test_a_faces_topics_appear_with_it_and_go_with_it(scene: Scene) -> None:
    from hri_msgs.msg import IdsList

    tracked = scene.graph.listen(IdsList, f"{FACES}/tracked")
    scene.faces = [scene.face("f1"), scene.face("f2")]
    wanted = {f"{FACES}/f1/{topic}" for topic in ("roi", "cropped", "landmarks", "facs", "expression")}
    scene.until(lambda: wanted <= scene.topics(), "the topics of f1")
    scene.until(lambda: tracked and list(tracked[-1].ids) == ["f1", "f2"], "two ids")
    assert tracked[-1].header.frame_id == "lens"
    scene.faces = scene.faces[1:]
    scene.until(lambda: not wanted & scene.topics(), "the end of the topics of f1")
    assert f"{FACES}/f2/roi" in scene.topics()
    scene.until(lambda: list(tracked[-1].ids) == ["f2"], "one id")


@needs_hri_msgs
def test_box_and_landmarks_are_normalized(scene: Scene) -> None:
    from hri_msgs.msg import FacialLandmarks, NormalizedRegionOfInterest2D

    boxes = scene.graph.listen(NormalizedRegionOfInterest2D, f"{FACES}/f3/roi")
    landmarks = scene.graph.listen(FacialLandmarks, f"{FACES}/f3/landmarks")
    scene.faces = [scene.face("f3")]
    scene.until(lambda: boxes and landmarks, "a box and landmarks")
    box, points = boxes[-1], landmarks[-1]
    assert (box.xmin, box.ymin, box.xmax, box.ymax, box.c) == pytest.approx((0.4, 0.4, 0.6, 0.6, 0.75))
    assert (points.width, points.height, len(points.landmarks)) == (640, 480, 70)
    given = scene.faces[0].landmarks
    assert given is not None
    for place, point in ((30, IBUG68[30]), (68, IRISES[0][0]), (69, IRISES[1][0])):
        x, y, _ = given.points[point]
        assert points.landmarks[place].x == pytest.approx((x + 0.5) / 640, abs=1e-6)
        assert points.landmarks[place].y == pytest.approx((y + 0.5) / 480, abs=1e-6)


@needs_hri_msgs
def test_action_units_and_expression_are_those_of_the_face(scene: Scene) -> None:
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


@needs_hri_msgs
def test_the_picture_of_a_face_is_cut_from_the_image_of_its_stamp(scene: Scene) -> None:
    pictures = scene.graph.listen(Image, f"{FACES}/f5/cropped")
    scene.faces = [scene.face("f5")]
    scene.until(lambda: pictures, "a picture")
    picture = pictures[-1]
    assert (picture.width, picture.height, picture.encoding, picture.header.frame_id) == (128, 128, "bgr8", "lens")
    pixels = np.reshape(picture.data, (128, 128, 3))
    assert (pixels[:, :63] == 0).all()
    assert (pixels[:, 65:] == 250).all()


@needs_hri_msgs
def test_tf_has_the_face_and_its_gaze(scene: Scene) -> None:
    from tf2_msgs.msg import TFMessage

    messages = scene.graph.listen(TFMessage, "/tf", 100)
    scene.faces = [scene.face("f6", eyeLookOutLeft=0.5, eyeLookInRight=0.5)]

    def frames() -> dict[str, Any]:
        found = [transform for message in messages for transform in message.transforms]
        return {transform.child_frame_id: transform for transform in found}

    scene.until(lambda: {"face_f6", "gaze_f6"} <= frames().keys(), "the frames of f6")
    looking, face = frames()["gaze_f6"], frames()["face_f6"]
    assert looking.header.frame_id == face.header.frame_id == "lens"
    assert looking.transform.translation == face.transform.translation
    q = looking.transform.rotation
    along = Rotation.from_quat([q.x, q.y, q.z, q.w]).apply([0, 0, 1])
    np.testing.assert_allclose(along, gaze(face_state(scene.faces[0], 0, "open")).combined, atol=1e-6)


@needs_hri_msgs
def test_a_damaged_message_is_left_out_and_the_next_one_works(scene: Scene) -> None:
    from hri_msgs.msg import IdsList

    bridge = scene.bridge
    scene.faces, scene.broken = [scene.face("f7")], True
    scene.until(lambda: "faces left out: a value for each of 52 blendshapes was wanted" in bridge.output, "a complaint")
    scene.broken = False
    tracked = scene.graph.listen(IdsList, f"{FACES}/tracked")
    scene.until(lambda: tracked and list(tracked[-1].ids) == ["f7"], "the face after the damage")
    assert bridge.running


@needs_hri_msgs
def test_an_image_that_cannot_be_read_costs_the_picture_and_nothing_else(scene: Scene) -> None:
    from hri_msgs.msg import FacialActionUnits

    pictures = scene.graph.listen(Image, f"{FACES}/f12/cropped")
    units = scene.graph.listen(FacialActionUnits, f"{FACES}/f12/facs")
    scene.faces, scene.encoding = [scene.face("f12")], "32FC1"
    scene.until(lambda: "image left out: an encoding of bgr8" in scene.bridge.output, "a complaint")
    units.clear()
    scene.until(lambda: units, "action units beside it")
    assert not pictures
    scene.encoding = "bgr8"
    scene.until(lambda: pictures, "a picture")


@needs_hri_msgs
def test_a_label_that_hri_msgs_does_not_have_is_not_sent_and_the_rest_is(scene: Scene) -> None:
    from hri_msgs.msg import Expression, FacialActionUnits

    units = scene.graph.listen(FacialActionUnits, f"{FACES}/f8/facs")
    expressions = scene.graph.listen(Expression, f"{FACES}/f8/expression")
    face = scene.face("f8")
    scene.faces = [replace(face, readouts=replace(face.readouts, label="bored"))]
    scene.until(lambda: len(units) > 5, "action units")
    assert not expressions
    scene.until(lambda: "of face 'f8' left out: a label of neutral, happy" in scene.bridge.output, "a complaint")
    scene.faces = [face]
    scene.until(lambda: expressions, "an expression")
    assert scene.bridge.running


@needs_hri_msgs
def test_a_face_without_eyes_keeps_its_frame_and_the_others_keep_their_gaze(scene: Scene) -> None:
    """Neither ARKit's blendshapes nor landmarks, as another face model has it in profile."""
    from diagnostic_msgs.msg import DiagnosticArray
    from tf2_msgs.msg import TFMessage

    messages = scene.graph.listen(TFMessage, "/tf", 100)
    diagnostics = scene.graph.listen(DiagnosticArray, "/diagnostics")
    face = scene.face("f10")
    blind = replace(face, id="f9", landmarks=None, blendshapes=Blendshapes((), np.zeros(0)))
    scene.faces = [blind, face]

    def frames() -> set[str]:
        return {transform.child_frame_id for message in messages for transform in message.transforms}

    def counted() -> list[dict[str, str]]:
        found = [{pair.key: pair.value for pair in status.values} for each in diagnostics for status in each.status]
        return [values for values in found if "gaze of face 'f9' left out" in values.get("last error", "")]

    scene.until(lambda: {"face_f9", "face_f10", "gaze_f10"} <= frames(), "the frames of both")
    assert "gaze_f9" not in frames()
    scene.until(counted, "a count")
    assert int(counted()[-1]["left out"]) > 0
    assert scene.bridge.running


@needs_hri_msgs
def test_of_two_faces_that_get_one_name_the_first_counts(scene: Scene) -> None:
    from hri_msgs.msg import IdsList

    tracked = scene.graph.listen(IdsList, f"{FACES}/tracked")
    scene.faces = [scene.face("a-1"), scene.face("a_1"), scene.face("b")]
    scene.until(lambda: tracked and list(tracked[-1].ids) == ["a_1", "b"], "two ids")
    assert scene.bridge.running


@needs_hri_msgs
def test_silence_empties_the_room_and_the_node_ends_well(scene: Scene) -> None:
    from hri_msgs.msg import IdsList

    tracked = scene.graph.listen(IdsList, f"{FACES}/tracked")
    scene.faces = [scene.face("f11")]
    scene.until(lambda: tracked and list(tracked[-1].ids) == ["f11"], "a face")
    scene.graph.until(lambda: not tracked[-1].ids, "nobody")
    assert f"{FACES}/f11/roi" not in scene.topics()
    assert scene.bridge.stop() == 0, scene.bridge.output
