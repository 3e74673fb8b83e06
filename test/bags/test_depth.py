"""Recorded depth images set the scale of the annotated distances, as in the node."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.bag_files import CAMERA, CAMERA_INFO, IMAGE, BagFile, camera_info, cdr, header, of_topic, raw, rows
from support.depth_camera import as_message_values, exact_depth, structured_light

from face_expr_ros.bags import BagError
from face_expr_ros.bags import annotate as annotating
from face_expr_ros.bags.annotate import annotate
from face_expr_ros.bags.job import Job
from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.geometry import rotation_from_euler
from face_expr_ros.core.types import Pose
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.synthetic.appearance import Appearance
from face_expr_ros.synthetic.scene import FaceRenderer, SceneFace, render_scene

DISTANCE = 0.8  # meters
COLOR, DEPTH = "/camera/color/image_raw", "/camera/aligned_depth_to_color/image_raw"
COUNT = 12


def depth_message(depth: NDArray[np.float32], number: int, frame_id: str = "lens") -> bytes:
    values = as_message_values(depth)
    height, width = values.shape
    return cdr(
        IMAGE,
        {
            "header": header(number) | {"frame_id": frame_id}, "height": height, "width": width, "encoding": "16UC1",
            "is_bigendian": 0, "step": 2 * width, "data": values.view(np.uint8).reshape(-1),
        },
    )  # fmt: skip


@pytest.fixture(scope="module")
def scene() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The image of a person whose head is 8 % larger than the average, and what a depth camera measures."""
    model = open_face_model("open")
    pose = Pose(rotation_from_euler(0.1, 0.0, 0.0), np.array([0.0, 0.0, DISTANCE]), metric=True)
    people = [SceneFace(FaceRenderer(model, Appearance.random(3), texture_width=256), 1.08 * model.mean, pose)]
    depth = structured_light(exact_depth(people, CAMERA), CAMERA, np.random.default_rng(0))
    return render_scene(people, CAMERA), depth


def record(
    path: Path, scene: tuple[NDArray[np.uint8], NDArray[np.float32]], topic: str = DEPTH, frame_id: str = "lens"
) -> Path:
    image, depth = scene
    with BagFile(path) as bag:
        for number in range(COUNT):
            bag.write("/camera/color/camera_info", CAMERA_INFO, number, camera_info(header(number)))
            bag.write(topic, IMAGE, number + 0.1, depth_message(depth, number, frame_id))
            bag.write(COLOR, IMAGE, number + 0.2, raw(image, header(number)))
    return path


def distances(bag: Path) -> list[float]:
    return [array.faces[0].pose.pose.position.z for array in of_topic(bag, "/faces")]


def test_the_distance_is_that_of_the_recorded_depth(
    tmp_path: Path, scene: tuple[NDArray[np.uint8], NDArray[np.float32]], fresh: None
) -> None:
    bag = record(tmp_path / "talk", scene)
    job = Job(bag, tmp_path / "faces", depth=DEPTH)
    annotate(job, bar=False)
    assert all(array.faces[0].pose.depth_used for array in of_topic(job.out, "/faces")[3:])
    assert abs(distances(job.out)[-1] / DISTANCE - 1.0) < 0.01
    without = replace(job, out=tmp_path / "without", config=PerceptionConfig(use_depth=False))
    annotate(without, bar=False)
    assert abs(distances(without.out)[-1] / DISTANCE - 1.0) > 0.03


def test_the_topic_beside_the_images_is_used_unless_one_is_named(
    tmp_path: Path, scene: tuple[NDArray[np.uint8], NDArray[np.float32]], fresh: None
) -> None:
    bag = record(tmp_path / "talk", scene, topic="/camera/color/depth/image")
    annotate(Job(bag, tmp_path / "faces"), bar=False)
    assert of_topic(tmp_path / "faces", "/faces")[-1].faces[0].pose.depth_used


def test_a_depth_image_that_is_not_aligned_is_reported(
    tmp_path: Path, scene: tuple[NDArray[np.uint8], NDArray[np.float32]], fresh: None
) -> None:
    bag = record(tmp_path / "talk", scene, frame_id="infrared")
    result = annotate(Job(bag, tmp_path / "faces", depth=DEPTH), bar=False)
    assert result["problem"].startswith("depth images are ignored: expected a depth image that is aligned")
    assert not of_topic(tmp_path / "faces", "/faces")[-1].faces[0].pose.depth_used


def test_a_topic_without_depth_images_is_refused(
    tmp_path: Path, scene: tuple[NDArray[np.uint8], NDArray[np.float32]], fresh: None
) -> None:
    bag = record(tmp_path / "talk", scene)
    with pytest.raises(BagError, match="expected a depth topic of sensor_msgs/Image, got /camera/color/camera_info"):
        annotate(Job(bag, tmp_path / "faces", topic=COLOR, depth="/camera/color/camera_info"), bar=False)
    with pytest.raises(BagError, match="has no topic '/nowhere'"):
        annotate(Job(bag, tmp_path / "faces", topic=COLOR, depth="/nowhere"), bar=False)


def test_an_interrupted_run_continues_with_the_same_distances(
    tmp_path: Path,
    scene: tuple[NDArray[np.uint8], NDArray[np.float32]],
    fresh: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bag = record(tmp_path / "talk", scene)
    job = Job(bag, tmp_path / "whole", split=0.25, depth=DEPTH)
    annotate(job, bar=False)
    interrupted = replace(job, out=tmp_path / "interrupted")
    process, count = annotating._Run._process, 0

    def stop(run: object, *message: object) -> None:
        nonlocal count
        count += 1
        if count == 26:
            raise KeyboardInterrupt
        process(run, *message)

    with monkeypatch.context() as patch:
        patch.setattr(annotating._Run, "_process", stop)
        with pytest.raises(KeyboardInterrupt):
            annotate(interrupted, bar=False)
    result = annotate(interrupted, bar=False)
    assert 0 < result["resumed_at"] < 26
    assert rows(interrupted.out) == rows(job.out)
