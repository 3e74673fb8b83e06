"""The perception node as a process on a real graph, fed by this test."""

from __future__ import annotations

import math
import signal
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from face_expr_ros.msg import FaceArray, FaceExpression, FaceModel, FacePose, FaceShape
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from numpy.typing import NDArray
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from std_srvs.srv import Trigger
from visualization_msgs.msg import Marker

from face_expr_ros.geometry import pinhole_camera
from face_expr_ros.ros.camera_info import info_from_camera
from face_expr_ros.ros.encode import image_bytes

FRAME_ID = "test_optical_frame"
SENSOR_DATA = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
GOOD_INFO = info_from_camera(pinhole_camera(640, 480, 45.0), 640, 480, Header(frame_id=FRAME_ID))
BAD_INFO = CameraInfo(width=640, height=480, distortion_model="plumb_bob", k=[math.nan] * 9, d=[0.0] * 5)


class Dialog:
    """Images to one perception node, answers from it."""

    def __init__(self, graph: Any, namespace: str, picture: NDArray[np.uint8]) -> None:
        self.graph = graph
        self.namespace = namespace
        self.picture = picture
        self._stamp = 1_000_000_000
        self._image = graph.node.create_publisher(Image, f"{namespace}/image", SENSOR_DATA)
        self._info = graph.node.create_publisher(CameraInfo, f"{namespace}/camera_info", SENSOR_DATA)
        self.answers: list[FaceArray] = self.listen(FaceArray, "faces")
        self.diagnostics: list[DiagnosticArray] = graph.listen(DiagnosticArray, "/diagnostics")

    def listen(self, kind: type[Any], topic: str, qos: Any = 10) -> list[Any]:
        return self.graph.listen(kind, f"{self.namespace}/{topic}", qos)

    def image(self, stamp: int | None = None, picture: NDArray[np.uint8] | None = None, **changes: Any) -> Image:
        """An image 100 ms after the last one, or at ``stamp`` nanoseconds, with some fields changed."""
        self._stamp = self._stamp + 100_000_000 if stamp is None else stamp
        header = Header(stamp=Time(nanoseconds=self._stamp).to_msg(), frame_id=FRAME_ID)
        message = deserialize_message(image_bytes(self.picture if picture is None else picture, header), Image)
        for name, value in changes.items():
            setattr(message, name, value)
        return message

    def say(self, message: Image) -> None:
        self._image.publish(message)

    def ask(self, message: Image | None = None) -> FaceArray:
        """The answer to an image, which is sent again until it comes: best effort promises nothing."""
        message = message or self.image()
        before = len(self.answers)

        def answered() -> bool:
            return any(answer.header.stamp == message.header.stamp for answer in self.answers[before:])

        self.graph.until(answered, f"faces in an image of {self.namespace}", each=lambda: self.say(message))
        return next(answer for answer in self.answers[before:] if answer.header.stamp == message.header.stamp)

    def ask_until(
        self, wanted: Callable[[FaceArray], bool], what: str, each: Callable[[], Any] = lambda: None
    ) -> FaceArray:
        """The first answer that is as wanted, with a new image for each try."""
        for _ in range(200):
            each()
            if wanted(answer := self.ask()):
                return answer
        raise AssertionError(f"no answer was {what}")

    def inform(self, info: CameraInfo, metric: bool) -> FaceArray:
        """The first answer that uses this CameraInfo."""
        return self.ask_until(
            lambda answer: bool(answer.faces) and answer.faces[0].pose.metric == metric,
            f"with metric {metric}",
            each=lambda: self._info.publish(info),
        )

    def status(self, wanted: Callable[[DiagnosticStatus], bool], what: str, each: Any = None) -> DiagnosticStatus:
        """The first status from now on that is as wanted."""
        self.diagnostics.clear()
        name = f"{self.namespace}/perception".lstrip("/")

        def found() -> list[DiagnosticStatus]:
            mine = [status for message in self.diagnostics for status in message.status if status.name == name]
            return [status for status in mine if wanted(status)]

        self.graph.until(found, what, each)
        return found()[0]


@pytest.fixture(scope="module")
def dialog(graph: Any, start: Any, portrait: NDArray[np.uint8]) -> Dialog:
    """One node for most tests of this file."""
    start("perception", "-r", "__ns:=/main")
    result = Dialog(graph, "/main", portrait)
    result.ask()
    return result


def values(status: DiagnosticStatus) -> dict[str, str]:
    return {pair.key: pair.value for pair in status.values}


