"""Takes recorded by the page and downloaded as JSON, CSV and animated glTF."""

from __future__ import annotations

import csv
import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page
from support.browser import Person, needs_chromium, until

from face_expr_ros.core.arkit import ARKIT_NAMES

pytestmark = [pytest.mark.slow, needs_chromium]
JAW = ARKIT_NAMES.index("jawOpen")


def test_a_take_is_downloaded_as_json_csv_and_gltf(page: Page, person: Person) -> None:
    page.keyboard.press("r")
    person.jaw = 0.5
    before = page.evaluate("faceExpr.frames")
    until(page, f"faceExpr.frames > {before + 12}")
    page.keyboard.press("r")
    take = json.loads(downloaded(page, "#save-json"))
    assert take["blendshape_names"] == list(ARKIT_NAMES)
    frames = take["frames"]
    assert len(frames) > 10
    assert frames[-1]["faces"][0]["blendshapes"][JAW] == pytest.approx(0.5, abs=1e-4)
    assert frames[-1]["faces"][0]["position"] == pytest.approx([0, 0, 0.6], abs=1e-4)
    rows = list(csv.DictReader(io.StringIO(downloaded(page, "#save-csv").decode())))
    assert [float(row["jawOpen"]) for row in rows] == [frame["faces"][0]["blendshapes"][JAW] for frame in frames]
    check_animation(downloaded(page, "#save-glb"), frames)


def downloaded(page: Page, button: str) -> bytes:
    with page.expect_download() as download:
        page.locator(button).evaluate("button => button.click()")
    return Path(download.value.path()).read_bytes()


def glb_parts(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON and the binary chunk of a .glb file."""
    magic, version, length, text_length, kind = struct.unpack_from("<4sIII4s", data)
    assert (magic, version, length, kind) == (b"glTF", 2, len(data), b"JSON")
    begin = 20 + text_length
    binary_length, kind = struct.unpack_from("<I4s", data, begin)
    assert (kind, begin + 8 + binary_length) == (b"BIN\0", len(data))
    return json.loads(data[20:begin]), data[begin + 8 :]


def floats(document: dict[str, Any], binary: bytes, accessor: int) -> NDArray[np.float32]:
    entry = document["accessors"][accessor]
    view = document["bufferViews"][entry["bufferView"]]
    return np.frombuffer(binary, "<f4", view["byteLength"] // 4, view["byteOffset"])


def check_animation(data: bytes, frames: list[dict[str, Any]]) -> None:
    """Check that the .glb animates its morph targets as in the JSON take."""
    document, binary = glb_parts(data)
    mesh = document["meshes"][0]
    assert mesh["extras"]["targetNames"] == list(ARKIT_NAMES)
    assert len(mesh["primitives"][0]["targets"]) == 52
    animation = document["animations"][0]
    samplers = {
        channel["target"]["path"]: animation["samplers"][channel["sampler"]] for channel in animation["channels"]
    }
    times = floats(document, binary, samplers["weights"]["input"])
    assert times == pytest.approx([frame["stamp"] - frames[0]["stamp"] for frame in frames], abs=1e-3)
    weights = floats(document, binary, samplers["weights"]["output"]).reshape(len(frames), 52)
    assert weights == pytest.approx(np.array([frame["faces"][0]["blendshapes"] for frame in frames]), abs=1e-4)
    # A face that looks into the camera has the identity rotation in glTF axes.
    rotations = floats(document, binary, samplers["rotation"]["output"]).reshape(-1, 4)
    assert np.abs(rotations) == pytest.approx(np.tile([0, 0, 0, 1], (len(frames), 1)), abs=1e-4)
