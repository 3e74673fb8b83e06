"""OpenSeeFace packets against bytes written by hand, and poses against its PnP solution."""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.avatar_faces import ROUNDING, make_state
from support.avatar_receivers import openseeface

from face_expr_ros.core.facemesh_regions import IBUG68, IRISES
from face_expr_ros.core.geometry import to_camera
from face_expr_ros.core.types import FaceState
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.retargeting import openseeface as osf
from face_expr_ros.retargeting.avatar_config import OpenSeeFaceConfig


def encoded(state: FaceState) -> bytes:
    return osf.encode(state, seconds=1.5, config=OpenSeeFaceConfig())


def test_a_packet_starts_with_the_bytes_written_by_hand() -> None:
    """A face at one meter (8.19672 units) facing the camera, right eye half closed, jaw half open."""
    given = encoded(make_state(position=(0.0, 0.0, 1.0), eyeBlinkRight=0.5, jawOpen=0.5))
    expected = (
        b"\0\0\0\0\0\0\xf8\x3f" + b"\x0c\0\0\0" + b"\0\0\x20\x44\0\0\xf0\x43" + b"\0\0\0\x3f\0\0\x80\x3f" + b"\x01"
    )
    assert given[:29] == expected
    numbers = struct.unpack("<11f", given[29:73])
    assert numbers[0] == 0.0
    # A half turn about the diagonal of x and y: rows and columns are swapped, and the depth is negated.
    assert np.abs(numbers[1:5]) == pytest.approx((0.5**0.5, 0.5**0.5, 0.0, 0.0), abs=ROUNDING)
    assert (abs(numbers[5]), *numbers[6:8]) == pytest.approx((180.0, 0.0, 90.0), abs=1e-4)
    assert numbers[8:11] == pytest.approx((0.0, 0.0, -8.19672), abs=1e-4)
    features = (0, -0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.5, 0)
    assert given[-56:] == struct.pack("<14f", *features)
    assert given[73:345] == struct.pack("<f", 0.75) * 68


def test_a_packet_has_the_pixels_of_its_points() -> None:
    state = make_state(20, 5, 0)
    data = openseeface(encoded(state))
    order = [number for number in range(68) if number not in (48, 54)]
    expected = state.landmarks[[*(IBUG68[number] for number in order), IRISES[0][0], IRISES[1][0]], :2]
    np.testing.assert_allclose(data.pixels, expected)
    assert (data.id, data.success, data.width, data.height) == (12, 1, 640, 480)


def test_points_are_the_unrotated_face_in_openseeface_axes() -> None:
    """x to the subject's right, y up, z out of the face; the packet has x, -y, -z; pupils are 0.516 units apart."""
    model = open_face_model("open")
    straight = model.facemesh_points(model.mean)[list(osf.POINTS)]
    scale = 0.516 / np.linalg.norm(straight[66] - straight[67])
    expected = (straight - straight[30]) * scale * (-1, 1, 1)
    for state in (make_state(), make_state(30, -10, 8, position=(0.15, -0.1, 0.9))):
        points = np.array(openseeface(encoded(state)).points) * (1, -1, -1)
        assert np.abs(points[:68] - expected).max() < 0.07  # below 1 cm: the camera is not weak-perspective
        assert points[66][0] > 0 > points[67][0]
        assert (points[[66, 67], 2] > points[[68, 69], 2]).all()  # pupils in front of the eyeball centers


@pytest.mark.parametrize(
    ("angles", "position"),
    [
        ((0, 0, 0), (0, 0, 4)),
        ((-30, 0, 0), (0, 0, 4)),
        ((0, 25, 0), (0, 0, 4)),
        ((0, 0, 20), (0, 0, 4)),
        ((-20, 10, -15), (0.8, -0.5, 4)),
    ],
)
def test_the_pose_matches_openseefaces_pnp(
    angles: tuple[float, float, float], position: tuple[float, float, float]
) -> None:
    """OpenSeeFace solves PnP for a mirrored face, with rows before columns, starting from its last solution.

    The faces are distant, which reduces perspective; the first solution starts at zero, near the camera.
    """
    near, _ = solved_as_openseeface(make_state(position=(0.0, 0.0, 0.5)), 640.0, np.zeros(3), np.zeros(3))
    state = make_state(*angles, position=position)
    turn, shift = solved_as_openseeface(state, 3000.0, near, np.array([0.0, 0.0, -position[2] / osf.UNIT]))
    np.testing.assert_allclose(openseeface(encoded(state)).translation, shift, rtol=0.05, atol=0.3)
    assert _degrees_between(osf.solver_rotation(state.pose), cv2.Rodrigues(turn)[0]) < 4.0


