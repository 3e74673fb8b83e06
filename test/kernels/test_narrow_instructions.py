"""Kernels built without SIMD instructions give the results of the usual build."""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
from support.paths import ROOT

import face_expr_ros.kernels
from face_expr_ros.kernels import normal_equations, patches, regions

SOURCES = ROOT / "face_expr_ros/kernels"
COMPILER = shlex.split(sysconfig.get_config_var("CC") or "cc")
NARROW, WITHOUT_WIDEST = "-DNARROW", "-DHAS_WIDEST=0"
Build = Callable[[str, str], ModuleType]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compiles a kernel with a compiler flag and loads it next to the usual one."""

    def built(name: str, switch: str) -> ModuleType:
        folder = tmp_path_factory.mktemp(name)
        code, library = folder / f"{name}.c", folder / f"{name}.so"
        cython = [sys.executable, "-m", "cython", "-3", str(SOURCES / f"{name}.pyx"), "--output-file", str(code)]
        subprocess.run(cython, check=True, capture_output=True)
        flags = ["-O2", "-shared", "-fPIC", switch, f"-I{sysconfig.get_path('include')}"]
        subprocess.run([*COMPILER, *flags, str(code), "-lm", "-o", str(library)], check=True, capture_output=True)
        spec = importlib.util.spec_from_file_location(f"{face_expr_ros.kernels.__name__}.{name}", library)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return built


def test_patches_and_gray_are_bit_identical(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (90, 131, 3), np.uint8)
    transforms = np.concatenate([rng.normal(size=(40, 2, 2)) / 2, rng.uniform(0, 90, (40, 2, 1))], axis=2)
    gray = patches.gray_of(image)
    wide = patches.cut_squares(gray, transforms, 37)
    monkeypatch.setattr(patches, "_patches", build("_patches", NARROW))
    np.testing.assert_array_equal(patches.gray_of(image), gray)
    np.testing.assert_array_equal(patches.cut_squares(gray, transforms, 37), wide)


def test_regions_are_bit_identical(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (90, 131, 3), np.uint8)
    transforms = [np.column_stack([rng.normal(size=(2, 2)), rng.uniform(0, 90, 2)]) for _ in range(40)]
    wide = [regions.cut_region(image, transform, 61) for transform in transforms]
    monkeypatch.setattr(regions, "_regions", build("_regions", NARROW))
    np.testing.assert_array_equal([regions.cut_region(image, transform, 61) for transform in transforms], wide)


@pytest.mark.parametrize("switch", [NARROW, WITHOUT_WIDEST])
def test_normal_equations_are_equal_up_to_rounding(build: Build, monkeypatch: pytest.MonkeyPatch, switch: str) -> None:
    wide = _equations()
    monkeypatch.setattr(normal_equations, "_normal_equations", build("_normal_equations", switch))
    narrow = _equations()
    assert narrow.errors == pytest.approx(wide.errors, rel=1e-4, abs=1e-4)
    for one, other in ((narrow.normal(), wide.normal()), (narrow.gradient(), wide.gradient())):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * np.abs(other).max())


def _equations() -> normal_equations.NormalEquations:
    """The normal equations of a random face with 83 points and 61 coefficients."""
    rng = np.random.default_rng(0)
    n, coefficients = 83, 61
    equations = normal_equations.NormalEquations(
        rng.normal(0, 0.05, (3, n)), rng.normal(0, 0.003, (3, n, coefficients)), *rng.uniform(100, 2000, (2, n))
    )
    directions, depths = rng.normal(0, 0.1, (n, 2)), rng.normal(0, 0.05, n)
    position, weights = np.array([0.02, 0.01, 0.6]), rng.normal(size=coefficients)
    equations.linearize(directions, depths, np.diag([1.0, -1.0, -1.0]), position, 0.01, weights)
    return equations
