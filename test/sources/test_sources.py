"""Images from files, folders and devices, and the errors of missing and damaged ones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from support.file_server import serving

from face_expr_ros.core.config import CameraConfig
from face_expr_ros.sources import SourceError, SourceFrame, is_live, open_source
from face_expr_ros.sources.calibration import read_calibration_file, resized

SIZE = (64, 48)  # width, height
CALIBRATION = """
image_width: 64
image_height: 48
camera_name: test
camera_matrix: {rows: 3, cols: 3, data: [50.0, 0.0, 31.5, 0.0, 51.0, 23.5, 0.0, 0.0, 1.0]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, 0.2, 0.0, 0.0, 0.3]}
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [50, 0, 31.5, 0, 0, 51, 23.5, 0, 0, 0, 1, 0]}
"""


def silent(_: str) -> None:
    pass


def read_all(
    source: str, *, loop: bool = False, limit: int = 50, warnings: list[str] | None = None
) -> list[SourceFrame]:
    opened = open_source(CameraConfig(source=source, loop=loop), silent if warnings is None else warnings.append)
    frames: list[SourceFrame] = []
    while len(frames) < limit and (frame := opened.read(len(frames) / 25)) is not None:
        frames.append(frame)
    opened.close()
    return frames


def levels(frames: list[SourceFrame]) -> list[int]:
    """The gray of each image, in steps of 40 so that compression does not matter."""
    return [round(float(frame.image.mean()) / 40) for frame in frames]


def gray(level: int) -> np.ndarray:
    return np.full((SIZE[1], SIZE[0], 3), 40 * level, np.uint8)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Five frames of gray 1 to 5."""
    path = tmp_path / "five.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, SIZE)
    for level in range(1, 6):
        writer.write(gray(level))
    writer.release()
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images of gray 1, 2 and 3, and a text file."""
    path = tmp_path / "images"
    path.mkdir()
    for level, name in ((2, "b.png"), (1, "a.jpg"), (3, "c.JPG")):
        cv2.imwrite(str(path / name), gray(level))
    (path / "notes.txt").write_text("a text")
    return path


def test_video_is_played_once_without_loop(video: Path) -> None:
    assert levels(read_all(str(video))) == [1, 2, 3, 4, 5]


def test_video_repeats_with_loop(video: Path) -> None:
    assert levels(read_all(str(video), loop=True, limit=12)) == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2]


def test_folder_is_read_in_the_order_of_names(folder: Path) -> None:
    assert levels(read_all(str(folder))) == [1, 2, 3]
    assert levels(read_all(str(folder), loop=True, limit=5)) == [1, 2, 3, 1, 2]


def test_single_image_repeats_with_loop(folder: Path) -> None:
    assert levels(read_all(str(folder / "b.png"), loop=True, limit=3)) == [2, 2, 2]


def test_unreadable_image_is_skipped_with_a_warning(folder: Path) -> None:
    (folder / "b.png").write_bytes(b"not an image")
    warnings: list[str] = []
    assert levels(read_all(str(folder), warnings=warnings)) == [1, 3]
    assert len(warnings) == 1
    assert f"{str(folder / 'b.png')!r} cannot be decoded as an image; it is skipped" in warnings[0]


def test_video_that_ends_early_warns_once(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole.avi", tmp_path / "broken.avi"
    writer = cv2.VideoWriter(str(whole), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, SIZE)
    for image in np.random.default_rng(1).integers(0, 256, (40, SIZE[1], SIZE[0], 3), dtype=np.uint8):
        writer.write(image)
    writer.release()
    data = whole.read_bytes()
    broken.write_bytes(data[: len(data) // 2])
    warnings: list[str] = []
    assert len(read_all(str(broken), loop=True, limit=60, warnings=warnings)) == 60
    assert len(warnings) == 1
    assert "ends early" in warnings[0]
    assert "of 40 frames can be decoded" in warnings[0]


@pytest.mark.parametrize("loop", [True, False])
def test_folder_without_readable_images_is_refused(tmp_path: Path, loop: bool) -> None:
    (tmp_path / "a.png").write_bytes(b"not an image")
    with pytest.raises(SourceError, match="none of the 1 images"):
        read_all(str(tmp_path), loop=loop)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("missing.mp4", "a video file or a folder of images, there is no file"),
        ("missing.png", "expected an image file or a folder of images, there is none at"),
        ("device:one", "expected a source device:N with a number, such as device:0, got 'device:one'"),
        ("device:", "device:N with a number"),
        ("device:987", "device:987 cannot be opened"),
        ("ftp://camera/clip", "expected a URL of rtsp, rtsps, http, https, rtmp, udp, got 'ftp://camera/clip'"),
        ("rtsp://user:secret@127.0.0.1:1/live", "rtsp://127.0.0.1:1/live cannot be opened as a stream"),
        ("syntetic", "expected synthetic, device:N, a video file or a folder of images"),
    ],
)
def test_missing_source_is_refused_with_the_reason(source: str, words: str) -> None:
    with pytest.raises(SourceError) as refused:
        open_source(CameraConfig(source=source), silent)
    assert words in str(refused.value)


class Webcam:
    """Replaces cv2.VideoCapture: two images, then it is disconnected."""

    def __init__(self, number: int) -> None:
        self.images = [gray(1), gray(2)]

    def isOpened(self) -> bool:
        return True

    def set(self, key: int, value: float) -> bool:
        return True

    def read(self) -> tuple[bool, np.ndarray | None]:
        return (True, self.images.pop(0)) if self.images else (False, None)

    def release(self) -> None:
        pass


def test_disconnected_device_is_reported_after_its_last_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Webcam)
    device = open_source(CameraConfig(source="device:0"), silent)
    frames: list[SourceFrame] = []
    with pytest.raises(SourceError, match="no image from device:0 for 5 s: check that it is still connected"):
        frames.extend(iter(lambda: device.read(0.0), None))
    device.close()
    assert levels(frames)[-1] == 2


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="found none"):
        open_source(CameraConfig(source=str(tmp_path)), silent)


@pytest.mark.parametrize("content", [b"", b"plain text", bytes(5000)])
def test_file_that_is_not_a_video_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="cannot be read as a video"):
        read_all(str(path))


def test_files_without_calibration_have_an_unknown_camera(video: Path, folder: Path) -> None:
    assert all(frame.camera is None for source in (video, folder) for frame in read_all(str(source)))


def test_calibration_beside_a_file_is_its_camera(video: Path) -> None:
    video.with_name("five.avi.yaml").write_text(CALIBRATION)
    camera = read_all(str(video))[0].camera
    assert camera is not None
    assert (camera.width, camera.height, camera.metric) == (64, 48, True)
    np.testing.assert_array_equal(camera.matrix, [[50, 0, 31.5], [0, 51, 23.5], [0, 0, 1]])
    np.testing.assert_array_equal(camera.distortion, [0.1, 0.2, 0, 0, 0.3])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("just text", "is not a calibration file"),
        ("a: [", "is not a calibration file"),
        ("{}", "'camera_matrix' is missing"),
        (CALIBRATION.replace("plumb_bob", "equidistant"), "expected 0 or 4 coefficients for equidistant, got 5"),
        (CALIBRATION.replace("[50.0,", "[1.0,"), "expected a focal length of at least"),
        (CALIBRATION.replace("[50.0,", "[.nan,"), "expected finite numbers and focal lengths of at least 1 pixel"),
        (CALIBRATION.replace("[50.0, 0.0,", "[50.0,"), "cannot reshape"),
    ],
)
def test_bad_calibration_is_refused_with_its_file_name(video: Path, text: str, words: str) -> None:
    file = video.with_name("five.avi.yaml")
    file.write_text(text)
    with pytest.raises(SourceError) as refused:
        read_all(str(video))
    assert str(file) in str(refused.value)
    assert words in str(refused.value)


def test_a_stream_delivers_its_latest_image(video: Path) -> None:
    with serving({"five.avi": video.read_bytes()}) as server:
        stream = open_source(CameraConfig(source=f"{server.url}/five.avi"), silent)
        first = stream.read(0.0)
        stream.close()
    assert first is not None
    assert first.image.shape == (SIZE[1], SIZE[0], 3)
    assert 1 <= levels([first])[0] <= 5


def test_a_calibration_is_scaled_to_another_resolution_of_the_same_aspect(tmp_path: Path) -> None:
    file = tmp_path / "camera.yaml"
    file.write_text(CALIBRATION.replace("plumb_bob", "equidistant").replace(", 0.3]", "]"))
    camera = resized(read_calibration_file(file), 128, 96)
    assert (camera.width, camera.height, camera.lens) == (128, 96, "fisheye")
    np.testing.assert_allclose(camera.matrix, [[100, 0, 63.5], [0, 102, 47.5], [0, 0, 1]])
    with pytest.raises(SourceError, match="expected a calibration for images of 100 x 48 or of the same aspect"):
        resized(camera, 100, 48)


ENDLESS = [("synthetic", True), ("device:0", True), ("rtsp://a/b", True), ("a.mp4", False), ("x/", False)]


@pytest.mark.parametrize(("source", "live"), ENDLESS)
def test_endless_sources_are_live(source: str, live: bool) -> None:
    assert is_live(source) == live
