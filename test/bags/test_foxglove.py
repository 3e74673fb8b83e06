"""The layout for Foxglove refers to topics and fields that an annotated bag has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.bag_files import CAMERA, BagFile, camera_info, jpeg
from support.paths import ROOT

from face_expr_ros.bags.export import export
from face_expr_ros.bags.foxglove import SHOWN
from face_expr_ros.bags.messages import CAMERA_INFO, COMPRESSED_IMAGE, FACE_ARRAY, MARKER, cdr
from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.geometry import rotation_from_euler
from face_expr_ros.core.markers import FaceMarker
from face_expr_ros.core.types import Blendshapes, Face, FaceFit, Pose, Roi
from face_expr_ros.serialization.marker_values import marker_values
from face_expr_ros.serialization.message_dicts import face_array_values, header_values

HEADER = header_values(0, "camera_optical_frame")
IMAGE = "/camera/image/compressed"


def face(face_id: str) -> Face:
    pose = Pose(rotation_from_euler(0.0, 0.0, 0.0), np.array([0.0, 0.0, 0.7]), metric=True)
    fit = FaceFit(pose, np.zeros(2), np.zeros(2), 0.0, np.zeros((68, 3)), np.zeros((3, 4)), 1.0)
    return Face(face_id, 1.0, Roi(0, 0, 9, 9), None, fit, Blendshapes(ARKIT_NAMES, np.zeros(len(ARKIT_NAMES))))


def layout_of(folder: Path, ids: tuple[str, ...] = ("f1",), namespace: str = "", with_info: bool = True) -> Any:
    """The layout of a bag with one image, the annotated image, a marker, and faces."""
    picture = jpeg(np.zeros((480, 640, 3), np.uint8), HEADER)
    with BagFile(folder / "bag") as bag:
        bag.write(f"{namespace}/annotated/compressed", COMPRESSED_IMAGE, 0, picture)
        bag.write(IMAGE, COMPRESSED_IMAGE, 0, picture)
        if with_info:
            bag.write("/camera/camera_info", CAMERA_INFO, 0, camera_info(HEADER))
        bag.write(f"{namespace}/mesh_markers", MARKER, 0, cdr(MARKER, marker_values(FaceMarker("f1", 0), HEADER, 2.0)))
        faces = face_array_values([face(face_id) for face_id in ids], CAMERA, "open", HEADER)
        bag.write(f"{namespace}/faces", FACE_ARRAY, 0, cdr(FACE_ARRAY, faces))
    export(folder / "bag", layout=folder / "layout.json")
    return json.loads((folder / "layout.json").read_text())


def panels(node: Any) -> set[str]:
    return {node} if isinstance(node, str) else panels(node["first"]) | panels(node["second"])


def test_file_in_config_is_the_layout_of_such_a_bag(tmp_path: Path) -> None:
    assert json.loads((ROOT / "config/foxglove_layout.json").read_text()) == layout_of(tmp_path)


def test_all_panels_are_placed_and_use_existing_topics(tmp_path: Path) -> None:
    layout = layout_of(tmp_path, ("f3",), "/robot")
    assert panels(layout["layout"]) == set(layout["configById"])
    image, scene = (layout["configById"][name] for name in ("Image!image", "3D!meshes"))
    assert image["imageMode"] == {"imageTopic": IMAGE, "calibrationTopic": "/camera/camera_info"}
    assert image["topics"] == scene["topics"] == {"/robot/mesh_markers": {"visible": True}}
    assert scene["followTf"] == "camera_optical_frame"
    paths = {path["label"]: path["value"] for path in layout["configById"]["Plot!expression"]["paths"]}
    assert paths == {
        name: f'/robot/expression{{face_id=="f3"}}.blendshapes[{ARKIT_NAMES.index(name)}]' for name in SHOWN
    }
    assert all(path["enabled"] for path in layout["configById"]["Plot!pose"]["paths"])


@pytest.mark.parametrize("ids", [(), ("f1", "f2")])
def test_bag_without_calibration_shows_the_image_alone(tmp_path: Path, ids: tuple[str, ...]) -> None:
    layout = layout_of(tmp_path, ids, with_info=False)
    assert layout["configById"]["Image!image"]["imageMode"] == {"imageTopic": IMAGE}