def test_a_face_is_found_under_the_header_of_its_image(dialog: Dialog) -> None:
    image = dialog.image()
    answer = dialog.ask(image)
    (face,) = answer.faces
    assert answer.header == image.header
    assert face.pose.header == face.shape.header == face.expression.header == image.header
    assert len(face.landmarks) == 478 * 3
    assert len(face.expression.blendshapes) == len(face.expression.blendshape_names) == 52
    assert abs(face.pose.yaw) < math.radians(5)
    assert 200 < face.roi.x_offset + face.roi.width / 2 < 440


def test_an_image_without_a_face_is_answered_with_nobody(dialog: Dialog) -> None:
    answer = dialog.ask(dialog.image(picture=np.full((480, 640, 3), 90, np.uint8)))
    assert not answer.faces


@pytest.mark.parametrize(
    ("encoding", "convert"),
    [
        ("rgb8", lambda bgr: bgr[:, :, ::-1]),
        ("mono8", lambda bgr: bgr[:, :, 1]),
        ("bgra8", lambda bgr: np.dstack([bgr, bgr[:, :, :1]])),
    ],
)
def test_other_encodings_are_seen_too(dialog: Dialog, encoding: str, convert: Any) -> None:
    rows = np.ascontiguousarray(convert(dialog.picture))
    data = array("B", rows.tobytes())
    image = dialog.image(encoding=encoding, step=rows.strides[0], data=data)
    assert len(dialog.ask(image).faces) == 1


BAD_IMAGES: dict[str, dict[str, Any]] = {
    "unknown encoding": {"encoding": "32FC1"},
    "step too small": {"step": 7},
    "data too short": {"data": array("B", bytes(100))},
    "no data": {"data": array("B")},
    "zero width": {"width": 0},
    "zero height": {"height": 0},
    "absurd size": {"width": 2**32 - 1, "height": 2**32 - 1, "step": 2**32 - 1},
    "odd width for yuv422": {"encoding": "yuv422", "width": 639},
}


def test_bad_images_are_counted_and_named_and_the_next_good_one_works(dialog: Dialog) -> None:
    for name, changes in BAD_IMAGES.items():
        dialog.say(dialog.image(**changes))
        assert len(dialog.ask().faces) == 1, name
    last = dialog.image(encoding="32FC1")
    status = dialog.status(lambda status: status.level == DiagnosticStatus.ERROR, "an error", lambda: dialog.say(last))
    assert "bad images on /main/image: an encoding of bgr8" in status.message
    assert "'32FC1' was given" in values(status)["last error"]
    assert int(values(status)["bad frames"]) >= 1
    assert len(dialog.ask().faces) == 1


def test_the_pose_is_metric_with_camera_info_and_not_with_a_bad_one(dialog: Dialog) -> None:
    assert not dialog.ask().faces[0].pose.metric
    face = dialog.inform(GOOD_INFO, metric=True).faces[0]
    assert face.pose.pose.position.z == pytest.approx(0.6, rel=0.15)  # meters, a face of unknown size
    dialog.inform(BAD_INFO, metric=False)
    status = dialog.status(
        lambda status: "CameraInfo cannot be used" in status.message, "the problem", lambda: dialog.ask()
    )
    assert status.level == DiagnosticStatus.WARN
    assert "fx and fy above 0 was wanted" in status.message
    dialog.inform(GOOD_INFO, metric=True)


def test_time_may_stand_still_or_jump_back(dialog: Dialog) -> None:
    later = dialog.ask(dialog.image(stamp=50_000_000_000))
    again = dialog.ask(dialog.image(stamp=50_000_000_000))
    back = dialog.ask(dialog.image(stamp=10_000_000_000))
    after = dialog.ask(dialog.image(stamp=10_100_000_000))
    assert all(len(answer.faces) == 1 for answer in (later, again, back, after))
    assert back.faces[0].face_id != later.faces[0].face_id, "an id is never used again"
    assert after.faces[0].face_id == back.faces[0].face_id


def test_reset_forgets_the_faces_and_ids_go_on(dialog: Dialog) -> None:
    before = dialog.ask().faces[0].face_id
    answer = dialog.graph.call(Trigger, "/main/perception/reset")
    assert answer.success
    assert dialog.ask().faces[0].face_id != before


def test_a_neutral_face_is_calibrated_to_zero(dialog: Dialog) -> None:
    dialog.ask()
    answer = dialog.graph.call(Trigger, "/main/perception/calibrate_neutral")
    assert (answer.success, answer.message) == (True, "the expression of 1 face is taken as neutral")
    dialog.ask_until(lambda answer: max(answer.faces[0].expression.blendshapes) < 0.15, "neutral after calibration")


