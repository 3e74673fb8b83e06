"""Mesh markers and annotated images in an annotated bag."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from support.bag_files import CAMERA, COUNT, START_NS, of_topic, record, rows

from face_expr_ros.bags.annotate import annotate
from face_expr_ros.bags.drawings import DrawingOptions, Drawings
from face_expr_ros.bags.job import Job
from face_expr_ros.bags.messages import MARKER, Addition, package_types
from face_expr_ros.core.config import OutputConfig
from face_expr_ros.core.geometry import project, rotation_from_euler
from face_expr_ros.core.types import Blendshapes, Face, FaceFit, Frame, Pose, Roi
from face_expr_ros.drawing.mesh_detail import drawn_model
from face_expr_ros.models.bundle import open_face_model

MODEL = open_face_model("open")
ADD, DELETE = 0, 2
STEP_NS = 100_000_000
FACEMESH_TRIANGLES = 898


def face(face_id: str) -> Face:
    pose = Pose(rotation_from_euler(0.2, 0.0, 0.0), np.array([0.0, 0.0, 0.7]), metric=True)
    fit = FaceFit(pose, np.zeros(len(MODEL.identity)), np.zeros(len(MODEL.expression)), 0.0, np.zeros((68, 3)),
                  np.zeros((3, 4)), 1.0)  # fmt: skip
    names = MODEL.expression_names
    return Face(face_id, 1.0, Roi(10, 10, 50, 50), None, fit, Blendshapes(names, np.zeros(len(names))))


def drawn(drawings: Drawings, number: int, *ids: str) -> list[Addition]:
    time_ns = START_NS + number * STEP_NS
    frame = Frame(np.zeros((480, 640, 3), np.uint8), time_ns, "lens", CAMERA)
    return list(drawings(frame, tuple(face(face_id) for face_id in ids), time_ns))


def marker_of(addition: Addition) -> Any:
    return package_types().deserialize_cdr(addition[3], MARKER)


def actions(additions: list[Addition]) -> list[tuple[int, str]]:
    return [(marker.action, marker.ns) for marker in map(marker_of, additions)]


def points_of(marker: Any) -> NDArray[np.float64]:
    """The points of a marker in the camera frame, as a viewer computes them."""
    q, p = marker.pose.orientation, marker.pose.position
    points = np.array([[point.x, point.y, point.z] for point in marker.points])
    return Rotation.from_quat([q.x, q.y, q.z, q.w]).apply(points) + np.array([p.x, p.y, p.z])


def test_markers_are_drawn_at_the_rate_and_deleted_at_once() -> None:
    drawings = Drawings(MODEL, "/robot", OutputConfig(), DrawingOptions(rate=5.0))
    assert [name for name, *_ in drawn(drawings, 0, "f1", "f2")] == ["/robot/mesh_markers"] * 2
    assert actions(drawn(drawings, 1, "f1")) == [(DELETE, "f2")], "not due, but f2 is gone"
    assert actions(drawn(drawings, 2, "f1")) == [(ADD, "f1")]
    assert actions(drawn(drawings, 3)) == [(DELETE, "f1")]
    assert actions(drawn(drawings, 4)) == []


@pytest.mark.parametrize(("rate", "shown"), [(0.0, 10), (100.0, 10), (5.0, 5), (2.5, 3)])
def test_rate_limits_the_number_of_drawn_images(rate: float, shown: int) -> None:
    drawings = Drawings(MODEL, "", OutputConfig(), DrawingOptions(rate=rate))
    assert sum(bool(drawn(drawings, number, "f1")) for number in range(10)) == shown


def test_marker_outlives_the_interval_to_the_next_one() -> None:
    config = OutputConfig(mesh_lifetime=2.0)
    lifetimes = [
        marker_of(drawn(Drawings(MODEL, "", config, DrawingOptions(rate=rate)), 0, "f1")[0]).lifetime.sec
        for rate in (10.0, 0.25)
    ]
    assert lifetimes == [2, 8]  # seconds


def test_default_mesh_is_facemesh_and_another_detail_can_be_chosen() -> None:
    counts = []
    for detail in (None, "decimated", "full"):
        marker = marker_of(drawn(Drawings(MODEL, "", OutputConfig(), DrawingOptions(detail=detail)), 0, "f1")[0])
        counts.append(len(marker.points) // 3)
    full, decimated = (len(drawn_model(MODEL, name).triangles) for name in ("full", "decimated"))
    assert counts == [FACEMESH_TRIANGLES, decimated, full]


def test_resumed_drawings_continue_with_the_same_markers() -> None:
    first, second = (Drawings(MODEL, "", OutputConfig(), DrawingOptions(rate=5.0)) for _ in range(2))
    drawn(first, 0, "f1", "f2")
    second.load_state_dict(first.state_dict())
    for number, ids in ((1, ("f1",)), (2, ("f1",)), (3, ())):
        assert drawn(second, number, *ids) == drawn(first, number, *ids)


def test_projected_mesh_covers_the_face_in_the_image(portrait: NDArray[np.uint8], fresh: None, tmp_path: Path) -> None:
    source = record(tmp_path / "a", portrait, 3, "compressed")
    annotate(Job(source, tmp_path / "b", drawings=DrawingOptions(annotated=True, rate=0.0)), bar=False)
    markers, faces = of_topic(tmp_path / "b", "/mesh_markers"), of_topic(tmp_path / "b", "/faces")
    assert [marker.header.stamp for marker in markers] == [array.header.stamp for array in faces]
    assert {marker.header.frame_id for marker in markers} == {"lens"}
    pixels, roi = project(points_of(markers[-1]), CAMERA), faces[-1].faces[0].roi
    middle = (pixels.min(axis=0) + pixels.max(axis=0)) / 2
    assert middle == pytest.approx([roi.x_offset + roi.width / 2, roi.y_offset + roi.height / 2], abs=0.1 * roi.width)
    assert np.ptp(pixels[:, 0]) == pytest.approx(roi.width, rel=0.15)
    picture = of_topic(tmp_path / "b", "/annotated/compressed")[-1]
    image = cv2.imdecode(np.frombuffer(picture.data, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (480, 640, 3)
    assert np.abs(image.astype(int) - portrait).max() > 100, "the drawing is visible"


def test_without_drawings_the_other_messages_are_the_same(
    bag: Path, annotated: tuple[Path, dict[str, Any]], fresh: None, tmp_path: Path
) -> None:
    annotate(Job(bag, tmp_path / "plain", drawings=DrawingOptions(markers=False)), bar=False)
    assert rows(tmp_path / "plain") == [row for row in rows(annotated[0]) if row[0] != "/mesh_markers"]


def test_result_says_where_the_time_goes(annotated: tuple[Path, dict[str, Any]]) -> None:
    cpu, threads = annotated[1]["cpu_ms"], annotated[1]["thread_ms"]
    assert set(cpu) >= {"decode", "landmarks", "fitter", "expression", "drawing", "write"}
    assert sum(cpu.values()) == pytest.approx(sum(threads.values()))
    assert min(cpu[name] for name in ("landmarks", "expression", "messages")) > 0.0
    assert annotated[1]["frames"] == COUNT
