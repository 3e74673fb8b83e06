"""Everything that reads bytes from outside, as functions for generated input.

A parser accepts its input, and then returns valid values, or refuses it with the error of its docstring; every other
error, and every value that is not finite, is a defect.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import cv2
import numpy as np

from face_expr_ros.bags import BagError
from face_expr_ros.bags.messages import CAMERA_INFO, FACE_ARRAY, IMAGE, cdr, package_types, types_of
from face_expr_ros.bags.parameters import parameters_of
from face_expr_ros.bags.reading import Recording
from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.core.calibration import Calibration, calibration_yaml, parse_calibration
from face_expr_ros.core.face_model import BundleError
from face_expr_ros.core.resources import resource_path
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import Blendshapes
from face_expr_ros.models.pickles import read_pickled_arrays
from face_expr_ros.retargeting.avatar_config import load_targets
from face_expr_ros.retargeting.joints import load_joints
from face_expr_ros.serialization.image_headers import CompressedSizeError, compressed_size, lacks_jpeg_end
from face_expr_ros.serialization.takes import TakeError, read_take
from face_expr_ros.sources.calibration import read_calibration_file
from face_expr_ros.sources.source_frame import SourceError
from face_expr_ros.web.codec import CodecError, StreamFace, StreamFrame, decode_frame, encode_frame
from support.avatar_faces import every_shape
from support.bag_files import STRING, BagFile, camera_info, header, raw
from support.broken_sqlite import live_sqlite
from support.mutations import refused_with

CAMERA = """image_width: 640
image_height: 480
camera_matrix:
  rows: 3
  cols: 3
  data: [600.0, 0.0, 320.0, 0.0, 600.0, 240.0, 0.0, 0.0, 1.0]
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, -0.2, 0.0, 0.0, 0.0]}
"""
PARAMETERS = """/**/perception:
  ros__parameters:
    landmarks: {max_faces: 1}
    smoothing.beta: 1.0
/front:
  perception:
    ros__parameters: {bundle: open}
