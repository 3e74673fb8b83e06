"""Named blendshapes, and the person's own rest."""

from __future__ import annotations

import numpy as np
import pytest

from face_expr_ros.expression import ExpressionReader
from face_expr_ros.values import FaceFit, Pose

NAMES = ("jawOpen", "eyeBlinkLeft", "mouthFrownLeft")
NO_GAIN = np.ones(3)


def fit(*expression: float) -> FaceFit:
    return FaceFit(
        Pose(np.eye(3), np.zeros(3), True),
        np.zeros(40),
        np.array(expression),
        0.0,
        np.zeros((68, 3)),
        np.zeros((3, 4)),
        1.0,
    )


def test_values_carry_their_names_and_stay_within_0_and_1() -> None:
    blendshapes = ExpressionReader(NAMES, NO_GAIN)("f1", fit(0.5, -0.1, 1.2))
    assert blendshapes.names == NAMES
    assert blendshapes.values == pytest.approx([0.5, 0.0, 1.0])


def test_the_rest_expression_reads_as_zero_and_full_stays_full() -> None:
    reader = ExpressionReader(NAMES, NO_GAIN)
    reader.calibrate("f1", fit(0.1, 0.0, 0.4))
    assert reader("f1", fit(0.1, 0.0, 0.4)).values == pytest.approx([0.0, 0.0, 0.0])
    assert reader("f1", fit(1.0, 0.5, 0.7)).values == pytest.approx([1.0, 0.5, 0.5])


def test_one_persons_rest_is_not_anothers() -> None:
    reader = ExpressionReader(NAMES, NO_GAIN)
    reader.calibrate("f1", fit(0.0, 0.0, 0.4))
    assert reader("f2", fit(0.0, 0.0, 0.4)).values == pytest.approx([0.0, 0.0, 0.4])


def test_a_reset_forgets_the_rest() -> None:
    reader = ExpressionReader(NAMES, NO_GAIN)
    reader.calibrate("f1", fit(0.0, 0.0, 0.4))
    reader.reset()
    assert reader("f1", fit(0.0, 0.0, 0.4)).values == pytest.approx([0.0, 0.0, 0.4])


def test_a_gain_stretches_a_value_and_keeps_it_within_1() -> None:
    reader = ExpressionReader(NAMES, np.array([1.5, 1.5, 1.0]))
    assert reader("f1", fit(0.4, 0.9, 0.4)).values == pytest.approx([0.6, 1.0, 0.4])
