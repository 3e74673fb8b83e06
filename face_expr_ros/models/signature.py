"""What an ONNX file takes and gives, as ONNX Runtime reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnxruntime

from face_expr_ros.face_model import BundleError

Shape = tuple[int | str | None, ...]  # a word or None is a dimension of any size


@dataclass(frozen=True)
class Signature:
    """Names and shapes of a network's inputs and outputs."""

    inputs: dict[str, Shape]
    outputs: dict[str, Shape]


def read_signature(path: Path) -> Signature:
    """The signature of an ONNX file. Raises BundleError when ONNX Runtime cannot read it."""
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no common type
        raise BundleError(f"{path} is not an ONNX file that ONNX Runtime can read: {error}") from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    return Signature({i.name: tuple(i.shape) for i in inputs}, {o.name: tuple(o.shape) for o in outputs})