"""


class Parser(NamedTuple):
    """A function that reads bytes, and valid inputs to start from.

    Attributes:
        read: called with the bytes and an empty file name in a folder of its own.
        seeds: valid inputs.
        name: of the file.
        is_slow: whether an input takes 10 ms and more, so that the tests use fewer.
    """

    read: Callable[[bytes, Path], None]
    seeds: Callable[[], Iterable[bytes]]
    name: str = "input"
    is_slow: bool = False


def _all_finite(value: Any) -> None:
    """Raise AssertionError if a number in a value is not finite."""
    if isinstance(value, np.ndarray):
        assert np.isfinite(value).all()
    elif isinstance(value, float):
        assert math.isfinite(value)
    elif isinstance(value, dict):
        _all_finite(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for each in value:
            _all_finite(each)


def _image_header(data: bytes, _file: Path) -> None:
    with suppress(CompressedSizeError):
        width, height = compressed_size(data)
        assert 0 <= min(width, height) <= max(width, height) < 2**32
    lacks_jpeg_end(data)


def _pictures() -> list[bytes]:
    image = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    return [cv2.imencode(kind, image)[1].tobytes() for kind in (".jpg", ".png")]


def _stream_frame(data: bytes, _file: Path) -> None:
    with suppress(CodecError):
        frame = decode_frame(data)
        _all_finite([vars(face) for face in frame.faces])
        with suppress(CodecError):  # more than 300 bytes per face
            assert len(data) == len(encode_frame(frame)), "encoding and decoding agree about the size"


def _frames() -> list[bytes]:
    from face_expr_ros.core.types import Roi

    face = StreamFace(
        7, 0.9, np.array([0.0, 0.1, 0.6]), np.array([0.0, 0.0, 0.0, 1.0]), Roi(1, 2, 3, 4), True, False, "happy",
        0.5, -0.5, np.linspace(0, 1, 52), np.linspace(-3, 3, 40), np.linspace(0, 1, 10),
    )  # fmt: skip
    empty = StreamFrame(1, 1.0, 2.0, 640, 480, (600.0, 600.0), (320.0, 240.0))
    return [encode_frame(empty), encode_frame(StreamFrame(2, 1.0, 2.0, 640, 480, (600.0, 600.0), (0.0, 0.0), (face,)))]


def _person(data: bytes, _file: Path) -> None:
    with suppress(ConfigError):
        calibration = parse_calibration(data.decode(errors="replace"))
        assert parse_calibration(calibration_yaml(calibration)) == calibration


def _persons() -> list[bytes]:
    text = "version: 1\nname: Ada\nneutral: {browDownLeft: 0.2}\nblendshapes:\n"
    text += "  jawOpen: {gain: 2, dead_zone: 0.1, curve: 1.5}\n"
    return [text.encode(), Calibration(neutral={"jawOpen": 0.25}).model_dump_json().encode()]


def _file_of(load: Callable[[Path], Any], error: type[Exception]) -> Callable[[bytes, Path], None]:
    """A parser of files whose error names the file."""

    def read(data: bytes, file: Path) -> None:
        file.write_bytes(data)
        with refused_with(error, file.name):
            _all_finite(load(file))

    return read


def _shipped(name: str) -> Callable[[], list[bytes]]:
    return lambda: [resource_path(name).read_bytes()]


def _take(data: bytes, file: Path) -> None:
    file.write_bytes(data)
    with suppress(TakeError):
        for frame in read_take(file):
            assert len(frame.blendshapes.names) == len(frame.blendshapes.values)
            assert frame.position.shape == (3,)
            assert ((frame.blendshapes.values >= 0) & (frame.blendshapes.values <= 1)).all()
            _all_finite([frame.blendshapes.values, frame.rotation, frame.position, frame.shape])


def _takes() -> list[bytes]:
    values = [round(value, 2) for value in every_shape().values()]
    face = {"id": "f1", "position": [0, 0, 0.6], "quaternion_xyzw": [0, 0, 0, 1], "blendshapes": values, "shape": [0.5]}
    page = {
        "format": "face_expr take",
        "blendshape_names": ARKIT_NAMES,
        "frames": [{"stamp": 1.0 + k, "faces": [face]} for k in range(2)],
    }
    pose = {"position": [0, 0, 0.6], "quaternion_xyzw": [0, 0, 0, 1]}
    line = {
        "stamp": 1.0,
        "faces": [{"id": "f1", "blendshapes": dict(zip(ARKIT_NAMES, values, strict=True)), "pose": pose}],
    }
    return [json.dumps(page).encode(), (json.dumps(line) + "\n").encode()]


def _recording(data: bytes, file: Path) -> None:
    file.write_bytes(data)
    with suppress(BagError), Recording(file) as recording:
        for message in recording.messages():
            with suppress(BagError):
                _deserialized(types_of(message.connection), message.data, message.connection.msgtype)
        assert isinstance(recording.damage, str)


def _deserialized(types: Any, data: bytes, name: str) -> None:
    """Deserialize a message as all readers of recordings do: with any error for a damaged one."""
    with suppress(Exception):
        types.deserialize_cdr(data, name)


def _metadata(data: bytes, file: Path) -> None:
    if not (file.parent / "talk_0.mcap").exists():
        (file.parent / "talk_0.mcap").write_bytes(_recorded("mcap", "talk_0.mcap")[0])
    file.write_bytes(data)
    with Recording(file.parent) as recording:  # the messages are intact, whatever the metadata is
        assert sum(1 for _ in recording.messages()) == 5


def _recorded(storage: str, name: str) -> list[bytes]:
    """The bytes of a file of a small bag."""
    with TemporaryDirectory() as folder:
        bag = Path(folder) / "talk_0"
        with BagFile(bag, storage) as file:
            file.write("/image", IMAGE, 0, raw(np.zeros((2, 2, 3), np.uint8), header(0)))
            file.write("/camera_info", CAMERA_INFO, 0.1, camera_info(header(0)))
            for number in range(3):
                file.write("/words", STRING, number, cdr(STRING, {"data": f"word {number}"}))
        found = {"mcap": "talk_0.mcap", "sqlite3": "talk_0.db3"}[storage] if name != "metadata.yaml" else name
        if storage == "sqlite3":
            with closing(sqlite3.connect(bag / found)) as database:
                database.execute("PRAGMA journal_mode=DELETE")
        return [(bag / found).read_bytes()]


def _log(data: bytes, file: Path) -> None:
    """The write-ahead log beside a database that is nearly empty."""
    (file.parent / "talk_0.db3").write_bytes(_killed("talk_0.db3")[0])
    file.write_bytes(data)
    with suppress(BagError), Recording(file.parent / "talk_0.db3") as recording:
        times = [message.time_ns for message in recording.messages()]
        assert times == sorted(times)
        assert isinstance(recording.damage, str)


@cache
def _killed(name: str) -> list[bytes]:
    """The bytes of a file of a killed recorder, whose messages are all in the log."""
    with TemporaryDirectory() as folder:
        return [(live_sqlite(Path(folder), "wal", in_log=True) / name).read_bytes()]


def _weights(data: bytes, _file: Path) -> None:
    with suppress(BundleError):
        read_pickled_arrays(data, "arrays.pkl")


def _pickles() -> list[bytes]:
    import pickle

    arrays = {"w": np.eye(2, dtype=np.float32), "n": np.arange(3)}
    return [pickle.dumps(arrays, protocol=2), pickle.dumps(np.eye(2), protocol=4)]


def _faces_in_bag(data: bytes, _file: Path) -> None:
    _deserialized(package_types(), data, FACE_ARRAY)


def _blendshapes(data: bytes, _file: Path) -> None:
    """A calibration applied to any numbers in 0..1 stays in 0..1."""
    from face_expr_ros.core.calibration import CalibratedResponse

    with suppress(ConfigError):
        response = CalibratedResponse(parse_calibration(data.decode(errors="replace")))
        for value in (0.0, 0.3, 1.0):
            values = response(Blendshapes(ARKIT_NAMES, np.full(len(ARKIT_NAMES), value))).values
            assert ((values >= 0) & (values <= 1)).all()


PARSERS = {
    "image header": Parser(_image_header, _pictures),
    "stream frame": Parser(_stream_frame, _frames),
    "calibration text": Parser(_person, _persons),
    "calibrated blendshapes": Parser(_blendshapes, _persons),
    "take": Parser(_take, _takes, "take.json"),
    "joint table": Parser(
        _file_of(lambda file: [vars(joint) for joint in load_joints(str(file)).values()], ConfigError),
        _shipped("config/heads/pan_tilt.yaml"), "robot.yaml",
    ),
    "receiver file": Parser(
        _file_of(lambda file: [target.port_number for target in load_targets(str(file))], ConfigError),
        _shipped("config/avatars.yaml"), "avatars.yaml",
    ),
    "camera calibration": Parser(
        _file_of(lambda file: vars(read_calibration_file(file)), SourceError), lambda: [CAMERA.encode()], "camera.yaml"
    ),
    "parameter file": Parser(
        _file_of(lambda file: len(parameters_of(file)), ConfigError), lambda: [PARAMETERS.encode()], "params.yaml"
    ),
    "mcap": Parser(_recording, lambda: _recorded("mcap", ""), "talk_0.mcap", is_slow=True),
    "sqlite3": Parser(_recording, lambda: _recorded("sqlite3", ""), "talk_0.db3", is_slow=True),
    "sqlite3 log": Parser(_log, lambda: _killed("talk_0.db3-wal"), "talk_0.db3-wal", is_slow=True),
    "metadata": Parser(_metadata, lambda: _recorded("mcap", "metadata.yaml"), "metadata.yaml", is_slow=True),
    "pickled arrays": Parser(_weights, _pickles),
}  # fmt: skip
