"""Renders a robot of primitive shapes from its URDF with given joint positions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from face_expr_ros.core.geometry import project
from face_expr_ros.core.rotations import about_axis, rotation_from_vector
from face_expr_ros.core.types import Camera, FloatArray
from face_expr_ros.kernels import rasterizer

Image = NDArray[np.uint8]
_SIDES = 72  # segments of round shapes
_LAMP = np.array([0.55, -0.35, 0.75]) / np.linalg.norm([0.55, -0.35, 0.75])  # direction to the lamp, robot axes
_AMBIENT = 0.55  # fraction of ambient light
_SAMPLES = 3  # antialiasing: samples per pixel in each direction
_BACKGROUND = 225  # gray level


@dataclass(frozen=True)
class Shape:
    """One visual of the URDF.

    Attributes:
        link: name of its link.
        triangles: (n, 3, 3) corners in the link's axes, meters, counter-clockwise from outside.
        color: blue, green, red in 0..1.
    """

    link: str
    triangles: FloatArray
    color: tuple[float, float, float]


class Robot:
    """A URDF of boxes, cylinders and spheres in named materials, with fixed, revolute and prismatic joints.

    It supports the robots of this package: parents precede their children, and meshes are not supported.

    Raises:
        KeyError: a visual refers to a material that the URDF does not define.
    """

    def __init__(self, urdf: Path) -> None:
        root = ElementTree.parse(urdf).getroot()
        colors = {tag.attrib["name"]: _color(tag) for tag in root.findall("material")}
        self._joints = root.findall("joint")
        self._shapes = [
            Shape(
                link.attrib["name"],
                _transform(_triangles(visual), _origin(visual)),
                colors[_name(visual, "material")],
            )
            for link in root.findall("link")
            for visual in link.findall("visual")
        ]

    def draw(self, positions: Mapping[str, float], camera: Camera, view: FloatArray) -> Image:
        """Render the robot on a plain background, (height, width, 3) uint8 BGR.

        Args:
            positions: joint positions, radians or meters; missing joints are at 0.
            view: (4, 4) from the first link to the camera's optical frame.
        """
        poses = self._link_poses(positions)
        corners = np.concatenate([_transform(shape.triangles, poses[shape.link]) for shape in self._shapes])
        colors = np.concatenate([np.tile(shape.color, (len(shape.triangles), 1)) for shape in self._shapes])
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        light = _AMBIENT + (1 - _AMBIENT) * np.maximum(normals @ _LAMP, 0)
        in_camera = _transform(corners, view).reshape(-1, 3)
        target = rasterizer.Target(camera.width, camera.height, _SAMPLES)
        points = np.column_stack([project(in_camera, camera), in_camera[:, 2]])
        rasterizer.draw(target, points, np.arange(len(points)).reshape(-1, 3))
        palette = np.vstack([colors * light[:, None] * 255, [_BACKGROUND] * 3])  # the last row is for EMPTY, -1
        samples = palette[target.index].reshape(camera.height, _SAMPLES, camera.width, _SAMPLES, 3)
        return samples.mean(axis=(1, 3)).round().astype(np.uint8)

    def _link_poses(self, positions: Mapping[str, float]) -> dict[str, FloatArray]:
        """(4, 4) from each link to the first one; parents precede their children in the URDF."""
        poses: dict[str, FloatArray] = {self._shapes[0].link: np.eye(4)}
        for joint in self._joints:
            motion = np.eye(4)
            axis = _numbers(joint.find("axis"), "xyz", (1.0, 0.0, 0.0)) * positions.get(joint.attrib["name"], 0.0)
            if joint.attrib["type"] == "prismatic":
                motion[:3, 3] = axis
            else:
                motion[:3, :3] = rotation_from_vector(axis)
            poses[_name(joint, "child", "link")] = poses[_name(joint, "parent", "link")] @ _origin(joint) @ motion
        return poses


def _transform(triangles: FloatArray, pose: FloatArray) -> FloatArray:
    transformed: FloatArray = triangles @ pose[:3, :3].T + pose[:3, 3]
    return transformed


def _numbers(element: ElementTree.Element | None, key: str, default: tuple[float, ...]) -> FloatArray:
    text = None if element is None else element.get(key)
    return np.array(default if text is None else [float(word) for word in text.split()])


def _name(element: ElementTree.Element, tag: str, key: str = "name") -> str:
    return element.findall(tag)[0].attrib[key]


def _color(material: ElementTree.Element) -> tuple[float, float, float]:
    red, green, blue, _ = _numbers(material.find("color"), "rgba", (0.5, 0.5, 0.5, 1.0)).tolist()
    return blue, green, red


def _origin(element: ElementTree.Element) -> FloatArray:
    """The (4, 4) pose of an <origin>; roll, pitch and yaw are about fixed axes."""
    origin = element.find("origin")
    pose = np.eye(4)
    roll, pitch, yaw = _numbers(origin, "rpy", (0.0, 0.0, 0.0)).tolist()
    pose[:3, :3] = about_axis(2, yaw) @ about_axis(1, pitch) @ about_axis(0, roll)
    pose[:3, 3] = _numbers(origin, "xyz", (0.0, 0.0, 0.0))
    return pose


def _triangles(visual: ElementTree.Element) -> FloatArray:
    """Triangles (n, 3, 3) of a <geometry>, around its center."""
    shape = visual.findall("geometry/*")[0]
    if shape.tag == "box":
        return _box(*_numbers(shape, "size", ()) / 2)
    radius = float(shape.attrib["radius"])
    if shape.tag == "cylinder":
        half = float(shape.attrib["length"]) / 2
        return _revolve(np.array([[0.0, -half], [radius, -half], [radius, half], [0.0, half]]))
    angles = np.linspace(-np.pi / 2, np.pi / 2, _SIDES // 2)
    return _revolve(radius * np.column_stack([np.cos(angles), np.sin(angles)]))


def _revolve(profile: FloatArray) -> FloatArray:
    """Surface of revolution about z of a profile (n, 2) of radius and height, from bottom to top."""
    angle = np.linspace(0, 2 * np.pi, _SIDES + 1)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    grid = np.concatenate(
        [profile[:, None, :1] * ring, np.broadcast_to(profile[:, None, 1:], (len(profile), _SIDES + 1, 1))], axis=-1
    )
    return _split_quads(grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1])


def _box(x: float, y: float, z: float) -> FloatArray:
    sides = []
    for axis in range(3):
        for sign in (1.0, -1.0):
            normal, first = np.roll([sign, 0.0, 0.0], axis), np.roll([0.0, 1.0, 0.0], axis)
            second = np.cross(normal, first)
            sides.append([normal + i * first + j * second for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
    a, b, c, d = np.moveaxis(np.array(sides) * [x, y, z], 1, 0)
    return _split_quads(a, b, c, d)


def _split_quads(a: FloatArray, b: FloatArray, c: FloatArray, d: FloatArray) -> FloatArray:
    """The non-degenerate triangles (n, 3, 3) of quadrilaterals with these corners (..., 3)."""
    triangles = np.concatenate([np.stack([a, b, c], axis=-2), np.stack([a, c, d], axis=-2)]).reshape(-1, 3, 3)
    areas = np.linalg.norm(np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]), axis=1)
    return triangles[areas > 1e-12]