def test_calibration_without_a_face_says_what_to_do(dialog: Dialog) -> None:
    dialog.ask(dialog.image(picture=np.full((480, 640, 3), 90, np.uint8)))
    answer = dialog.graph.call(Trigger, "/main/perception/calibrate_neutral")
    assert not answer.success
    assert "look into the camera" in answer.message


def test_every_output_carries_the_header_of_the_image(dialog: Dialog) -> None:
    kinds = {
        "pose": FacePose,
        "shape": FaceShape,
        "expression": FaceExpression,
        "mesh_markers": Marker,
        "annotated": Image,
    }
    received = {topic: dialog.listen(kind, topic) for topic, kind in kinds.items()}
    dialog.ask_until(lambda _: all(received.values()), "on every topic")
    stamps = {(answer.header.stamp.sec, answer.header.stamp.nanosec) for answer in dialog.answers}
    for messages in received.values():
        assert messages[-1].header.frame_id == FRAME_ID
        assert (messages[-1].header.stamp.sec, messages[-1].header.stamp.nanosec) in stamps
    assert received["mesh_markers"][-1].type == Marker.TRIANGLE_LIST
    assert (received["annotated"][-1].width, received["annotated"][-1].height) == (640, 480)


def test_a_late_subscriber_gets_the_face_model(dialog: Dialog) -> None:
    models: list[FaceModel] = dialog.listen(FaceModel, "face_model", LATCHED)
    dialog.graph.until(lambda: models, "the face model")
    assert len(models[0].mean) == 3 * models[0].vertex_count
    assert models[0].model == dialog.ask().faces[0].shape.model


def set_parameter(dialog: Dialog, name: str, value: float | str) -> Any:
    given = ParameterValue(type=ParameterType.PARAMETER_DOUBLE)
    if isinstance(value, str):
        given = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=value)
    else:
        given.double_value = value
    parameter = Parameter(name=name, value=given)
    request = SetParameters.Request(parameters=[parameter])
    return dialog.graph.call(SetParameters, f"{dialog.namespace}/perception/set_parameters", request).results[0]


@pytest.mark.slow
def test_the_opacity_of_the_mesh_changes_while_it_runs_and_the_filter_does_not(dialog: Dialog) -> None:
    markers: list[Marker] = dialog.listen(Marker, "mesh_markers")
    assert set_parameter(dialog, "output.mesh_opacity", 0.25).successful
    dialog.ask_until(lambda _: bool(markers) and bool(markers[-1].colors), "drawn")
    dialog.ask_until(lambda _: markers[-1].colors[0].a == 0.25, "a quarter opaque")
    refused = set_parameter(dialog, "smoothing.beta", 1.0)
    assert not refused.successful
    assert "read-only" in refused.reason


@pytest.mark.slow
def test_what_the_annotated_image_shows_changes_while_it_runs(dialog: Dialog) -> None:
    images: list[Image] = dialog.listen(Image, "annotated")

    def corner_is(level: int) -> bool:
        return bool(images) and images[-1].data[0] == level

    dialog.ask_until(lambda _: bool(images), "drawn")
    assert images[-1].data[0] != 0
    assert set_parameter(dialog, "output.annotated", "depth").successful
    dialog.ask_until(lambda _: corner_is(0), "depth, which is black where nobody is")
    assert (images[-1].width, images[-1].height) == (640, 480)
    refused = set_parameter(dialog, "output.annotated", "4d")
    assert "must be one of annotated, 2d_sparse" in refused.reason
    assert set_parameter(dialog, "output.annotated", "annotated").successful


def test_diagnostics_name_the_model_and_the_times_of_the_stages(dialog: Dialog) -> None:
    status = dialog.status(lambda status: status.message == "faces", "a good status", lambda: dialog.ask())
    given = values(status)
    assert status.level == DiagnosticStatus.OK
    assert given["image topic"] == "/main/image"
    assert len(given["model sha256"]) == 64
    for stage in ("decode", "landmarks", "tracker", "fitter", "expression", "smoother", "publish"):
        assert float(given[f"{stage} [ms]"]) >= 0


@pytest.mark.slow
def test_the_life_cycle_goes_round_and_faces_come_again(dialog: Dialog) -> None:
    def state() -> str:
        return dialog.graph.call(GetState, "/main/perception/get_state").current_state.label

    def state_after(transition: int) -> str:
        request = ChangeState.Request(transition=Transition(id=transition))
        dialog.graph.call(ChangeState, "/main/perception/change_state", request)
        return state()

    assert state() == "active"
    assert state_after(Transition.TRANSITION_ACTIVATE) == "active", "a transition that makes no sense does no harm"
    assert state_after(Transition.TRANSITION_DEACTIVATE) == "inactive"
    assert state_after(Transition.TRANSITION_CLEANUP) == "unconfigured"
    assert not dialog.graph.call(Trigger, "/main/perception/reset").success
    assert state_after(Transition.TRANSITION_CONFIGURE) == "inactive"
    assert state_after(Transition.TRANSITION_ACTIVATE) == "active"
    assert len(dialog.ask().faces) == 1


