"""Blendshapes from fit coefficients, relative to the neutral expression."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.geometry import pinhole_camera
from face_expr_ros.core.types import FaceFit, Frame, Pose, Roi, Track
from face_expr_ros.perception.expression.coefficients import Coefficients
from face_expr_ros.perception.expression.neutral import Neutrals

NAMES = ("jawOpen", "eyeBlinkLeft", "mouthFrownLeft")
NO_GAIN = np.ones(3)
FRAME = Frame(np.zeros((48, 64, 3), np.uint8), 0, "", pinhole_camera(64, 48, 45.0))


def reader_with(gain: NDArray[np.float64] = NO_GAIN) -> Coefficients:
    return Coefficients(NAMES, gain, Neutrals(ExpressionConfig()))


def read(reader: Coefficients, *expression: float, face_id: str = "f1") -> list[float]:
    """The values estimated for one face in a frame."""
    pose = Pose(np.eye(3), np.zeros(3), True)
    fit = FaceFit(pose, np.zeros(40), np.array(expression), 0.0, np.zeros((68, 3)), np.zeros((3, 4)), 1.0)
    (answer,) = reader(FRAME, [Track(face_id, Roi(0, 0, 9, 9), None, fresh=False)], [fit])
    assert answer.names == NAMES
    return list(answer.values)


def test_values_are_clipped_to_0_and_1() -> None:
    assert read(reader_with(), 0.5, -0.1, 1.2) == pytest.approx([0.5, 0.0, 1.0])


def test_the_neutral_expression_maps_to_0_and_1_stays_1() -> None:
    reader = reader_with()
    read(reader, 0.1, 0.0, 0.4)
    assert reader.calibrate() == 1
    assert read(reader, 0.1, 0.0, 0.4) == pytest.approx([0.0, 0.0, 0.0])
    assert read(reader, 1.0, 0.5, 0.7) == pytest.approx([1.0, 0.5, 0.5])


def test_the_neutral_expression_of_a_face_does_not_affect_others() -> None:
    reader = reader_with()
    read(reader, 0.0, 0.0, 0.4)
    reader.calibrate()
    assert read(reader, 0.0, 0.0, 0.4, face_id="f2") == pytest.approx([0.0, 0.0, 0.4])


def test_a_reset_deletes_the_neutral_expression() -> None:
    reader = reader_with()
    read(reader, 0.0, 0.0, 0.4)
    reader.calibrate()
    reader.reset()
    assert read(reader, 0.0, 0.0, 0.4) == pytest.approx([0.0, 0.0, 0.4])
    assert reader.calibrate() == 1


def test_the_neutral_expression_is_kept_while_a_face_is_tracked() -> None:
    reader = reader_with()
    read(reader, 0.0, 0.0, 0.4)
    reader.calibrate()
    reader.keep({"f1", "f2"})
    assert read(reader, 0.0, 0.0, 0.4) == pytest.approx([0.0, 0.0, 0.0])
    reader.keep({"f2"})
    assert read(reader, 0.0, 0.0, 0.4) == pytest.approx([0.0, 0.0, 0.4])


def test_calibration_without_faces_in_the_last_frame_counts_0() -> None:
    reader = reader_with()
    read(reader, 0.0, 0.0, 0.4)
    assert reader(FRAME, [], []) == []
    assert reader.calibrate() == 0


def test_a_gain_scales_a_value_and_clips_it_to_1() -> None:
    reader = reader_with(np.array([1.5, 1.5, 1.0]))
    assert read(reader, 0.4, 0.9, 0.4) == pytest.approx([0.6, 1.0, 0.4])