def solved_as_openseeface(state: FaceState, focal: float, turn: NDArray, shift: NDArray) -> tuple[NDArray, NDArray]:
    """Rotation vector and translation in OpenSeeFace units."""
    model = open_face_model("open")
    points = model.mean[model.landmarks68].astype(np.float64)
    camera = np.array([[focal, 0, 320], [0, focal, 320], [0, 0, 1]])
    projected = to_camera(points, state.pose) @ camera.T
    rows_first = np.ascontiguousarray((projected[:, :2] / projected[:, 2:])[:, ::-1])
    mirrored = points * (-1, 1, 1) / osf.UNIT
    _, turn, shift = cv2.solvePnP(mirrored, rows_first, camera, np.zeros(4), turn.copy(), shift.copy(), True)
    return turn.ravel(), shift.ravel()


def _degrees_between(first: NDArray, second: NDArray) -> float:
    return math.degrees(math.acos(min(1.0, (np.trace(first.T @ second) - 1) / 2)))


def test_the_quaternion_is_of_the_transposed_matrix() -> None:
    """OpenSeeFace computes x from m12 - m21 and so on, which is the quaternion of the transposed matrix."""
    matrix = osf.solver_rotation(make_state(-20, 10, 5).pose)
    x, y, z, w = openseeface(encoded(make_state(-20, 10, 5))).quaternion
    difference = np.array([matrix[1, 2] - matrix[2, 1], matrix[2, 0] - matrix[0, 2], matrix[0, 1] - matrix[1, 0]])
    np.testing.assert_allclose(4 * w * np.array([x, y, z]), difference, atol=1e-5)
    assert math.hypot(x, y, z, w) == pytest.approx(1.0, abs=ROUNDING)


@pytest.mark.parametrize("angles", [(5, 5, 5), (-20, 10, 5), (30, -15, -20), (-3, -4, 0)])
def test_the_angles_match_rq_decomposition(angles: tuple[float, float, float]) -> None:
    state = make_state(*angles)
    expected = cv2.RQDecomp3x3(osf.solver_rotation(state.pose))[0]
    assert openseeface(encoded(state)).euler == pytest.approx(expected, abs=1e-3)


BROWS = ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")
FEATURES: dict[str, tuple[dict[str, Any], dict[int, float]]] = {
    "a closed left eye": ({"eyeBlinkLeft": 1.0}, {0: -1.0}),
    "a wide right eye": ({"eyeWideRight": 0.5}, {1: 0.5}),
    "brows up": (dict.fromkeys(BROWS, 0.6), {3: 0.6, 6: 0.6, 4: 0.6, 7: 0.6}),
    "the left corner up": ({"mouthSmileLeft": 0.8}, {8: -0.8, 9: 0.4, 13: 0.2}),
    "the right corner down": ({"mouthFrownRight": 0.5}, {10: 0.5}),
    "an open mouth": ({"jawOpen": 0.7, "mouthClose": 0.2}, {12: 0.5}),
    "a narrow mouth": ({"mouthPucker": 1.0}, {9: -0.5, 11: -0.5, 13: -0.5}),
}  # fmt: skip


@pytest.mark.parametrize("case", FEATURES)
def test_features_of_single_expressions(case: str) -> None:
    shapes, nonzero = FEATURES[case]
    given = openseeface(encoded(make_state(**shapes))).features
    assert given == pytest.approx([nonzero.get(number, 0.0) for number in range(14)], abs=ROUNDING)


def test_a_face_without_landmarks_sends_nothing() -> None:
    assert encoded(replace(make_state(), landmarks=np.zeros((0, 3), np.float32))) == b""
