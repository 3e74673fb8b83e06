"""The linear parts of the fusion, the correction of grins, and the exported file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from support.graded_faces import NAMES, random_faces

from face_expr_ros.core.portrait_score import COLUMNS
from face_expr_ros.models.onnx_session import OnnxNetwork
from face_expr_ros.perception.expression.alignment import FEATURES
from face_expr_ros.perception.expression.fused import INPUTS
from face_expr_ros.training.expression.graded.appearance import fit_appearance
from face_expr_ros.training.expression.graded.calibration import Curves
from face_expr_ros.training.expression.graded.export import Parts, write_fusion
from face_expr_ros.training.expression.graded.grade_network import fit_scaling, read_grades_of, train_grades
from face_expr_ros.training.expression.graded.grins import without_grins
from face_expr_ros.training.expression.graded.linear import blended, fit_linear
from face_expr_ros.training.expression.graded.loss import columns_of
from face_expr_ros.training.expression.graded.network import FusionNetwork
from face_expr_ros.training.expression.samples import MARGIN

PLACES = list(COLUMNS)


def network() -> FusionNetwork:
    torch.manual_seed(3)
    basis = torch.randn(FEATURES, 20) / 30
    return FusionNetwork(torch.zeros(FEATURES), basis, len(NAMES)).eval()


@pytest.mark.parametrize(("members", "known"), [(1, True), (2, True), (1, False)])
def test_the_exported_file_gives_the_same_values(tmp_path: Path, members: int, known: bool) -> None:
    nets, some = [network() for _ in range(members)], random_faces(4)
    curves = Curves(np.full(len(NAMES), 1.5), np.full(len(NAMES), -0.1))
    path = tmp_path / "fusion.onnx"
    many = random_faces(60)
    linear = fit_linear(many, random_faces(60, graded=False, seed=9), copies=2, strength=50.0)
    appearance, scaling = fit_appearance(many, strength=50.0), fit_scaling(many)
    grades = [train_grades(many, scaling, steps=2, seed=seed) for seed in range(2)]
    write_fusion(nets, Parts(linear, appearance, scaling, grades), curves, NAMES, path, {})
    patches = some.patches[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float32)
    inputs = some.features, patches, some.fit, some.head, some.state, some.appearance.astype(np.float32)
    (exported,) = OnnxNetwork(path, INPUTS)(*inputs, np.full((4, 1), known, np.float32))
    with torch.no_grad():
        shown = nets[0](*(torch.from_numpy(np.ascontiguousarray(part)) for part in inputs[:4])).numpy()
    seen = appearance(some), read_grades_of(grades, scaling, some)
    mixed = blended(shown, linear(some), NAMES, seen if known else None)
    np.testing.assert_allclose(exported, curves(without_grins(mixed, NAMES)), atol=1e-4)


def test_the_appearance_part_learns_a_straight_line() -> None:
    some = random_faces(300)
    some.truth[:, 3] = np.clip(1.0 + some.appearance[:, 5], 0.0, 3.0)
    part = fit_appearance(some, strength=1.0)
    assert np.corrcoef(part(some)[:, 3], some.truth[:, 3])[0, 1] > 0.99


def test_grade_networks_learn_known_grades() -> None:
    some = random_faces(200)
    some.truth[:] = np.nan
    some.truth[:, 4] = 3.0 * (some.head[:, 7] > 0.5)
    scaling = fit_scaling(some)
    read = read_grades_of([train_grades(some, scaling, steps=60, seed=1)], scaling, some)[:, 4]
    assert np.corrcoef(read, some.truth[:, 4])[0, 1] > 0.5


def test_unknown_grades_do_not_affect_the_appearance_part() -> None:
    some = random_faces(60)
    some.truth[:, 2] = np.nan
    part = fit_appearance(some, strength=1.0)
    np.testing.assert_allclose(part.weights[:, 2], 0.0)
    assert np.isfinite(part(some)).all()


def test_jaw_opening_is_reduced_only_in_grins() -> None:
    values = np.zeros((3, len(NAMES)))
    values[:, NAMES.index("jawOpen")] = 0.3
    for name in ("mouthSmileLeft", "mouthSmileRight"):
        values[1:, NAMES.index(name)] = 1.0
    for name in ("mouthUpperUpLeft", "mouthUpperUpRight"):
        values[2, NAMES.index(name)] = 0.6
    open_mouth, smile, grin = without_grins(values, NAMES)[:, NAMES.index("jawOpen")]
    assert open_mouth == smile == 0.3
    assert 0.1 < grin < 0.2


def test_the_linear_part_learns_a_straight_line() -> None:
    some = random_faces(800)
    some.truth[:, 3] = 3 * some.head[:, 5]
    linear = fit_linear(some, random_faces(50, graded=False, seed=9), copies=1, strength=0.1)
    np.testing.assert_allclose(linear(some)[:, 3], some.head[:, 5], atol=0.05)


def test_the_linear_part_moves_both_sides_alike() -> None:
    values = np.zeros((1, len(NAMES)))
    values[0, NAMES.index("mouthSmileLeft")] = 0.4
    told = np.append(values @ columns_of(NAMES), [[1.0]], axis=1)
    told[0, PLACES.index("smile")] = 0.6  # 0.4 more than their mean
    read = dict(zip(NAMES, blended(values, told, NAMES)[0].tolist(), strict=True))
    assert (read["mouthSmileLeft"], read["mouthSmileRight"]) == (pytest.approx(0.6), pytest.approx(0.2))
    told[0, PLACES.index("gazeV")] = 0.2
    read = dict(zip(NAMES, blended(values, told, NAMES)[0].tolist(), strict=True))
    assert (read["eyeLookUpLeft"], read["eyeLookDownLeft"]) == (pytest.approx(0.05), pytest.approx(-0.05))
    told[0, -1] = 0.0  # a rendered face is left to the networks
    np.testing.assert_array_equal(blended(values, told, NAMES), values)
