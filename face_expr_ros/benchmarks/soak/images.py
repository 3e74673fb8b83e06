"""Images and calibrations as camera drivers really send them, and invalid ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from face_expr_ros.core.geometry import pinhole_camera
from face_expr_ros.ros.camera_info_messages import info_from_camera

Bgr = NDArray[np.uint8]
_FIELD_OF_VIEW = 27.0  # degrees, vertical


def _message(header: Header, encoding: str, pixels: NDArray, step: int | None = None) -> Image:
    height, width = pixels.shape[:2]
    row = pixels.nbytes // height
    message = Image(header=header, height=height, width=width, encoding=encoding, step=step or row)
    message.data = pixels.tobytes()
    return message


def _padded(image: Bgr, header: Header) -> Image:
    rows = image.reshape(len(image), -1)
    padded = np.pad(rows, ((0, 0), (0, 16)))
    message = _message(header, "bgr8", padded)
    message.width = image.shape[1]
    return message


def _bayer(image: Bgr) -> Bgr:
    mosaic = image[..., 1].copy()
    mosaic[::2, ::2], mosaic[1::2, 1::2] = image[::2, ::2, 2], image[1::2, 1::2, 0]
    return mosaic


def _gray(image: Bgr) -> Bgr:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)


def _yuyv(image: Bgr) -> Bgr:
    yuv = cv2.cvtColor(image, cv2.COLOR_BGR2YUV)
    chroma = np.where(np.arange(image.shape[1]) % 2, np.roll(yuv[..., 2], 1, axis=1), yuv[..., 1])
    return np.stack([yuv[..., 0], chroma], axis=-1).astype(np.uint8)


Build = Callable[[Bgr, Header], Image]
VALID: Mapping[str, Build] = {
    "bgr8": lambda image, header: _message(header, "bgr8", image),
    "rgb8": lambda image, header: _message(header, "rgb8", image[..., ::-1]),
    "bgra8": lambda image, header: _message(header, "bgra8", cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)),
    "mono8": lambda image, header: _message(header, "mono8", _gray(image)),
    "mono16, 12 bits": lambda image, header: _message(header, "mono16", _gray(image).astype("<u2") << 4),
    "bayer_rggb8": lambda image, header: _message(header, "bayer_rggb8", _bayer(image)),
    "yuv422_yuy2": lambda image, header: _message(header, "yuv422_yuy2", _yuyv(image)),
    "padded rows": _padded,
}
INVALID: Mapping[str, Build] = {
    "data too short": lambda image, header: _shortened(image, header),
    "no data": lambda image, header: Image(header=header, height=image.shape[0], width=image.shape[1], encoding="bgr8"),
    "no size": lambda image, header: Image(header=header, encoding="bgr8"),
    "step too small": lambda image, header: _message(header, "bgr8", image, step=image.shape[1]),
    "unknown encoding": lambda image, header: _message(header, "bgr8_custom", image),
    "depth image": lambda image, header: _message(header, "32FC1", np.full(image.shape[:2], np.nan, np.float32)),
    "huge size": lambda image, header: Image(header=header, height=2**31, width=2**31, step=2**31, encoding="mono8"),
}


def _shortened(image: Bgr, header: Header) -> Image:
    message = _message(header, "bgr8", image)
    message.data = message.data[: len(message.data) // 2]
    return message


def jpeg(image: Bgr, header: Header, valid: bool) -> CompressedImage:
    """A JPEG; an invalid one ends after a hundred bytes."""
    data = cv2.imencode(".jpg", image)[1].tobytes()
    return CompressedImage(header=header, format="jpeg", data=data if valid else data[:100])


def _pinhole(width: int, height: int, header: Header) -> CameraInfo:
    return info_from_camera(pinhole_camera(width, height, _FIELD_OF_VIEW), width, height, header)


def _changed(**changes: object) -> Callable[[int, int, Header], CameraInfo]:
    def build(width: int, height: int, header: Header) -> CameraInfo:
        info = _pinhole(width, height, header)
        for name, value in changes.items():
            setattr(info, name, value)
        return info

    return build


CAMERA_INFOS: Mapping[str, Callable[[int, int, Header], CameraInfo | None]] = {
    "pinhole": _pinhole,
    "none": lambda width, height, header: None,
    "plumb_bob with 8 coefficients": _changed(d=[0.01, -0.02, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
    "equidistant with zeros": _changed(distortion_model="equidistant", d=[0.0] * 4),
    "no model": _changed(distortion_model="", d=[]),
    "no size": _changed(width=0, height=0),
    "half the resolution": lambda width, height, header: _pinhole(width // 2, height // 2, header),
    "uncalibrated": _changed(k=[0.0] * 9, p=[0.0] * 12),
    "not finite": _changed(k=[float("nan")] * 9),
    "implausible focal length": _changed(k=[1.0, 0.0, 200.0, 0.0, 1.0, 100.0, 0.0, 0.0, 1.0]),
    "another aspect": _changed(width=4000, height=10),
}
