"""Which topics of a bag are the camera's: one camera, several, raw and compressed."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.bag_files import CAMERA_INFO, IMAGE, STRING, BagFile

from face_expr_ros.bags import BagError
from face_expr_ros.bags.messages import COMPRESSED_IMAGE
from face_expr_ros.bags.reading import Recording
from face_expr_ros.bags.topics import camera_info_connection, checked_namespace, image_connection

# Topics of a bag, the topic that is asked for, the preferred transport -> the images and their CameraInfo, or an error.
LEFT, RIGHT = {"/left/image": IMAGE, "/left/camera_info": CAMERA_INFO}, {"/right/image": IMAGE}
BOTH = {"/image": IMAGE, "/image/compressed": COMPRESSED_IMAGE, "/camera_info": CAMERA_INFO}
CASES: dict[str, tuple[dict[str, str], str | None, str, tuple[str, str | None] | str]] = {
    "one camera": (LEFT, None, "raw", ("/left/image", "/left/camera_info")),
    "one that is not as preferred": (LEFT, None, "compressed", ("/left/image", "/left/camera_info")),
    "two, one named": (LEFT | RIGHT, "/left/image", "raw", ("/left/image", "/left/camera_info")),
    "another one's CameraInfo is not its own": (LEFT | RIGHT, "/right/image", "raw", ("/right/image", None)),
    "two, none named": (LEFT | RIGHT, None, "raw", "several topics of images, name one with --topic: /left/image, /ri"),
    "both forms, raw": (BOTH, None, "raw", ("/image", "/camera_info")),
    "both forms, compressed": (BOTH, None, "compressed", ("/image/compressed", "/camera_info")),
    "named against the preference": (BOTH, "/image/compressed", "raw", ("/image/compressed", "/camera_info")),
    "something else beside it": ({"/image": IMAGE, "/camera_info": STRING}, None, "raw", ("/image", None)),
    "nothing": ({"/chatter": STRING}, None, "raw", "has no topic of images"),
    "no images": (LEFT, "/left/camera_info", "raw", "/left/camera_info has sensor_msgs/msg/CameraInfo, images were"),
}


@pytest.mark.parametrize("case", CASES)
def test_images_and_their_camera_info_are_found(case: str, tmp_path: Path) -> None:
    topics, asked, transport, wanted = CASES[case]
    with BagFile(tmp_path / "a") as file:
        for topic, kind in topics.items():
            file.write(topic, kind, 0, bytes(4))
    with Recording(tmp_path / "a") as recording:
        if isinstance(wanted, str):
            with pytest.raises(BagError, match=wanted):
                image_connection(recording, asked, transport)
            return
        images = image_connection(recording, asked, transport)
        infos = camera_info_connection(recording, images)
        assert (images.topic, infos.topic if infos else None) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"), [("", ""), ("/", ""), ("robot", "/robot"), ("/robot/", "/robot"), ("/a/b_1", "/a/b_1")]
)
def test_a_namespace_gets_its_slash(given: str, wanted: str) -> None:
    assert checked_namespace(given) == wanted


@pytest.mark.parametrize("given", ["a b", "1st", "/a//b", "a-b", "é", "~"])
def test_a_namespace_that_no_topic_can_have_is_refused(given: str) -> None:
    with pytest.raises(BagError, match=f"a namespace such as /robot was wanted, .*'{given}' was given"):
        checked_namespace(given)
