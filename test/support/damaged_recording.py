"""A long recording of a camera of which half of the messages are missing, swapped or damaged, with a known truth."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from face_expr_ros.bags.messages import COMPRESSED_IMAGE, cdr
from face_expr_ros.bags.writing import SplitWriter, new_topic
from face_expr_ros.serialization.message_dicts import header_values
from support.bag_files import START_NS

TOPIC = "/camera/image/compressed"
FILES = 10
POSES = 60  # different images, repeated
SECOND = 1_000_000_000


@dataclass
class Truth:
    """What a recording contains.

    Attributes:
        intact: complete messages, including swapped ones.
        missing, swapped, cut, noisy: damaged messages; of noisy ones, some bytes of the image are changed.
    """

    intact: int = 0
    missing: int = 0
    swapped: int = 0
    cut: int = 0
    noisy: int = 0


def damaged_recording(path: Path, portrait: NDArray[np.uint8], seconds: float, rate: int = 30) -> Truth:
    """Write a bag of 1280x720 JPEG images in `FILES` files, of which the last is cut, without metadata.yaml.

    Of the messages, an eighth each is missing, cut and noisy, and an eighth is swapped with its neighbor.
    """
    truth, random = Truth(), np.random.default_rng(19)
    count = int(seconds * rate)
    writer = SplitWriter(path, "mcap", [new_topic(TOPIC, COMPRESSED_IMAGE)])
    images = [cv2.imencode(".jpg", image)[1] for image in _images(portrait)]
    bounds = {count * (number + 1) // FILES for number in range(FILES - 1)}
    for number in range(count):
        if number in bounds:
            writer.split()
        swap = number % 16 in (8, 9)
        truth.swapped += swap
        stamp_ns = START_NS + (number ^ swap) * SECOND // rate
        data = _damaged(images[number % POSES], number % 16, header_values(stamp_ns, "lens"), random, truth)
        if data is not None:
            writer.write(TOPIC, COMPRESSED_IMAGE, START_NS + number * SECOND // rate, data)
    writer.finish({})
    writer.abort()  # releases its lock
    (path / "metadata.yaml").unlink()
    last = path / f"{path.name}_{FILES - 1}.mcap"
    os.truncate(last, last.stat().st_size - 50_000)  # without its index and the end of its last message
    truth.intact -= 1
    return truth


def _images(portrait: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """(720, 1280, 3) BGR: a face that moves from side to side and back."""
    for number in range(POSES):
        shift = 120.0 * np.sin(2 * np.pi * number / POSES)
        matrix = np.array([[1.5, 0.0, 160 + shift], [0.0, 1.5, 0.0]])
        yield np.asarray(cv2.warpAffine(portrait, matrix, (1280, 720), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _damaged(image: Any, kind: int, head: dict[str, Any], random: np.random.Generator, truth: Truth) -> bytes | None:
    """The message of a JPEG image; None if it is missing."""
    if kind in (2, 3):
        truth.missing += 1
        return None
    data = cdr(COMPRESSED_IMAGE, {"header": head, "format": "jpeg", "data": image})
    if kind in (5, 12):
        truth.cut += 1
        return data[: len(data) // 2]
    if kind in (6, 14):
        truth.noisy += 1
        noisy = np.frombuffer(data, np.uint8).copy()
        noisy[random.integers(200, len(noisy), 20)] = random.integers(0, 256, 20)
        return noisy.tobytes()
    truth.intact += 1
    return data
