"""Takes recorded by the page and downloaded as JSON, CSV and animated glTF."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page
from support.browser import Person, needs_chromium, until
from support.paths import ROOT

from face_expr_ros.core.arkit import ARKIT_NAMES

VALIDATE = """
const validator = require("gltf-validator"), fs = require("node:fs");
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1]))).then(({ issues }) => {
  console.log(JSON.stringify(issues.messages.filter(({ severity }) => severity < 2)));
});
"""
needs_validator = pytest.mark.skipif(
    not shutil.which("node") or not (ROOT / "web/node_modules/gltf-validator").is_dir(),
    reason="the glTF validator is not installed: npm ci in web/",
)
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
    animated = downloaded(page, "#save-glb")
    check_animation(animated, frames)
    check_surface(animated)
    check_live_link(downloaded(page, "#save-livelink").decode(), frames)
    check_bvh(downloaded(page, "#save-bvh").decode(), frames)


@needs_validator
def test_the_gltf_file_of_a_take_is_valid(page: Page, person: Person, tmp_path: Path) -> None:
    page.keyboard.press("r")
    person.yaw = 0.3
    before = page.evaluate("faceExpr.frames")
    until(page, f"faceExpr.frames > {before + 8}")
    page.keyboard.press("r")
    (tmp_path / "take.glb").write_bytes(downloaded(page, "#save-glb"))
    assert gltf_issues(tmp_path / "take.glb") == []


@needs_validator
@pytest.mark.parametrize("name", ["robot", "cat", "alien"])
def test_the_built_in_avatars_are_valid(name: str) -> None:
    assert gltf_issues(ROOT / f"web/public/avatars/{name}.glb") == []


def downloaded(page: Page, button: str) -> bytes:
    with page.expect_download() as download:
        page.locator(button).evaluate("button => button.click()")
    return Path(download.value.path()).read_bytes()


def gltf_issues(path: Path) -> list[Any]:
    """Errors and warnings of the glTF validator of Khronos."""
    command = ["node", "-e", VALIDATE, str(path)]
    done = subprocess.run(command, cwd=ROOT / "web", capture_output=True, text=True, check=True)
    issues: list[Any] = json.loads(done.stdout)
    return issues


def check_surface(data: bytes) -> None:
    """Check that skin with lips and brows, and eyes with pupils, are textures of the .glb."""
    document, binary = glb_parts(data)
    assert [image["name"] for image in document["images"]] == ["skin", "eye"]
    pictures = []
    for image in document["images"]:
        view = document["bufferViews"][image["bufferView"]]
        encoded = binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
        pictures.append(cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR).astype(int))
    skin, eye = pictures
    middle = eye.shape[0] // 2
    assert eye[middle, middle].max() < 30, "the pupil is black"
    assert eye[2, 2].min() > 180, "the white of the eye is light"
    assert skin.min() < 90 < skin[0, 0].max(), "brows and lips are darker than the skin"


def check_live_link(text: str, frames: list[dict[str, Any]]) -> None:
    """Check names, timecode and values of the CSV of Live Link Face."""
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(frames)
    assert list(rows[0])[:4] == ["Timecode", "BlendShapeCount", "EyeBlinkLeft", "EyeLookDownLeft"]
    assert len(rows[0]) == 2 + 52 + 9
    assert rows[0]["BlendShapeCount"] == "61"
    assert re.fullmatch(r"\d\d:\d\d:\d\d:\d\d\.\d{3}", rows[0]["Timecode"])
    assert [float(row["JawOpen"]) for row in rows] == pytest.approx(
        [frame["faces"][0]["blendshapes"][JAW] for frame in frames], abs=1e-4
    )
    assert [float(rows[-1][f"Head{angle}"]) for angle in ("Yaw", "Pitch", "Roll")] == pytest.approx([0, 0, 0], abs=1e-3)


def check_bvh(text: str, frames: list[dict[str, Any]]) -> None:
    """Check the skeleton and the number of frames of the BVH file."""
    assert text.startswith("HIERARCHY\nROOT Head\n{")
    motion = text.split("MOTION\n")[1].splitlines()
    count = int(motion[0].removeprefix("Frames: "))
    assert motion[1] == "Frame Time: 0.01666667"
    duration = frames[-1]["stamp"] - frames[0]["stamp"]
    assert count == len(motion) - 2 == pytest.approx(60 * duration + 1, abs=1)
    assert all(len(line.split()) == 6 for line in motion[2:])


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
    assert {len(primitive["targets"]) for primitive in mesh["primitives"]} == {52}
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
