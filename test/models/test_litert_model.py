"""Networks on LiteRT, and how they are made."""

from __future__ import annotations

import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from face_expr_ros.core.face_model import BundleError
from face_expr_ros.models import facemesh_files
from face_expr_ros.models.bundle import package_file, sha256_of
from face_expr_ros.models.litert_model import LitertModel

NETWORKS = ("mesh", "parts", "short_range", "full_range")


def test_a_network_computes_its_outputs_as_copies(capfd: pytest.CaptureFixture[str]) -> None:
    network = LitertModel(package_file("facemesh", "short_range"))
    assert network.input_shape == (1, 128, 128, 3)
    offsets, logits = first = network(np.zeros(network.input_shape, np.float32))
    second = network(np.ones(network.input_shape, np.float32))
    assert (offsets.shape, logits.shape) == ((1, 896, 16), (1, 896, 1))
    assert not np.array_equal(first[0], second[0])
    assert capfd.readouterr().err == "", "LiteRT's log lines are not shown"


@pytest.mark.parametrize("content", [None, b"", b"no network"])
def test_a_missing_or_damaged_network_is_a_bundle_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "network.tflite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BundleError, match=r"network\.tflite.*cannot be opened"):
        LitertModel(path)


def test_the_networks_are_made_from_mediapipes_wheel(tmp_path: Path) -> None:
    """The installed package, packed again, stands for the wheel: it has the same files."""
    spec = find_spec("mediapipe")
    folder = Path((spec.submodule_search_locations or [""])[0]) if spec is not None else Path()
    networks = [*folder.glob("modules/face_detection/*.tflite"), *folder.glob("modules/face_landmark/*.tflite")]
    if not networks:
        pytest.skip("no mediapipe with networks inside is installed")
    with zipfile.ZipFile(tmp_path / "mediapipe.whl", "w") as wheel:
        for path in networks:
            wheel.write(path, path.relative_to(folder.parent))
    facemesh_files.make_files(tmp_path / "mediapipe.whl", tmp_path / "made")
    for name in NETWORKS:
        shipped = package_file("facemesh", name)
        assert sha256_of(tmp_path / "made" / shipped.name) == sha256_of(shipped)
    shipped = package_file("facemesh", "points")  # its compressed bytes depend on the zlib of Python
    with np.load(shipped) as expected, np.load(tmp_path / "made" / shipped.name) as made:
        assert made.keys() == expected.keys()
        for name in expected:
            np.testing.assert_array_equal(made[name], expected[name])


def test_another_zip_file_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as wheel:
        wheel.writestr("readme", "")
    with pytest.raises(BundleError, match="expected a wheel of mediapipe"):
        facemesh_files.make_files(tmp_path / "other.whl", tmp_path / "made")
    assert facemesh_files.main([str(tmp_path / "none.whl")]) == 1
