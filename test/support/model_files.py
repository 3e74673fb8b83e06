"""Decoder of the web server's face model files."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"FACEMDL1"


def read_model(data: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The header and the sections of a model file, with the bases in meters, as the page decodes them."""
    assert data.startswith(MAGIC)
    (length,) = struct.unpack_from("<I", data, len(MAGIC))
    start = len(MAGIC) + 4 + length
    header = json.loads(data[len(MAGIC) + 4 : start])
    arrays = {entry["name"]: _array(data, start, entry) for entry in header["sections"]}
    for entry in header["sections"]:
        if entry["scale"]:
            arrays[entry["name"]] = arrays[entry["name"]] * arrays[entry["scale"]][:, None, None]
    return header, arrays


def _array(data: bytes, start: int, entry: Mapping[str, Any]) -> NDArray[Any]:
    kind = np.dtype(entry["dtype"]).newbyteorder("<")
    count = int(np.prod(entry["shape"]))
    return np.frombuffer(data, kind, count, start + entry["offset"]).reshape(entry["shape"])
