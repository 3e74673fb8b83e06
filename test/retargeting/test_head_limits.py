"""Rendering of a robot from its URDF and joint positions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from face_expr_ros.core.geometry import pinhole_camera
from face_expr_ros.core.resources import resource_path
from face_expr_ros.drawing.robot import Robot

URDF = """
<robot name="arm">
  <material name="red"><color rgba="1 0 0 1"/></material>
  <material name="blue"><color rgba="0 0 1 1"/></material>
  <link name="base"><visual><geometry><{base}/></geometry><material name="red"/></visual></link>
  <joint name="turn" type="revolute">
    <parent link="base"/><child link="arm"/><origin xyz="0 0 0.2"/><axis xyz="1 0 0"/>
  </joint>
  <link name="arm"/>
  <joint name="slide" type="prismatic"><parent link="arm"/><child link="hand"/><axis xyz="0 0 1"/></joint>
  <link name="hand">
    <visual><origin xyz="0 0 0.1"/><geometry><sphere radius="0.03"/></geometry><material name="blue"/></visual>
  </link>
</robot>
"""
CAMERA = pinhole_camera(201, 201, 53.13)  # 1 m wide in 1 m distance: 201 pixels
FRONT = np.array([[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0], [-1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]])
HALF_PIXEL = 0.005  # meters at the robot


def drawn(tmp_path: Path, base: str = "box size='0.001 0.001 0.001'", **positions: float) -> NDArray[np.uint8]:
    file = tmp_path / "arm.urdf"
    file.write_text(URDF.format(base=base))
    return Robot(file).draw(positions, CAMERA, FRONT)


def place(picture: NDArray[np.uint8], channel: int) -> list[float]:
    """y (robot's left) and z (up), meters, of the centroid of the blue (0) or red (2) pixels."""
    others = picture[..., [c for c in range(3) if c != channel]].max(axis=-1)
    rows, columns = np.nonzero(picture[..., channel].astype(int) > others.astype(int) + 60)
    return [(columns.mean() - 100) / 201, (100 - rows.mean()) / 201]


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        ({}, (0.0, 0.3)),
        ({"slide": 0.1}, (0.0, 0.4)),
        ({"turn": -np.pi / 2}, (0.1, 0.2)),
        ({"turn": -np.pi / 2, "slide": 0.2}, (0.3, 0.2)),
        ({"turn": np.pi, "slide": -0.05}, (0.0, 0.15)),
    ],
)
def test_joints_move_their_child_links(
    tmp_path: Path, positions: dict[str, float], expected: tuple[float, float]
) -> None:
    assert place(drawn(tmp_path, **positions), 0) == pytest.approx(expected, abs=HALF_PIXEL)


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        ("box size='0.2 0.2 0.1'", 0.2 * 0.1),
        ("sphere radius='0.1'", np.pi * 0.1**2),
        ("cylinder radius='0.1' length='0.1'", 0.2 * 0.1),
    ],
)
def test_shapes_are_rendered_at_their_size(tmp_path: Path, shape: str, area: float) -> None:
    picture = drawn(tmp_path, base=shape).astype(int)
    covered = np.count_nonzero(picture[..., 2] > picture[..., 1] + 60) / 201**2
    assert covered == pytest.approx(area, rel=0.35)  # the near side is closer than 1 m and appears larger
    assert covered > area * 0.98
    assert place(drawn(tmp_path, base=shape), 2) == pytest.approx([0.0, 0.0], abs=HALF_PIXEL)


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_neck_closes_each_lid_over_its_eye(side: str) -> None:
    robot, view = Robot(resource_path("config/heads/neck.urdf")), FRONT.copy()
    view[1, 3] = 0.308  # the eyes, 0.1 m in front of the base, are at mid-height
    column = 100 + round((1 if side == "left" else -1) * 0.0412 / 0.9 * 201)
    open_eye = robot.draw({}, CAMERA, view)[100, column].astype(int)
    closed_eye = robot.draw({f"{side}_lid": 1.2}, CAMERA, view)[100, column].astype(int)
    assert open_eye.max() < 60, "the black pupil"
    assert closed_eye[0] > closed_eye[2] + 50, "the blue lid"
