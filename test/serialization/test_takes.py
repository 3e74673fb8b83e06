"""Takes with invalid numbers are refused with the file and the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from face_expr_ros.core.arkit import ARKIT_NAMES
from face_expr_ros.serialization.takes import TakeError, read_take


def take(**changes: Any) -> str:
    face = {"id": "f1", "position": [0, 0, 0.6], "quaternion_xyzw": [0, 0, 0, 1], "blendshapes": [0.5] * 52}
    stamp = changes.pop("stamp", 1.0)
    frame = {"stamp": stamp, "faces": [{**face, **changes}]}
    return json.dumps({"format": "face_expr take", "blendshape_names": ARKIT_NAMES, "frames": [frame]})


def test_a_valid_take_is_read(tmp_path: Path) -> None:
    file = tmp_path / "take.json"
    file.write_text(take())
    (frame,) = read_take(file)
    assert frame.blendshapes.values.tolist() == [0.5] * 52


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (take(blendshapes=[1.5] * 52), "expected blendshapes within 0..1, got 1.5"),
        (take(blendshapes=[0.5] * 51), "expected a value for each name of a blendshape"),
        (take(blendshapes=[float("nan")] * 52), "all finite"),
        (take(quaternion_xyzw=[0, 0, 0, 0]), "expected a quaternion of length 1, got 0"),
        (take(position=[0, 0, float("inf")]), "expected a position of 3 numbers, all finite"),
        (take(shape=[float("nan")]), "expected shape coefficients, all finite"),
        (take(stamp=float("inf")), "OverflowError"),
        ("[" * 100_000, "expected a take of the page as JSON"),
        (b"\xff\xfe{}", "UnicodeDecodeError"),
    ],
)
def test_an_invalid_take_is_refused_with_the_reason(tmp_path: Path, content: str | bytes, words: str) -> None:
    file = tmp_path / "take.json"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(TakeError, match=f"take.json: .*{words}"):
        read_take(file)
