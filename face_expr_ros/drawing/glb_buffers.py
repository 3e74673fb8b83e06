"""The binary buffer of a glTF file and its accessors (glTF 2.0 specification, sections 3.6 and 4.4)."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

_COMPONENTS = {np.dtype(np.float32): 5126, np.dtype(np.uint32): 5125}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
VERTICES, INDICES = 34962, 34963  # targets of buffer views
_MAGIC, _JSON, _BINARY = 0x46546C67, 0x4E4F534A, 0x004E4942
_MIN_DISPLACEMENT = 1e-7  # meters; smaller ones are omitted from a morph target


class GlbBuffers:
    """Collects arrays and files, and packs them with the document.

    Attributes:
        accessors, views: entries of the document.
    """

    def __init__(self) -> None:
        self.accessors: list[dict[str, Any]] = []
        self.views: list[dict[str, Any]] = []
        self._data = bytearray()

    def view(self, data: bytes, target: int | None = None) -> int:
        """Add bytes, aligned to 4; returns the index of their view."""
        self._data += b"\0" * (-len(self._data) % 4)
        entry: dict[str, Any] = {"buffer": 0, "byteOffset": len(self._data), "byteLength": len(data)}
        self.views.append(entry | ({"target": target} if target else {}))
        self._data += data
        return len(self.views) - 1

    def accessor(self, values: NDArray[Any], kind: str, target: int | None = None, bounds: bool = False) -> int:
        """Add an array (n,) or (n, width) of float32 or uint32; returns the index of its accessor.

        Args:
            values: the array.
            kind: SCALAR, VEC2, VEC3 or VEC4.
            target: ``VERTICES``, ``INDICES`` or None.
            bounds: add its minimum and maximum, which positions and times require.
        """
        rows = np.ascontiguousarray(values).reshape(-1, _WIDTHS[kind])
        view = self.view(rows.tobytes(), target)
        entry = {"bufferView": view, "componentType": _COMPONENTS[rows.dtype], "count": len(rows), "type": kind}
        self.accessors.append(entry | (_bounds(rows) if bounds else {}))
        return len(self.accessors) - 1

    def sparse(self, displacements: NDArray[np.float32]) -> int:
        """Add displacements (n, 3), of which only those that are not 0 are stored."""
        moved = np.flatnonzero(np.abs(displacements).max(axis=1) > _MIN_DISPLACEMENT).astype(np.uint32)
        kept = np.zeros_like(displacements)
        kept[moved] = displacements[moved]
        entry: dict[str, Any] = {"componentType": 5126, "count": len(kept), "type": "VEC3", **_bounds(kept)}
        if len(moved):
            entry["sparse"] = {
                "count": len(moved),
                "indices": {"bufferView": self.view(moved.tobytes()), "componentType": 5125},
                "values": {"bufferView": self.view(kept[moved].tobytes())},
            }
        self.accessors.append(entry)
        return len(self.accessors) - 1

    def pack(self, document: dict[str, Any]) -> bytes:
        """The file, with accessors, views and buffer added to the document."""
        self._data += b"\0" * (-len(self._data) % 4)
        full = document | {
            "accessors": self.accessors,
            "bufferViews": self.views,
            "buffers": [{"byteLength": len(self._data)}],
        }
        text = json.dumps(full, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        size = 12 + 8 + len(text) + 8 + len(self._data)
        return b"".join(
            [
                struct.pack("<3I", _MAGIC, 2, size),
                struct.pack("<2I", len(text), _JSON),
                text,
                struct.pack("<2I", len(self._data), _BINARY),
                bytes(self._data),
            ]
        )


def _bounds(rows: NDArray[Any]) -> dict[str, Any]:
    return {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
