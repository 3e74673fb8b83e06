"""Selection of image and CameraInfo topics: one camera, several, raw and compressed."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.bag_files import CAMERA_INFO, IMAGE, STRING, BagFile

from face_expr_ros.bags import BagError
from face_expr_ros.bags.messages import COMPRESSED_IMAGE
from face_expr_ros.bags.reading import Recording
from face_expr_ros.bags.topics import camera_info_connection, checked_namespace, image_connection

# Topics of a bag, requested topic, preferred transport -> image and CameraInfo topics, or an error.
LEFT, RIGHT = {"/left/image": IMAGE, "/left/camera_info": CAMERA_INFO}, {"/right/image": IMAGE}
BOTH = {"/image": IMAGE, "/image/compressed": COMPRESSED_IMAGE, "/camera_info": CAMERA_INFO}
CASES: dict[str, tuple[dict[str, str], str | None, str, tuple[str, str | None] | str]] = {
    "one camera": (LEFT, None, "raw", ("/left/image", "/left/camera_info")),
    "one, not preferred": (LEFT, None, "compressed", ("/left/image", "/left/camera_info")),
    "two, one selected": (LEFT | RIGHT, "/left/image", "raw", ("/left/image", "/left/camera_info")),
    "CameraInfo of another camera": (LEFT | RIGHT, "/right/image", "raw", ("/right/image", None)),
    "two, none selected": (
        LEFT | RIGHT,
        None,
        "raw",
        "several image topics, select one with --topic: /left/image, /ri",
    ),
    "both forms, raw": (BOTH, None, "raw", ("/image", "/camera_info")),
    "both forms, compressed": (BOTH, None, "compressed", ("/image/compressed", "/camera_info")),
    "selected against the preference": (BOTH, "/image/compressed", "raw", ("/image/compressed", "/camera_info")),
    "other type": ({"/image": IMAGE, "/camera_info": STRING}, None, "raw", ("/image", None)),
    "no camera": ({"/chatter": STRING}, None, "raw", "has no image topic"),
    "not an image topic": (LEFT, "/left/camera_info", "raw", "got /left/camera_info with sensor_msgs/msg/CameraInfo"),
}


@pytest.mark.parametrize("case", CASES)
def test_image_and_camera_info_topics_are_selected(case: str, tmp_path: Path) -> None:
    topics, requested, transport, expected = CASES[case]
    with BagFile(tmp_path / "a") as file:
        for topic, kind in topics.items():
            file.write(topic, kind, 0, bytes(4))
    with Recording(tmp_path / "a") as recording:
        if isinstance(expected, str):
            with pytest.raises(BagError, match=expected):
                image_connection(recording, requested, transport)
            return
        images = image_connection(recording, requested, transport)
        infos = camera_info_connection(recording, images)
        assert (images.topic, infos.topic if infos else None) == expected


@pytest.mark.parametrize(
    ("given", "expected"), [("", ""), ("/", ""), ("robot", "/robot"), ("/robot/", "/robot"), ("/a/b_1", "/a/b_1")]
)
def test_namespace_gets_a_leading_slash(given: str, expected: str) -> None:
    assert checked_namespace(given) == expected


@pytest.mark.parametrize("given", ["a b", "1st", "/a//b", "a-b", "é", "~"])
def test_invalid_namespace_is_refused(given: str) -> None:
    with pytest.raises(
        BagError, match=f"expected a namespace of letters, digits and underscores, such as /robot, got '{given}'"
    ):
        checked_namespace(given)