# Nodes of their own


@pytest.mark.slow
def test_compressed_images_and_a_remapped_topic_are_understood(
    graph: Any, start: Any, portrait: NDArray[np.uint8]
) -> None:
    import cv2

    process = start(
        "perception", "-r", "__ns:=/zip", "-p", "image_transport:=compressed", "-r", "image:=/cam/image_raw"
    )
    publisher = graph.node.create_publisher(CompressedImage, "/cam/image_raw/compressed", SENSOR_DATA)
    info = graph.node.create_publisher(CameraInfo, "/cam/camera_info", SENSOR_DATA)
    faces: list[FaceArray] = graph.listen(FaceArray, "/zip/faces")
    good = array("B", cv2.imencode(".jpg", portrait)[1].tobytes())
    stamps = iter(range(1, 10**6))

    def publish() -> None:
        info.publish(GOOD_INFO)
        for data in (good[: len(good) // 2], good):
            header = Header(stamp=Time(seconds=next(stamps)).to_msg(), frame_id=FRAME_ID)
            publisher.publish(CompressedImage(header=header, format="jpeg", data=data))

    graph.until(lambda: any(answer.faces and answer.faces[0].pose.metric for answer in faces), "metric faces", publish)
    assert process.stop() == 0


@pytest.mark.slow
def test_a_silent_topic_is_reported_by_its_name(graph: Any, start: Any, portrait: NDArray[np.uint8]) -> None:
    process = start("perception", "-r", "__ns:=/silent", "-p", "input_timeout:=0.5")
    received: list[DiagnosticArray] = graph.listen(DiagnosticArray, "/diagnostics")

    def said(words: str) -> Callable[[], bool]:
        return lambda: any(words in status.message for message in received for status in message.status)

    graph.until(said("nobody publishes /silent/image"), "the report that nobody publishes")
    dialog = Dialog(graph, "/silent", portrait)
    dialog.ask()
    graph.until(said("the image topic /silent/image has stopped"), "the report that the topic has stopped")
    assert "nobody publishes /silent/image" in process.output
    assert len(dialog.ask().faces) == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_node_cleanly_while_it_works(
    graph: Any, start: Any, portrait: NDArray[np.uint8], how: signal.Signals
) -> None:
    namespace = f"/{how.name.lower()}"
    process = start("perception", "-r", f"__ns:={namespace}")
    dialog = Dialog(graph, namespace, portrait)
    dialog.ask()
    dialog.say(dialog.image())
    assert process.stop(how) == 0, process.output
    assert "Traceback" not in process.output


def test_without_autostart_the_node_waits_for_a_manager(graph: Any, start: Any) -> None:
    start("perception", "-r", "__ns:=/manual", "-p", "autostart:=false")
    answer = graph.call(GetState, "/manual/perception/get_state")
    assert answer.current_state.label == "unconfigured"


BAD_STARTS = {
    "unknown key": (
        "/**/perception:\n  ros__parameters:\n    smoothing: {bta: 1.0}\n",
        "'smoothing.bta', did you mean",
    ),
    "out of bounds": ("/**/perception:\n  ros__parameters:\n    input_timeout: -1.0\n", "input_timeout must be"),
    "out of choices": ('/**/perception:\n  ros__parameters: {bundle: "other"}\n', "must be one of open, 3ddfa_v2"),
    "no model": (
        "/**/perception:\n  ros__parameters:\n    landmarks: {backend: mediapipe_tasks}\n",
        "landmarks.model_path must name MediaPipe's face_landmarker.task",
    ),
    "no YAML": ("/**/perception: [", "Couldn't parse params file"),
}


@pytest.mark.parametrize("case", BAD_STARTS)
def test_a_bad_parameter_file_stops_the_node_with_one_sentence(start: Any, tmp_path: Any, case: str) -> None:
    text, words = BAD_STARTS[case]
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    process = start("perception", "-r", "__ns:=/robot", "--params-file", str(file))
    assert process.wait() == 2
    sentences = [line for line in process.output.splitlines() if line.startswith("perception: ")]
    assert len(sentences) == 1
    assert words in sentences[0]
    assert "Traceback" not in process.output
