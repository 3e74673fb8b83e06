"""Random CameraInfo, parameters and damaged YAML files are used or refused with the package's errors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.mutations import damaged_text
from support.paths import ROOT

from face_expr_ros.core.config import PerceptionConfig
from face_expr_ros.core.geometry import project, undistort
from face_expr_ros.core.settings import ConfigError, from_mapping, settings
from face_expr_ros.retargeting.avatar_config import load_targets
from face_expr_ros.retargeting.config import HeadControlConfig
from face_expr_ros.serialization.camera_keeper import CameraKeeper
from face_expr_ros.sources.calibration import read_calibration_file
from face_expr_ros.sources.source_frame import SourceError
from face_expr_ros.web.config import WebConfig

NUMBERS = st.one_of(st.floats(-1e4, 1e4), st.sampled_from((0.0, math.nan, math.inf, -math.inf, 1e-300, 1e300, 600.0)))
MODELS = st.sampled_from(("plumb_bob", "rational_polynomial", "equidistant", "fisheye", "none", "pinhole", "", "x"))
SIZES = st.sampled_from((0, 1, 2, 240, 480, 640, 2**32 - 1))
CALIBRATION = """image_width: 640
image_height: 480
camera_name: front
camera_matrix:
  rows: 3
  cols: 3
  data: [600.0, 0.0, 320.0, 0.0, 600.0, 240.0, 0.0, 0.0, 1.0]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [0.1, -0.2, 0.0, 0.0, 0.0]
"""


@st.composite
def camera_info(draw: st.DrawFn) -> SimpleNamespace:
    focal = draw(st.sampled_from((600.0, 300.0, draw(NUMBERS))))
    k = [focal, 0.0, 320.0, 0.0, focal, 240.0, 0.0, 0.0, 1.0]
    for place in draw(st.lists(st.integers(0, 8), max_size=3)):
        k[place] = draw(NUMBERS)
    p = (
        [*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0]
        if draw(st.booleans())
        else draw(st.lists(NUMBERS, min_size=12, max_size=12))
    )
    roi = SimpleNamespace(**{name: draw(SIZES) for name in ("x_offset", "y_offset", "width", "height")})
    return SimpleNamespace(
        k=k, p=p, d=draw(st.lists(NUMBERS, max_size=15)), distortion_model=draw(MODELS), width=draw(SIZES),
        height=draw(SIZES), binning_x=draw(st.integers(0, 4)), binning_y=draw(st.integers(0, 4)), roi=roi,
    )  # fmt: skip


@given(camera_info(), st.integers(1, 2000), st.integers(1, 2000), st.booleans())
def test_every_camera_info_gives_a_usable_camera(info: SimpleNamespace, width: int, height: int, flag: bool) -> None:
    keeper = CameraKeeper(63.0, rectified=flag)
    keeper.update(info)
    camera = keeper.camera(width, height)
    assert (camera.width, camera.height) == (width, height)
    assert np.isfinite(camera.matrix).all()
    assert min(camera.matrix[0, 0], camera.matrix[1, 1]) > 0.0
    assert np.isfinite(camera.distortion).all()
    center = np.array([[width / 2, height / 2]])
    assert undistort(center, camera).shape == (1, 2)
    assert project(np.array([[0.0, 0.0, 1.0]]), camera).shape == (1, 2)


ANYTHING: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=8),
    st.lists(st.integers(-3, 3), max_size=3), st.binary(max_size=3),
)  # fmt: skip


@pytest.mark.parametrize("config", [PerceptionConfig, HeadControlConfig, WebConfig])
def test_random_parameters_are_accepted_or_refused_by_name(config: type) -> None:
    names = [item.name for item in settings(config)]

    @given(st.dictionaries(st.one_of(st.sampled_from(names), st.text(max_size=6)), ANYTHING, max_size=4))
    def check(values: dict[str, Any]) -> None:
        with _refusals(ConfigError, tuple(repr(name)[1:-1] for name in values)):
            assert _numbers_are_finite(from_mapping(config, values))

    check()


@contextmanager
def _refusals(kind: type[Exception], names: tuple[str, ...]) -> Iterator[None]:
    """Accept errors of this kind whose text contains one of the names; every other error fails."""
    try:
        yield
    except kind as error:
        if not any(name in str(error) for name in names):
            raise


def _numbers_are_finite(config: Any) -> bool:
    values = [getattr(config, field.name) for field in fields(config)]
    return all(
        _numbers_are_finite(value) if is_dataclass(value) else not isinstance(value, float) or math.isfinite(value)
        for value in values
    )


def test_damaged_calibration_files_are_read_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "camera.yaml"

    @given(damaged_text(CALIBRATION))
    def check(text: str) -> None:
        file.write_text(text, encoding="utf-8")
        with _refusals(SourceError, (str(file),)):
            camera = read_calibration_file(file)
            assert np.isfinite(camera.matrix).all()
            assert camera.width > 0

    check()


def test_damaged_receiver_files_are_read_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "avatars.yaml"

    @given(damaged_text((ROOT / "config/avatars.yaml").read_text(encoding="utf-8")))
    def check(text: str) -> None:
        file.write_text(text, encoding="utf-8")
        with _refusals(ConfigError, (file.name,)):
            assert all(0 <= target.port < 65536 for target in load_targets(str(file)))

    check()
