"""What training runs share: the course of the learning rate, checkpoints that are whole or absent, averages."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray


class Course(Protocol):
    """Settings of the learning rate: steps in all, steps of the rise, and the last part of the steps, its fall."""

    @property
    def steps(self) -> int: ...
    @property
    def warmup(self) -> int: ...
    @property
    def decay(self) -> float: ...


def schedule(step: int, config: Course) -> float:
    """Factor on the learning rate: a linear rise, a plateau, a linear fall."""
    rise = min(1.0, (step + 1) / config.warmup)
    fall = (config.steps - step) / max(1.0, config.decay * config.steps)
    return max(0.0, min(rise, fall, 1.0))


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint; it is there completely or not at all.

    Raises:
        OSError: it cannot be written, as on a full disk; the one before is still there.
    """
    written = io.BytesIO()  # PyTorch itself does not say that a disk is full
    torch.save(state, written)
    try:
        path.with_suffix(".part").write_bytes(written.getbuffer())
    except OSError as error:
        raise OSError(
            f"{str(path)!r} cannot be written: {error.strerror}. The last one is still there: the same command "
            f"goes on from it"
        ) from error
    os.replace(path.with_suffix(".part"), path)


def averaged_weights(state: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The weights in a checkpoint's ``average``, by their names in the network."""
    return {name.removeprefix("module."): value for name, value in state["average"].items() if name != "n_averaged"}


def array(tensor: torch.Tensor) -> NDArray[Any]:
    """Weights as float32 for a file."""
    return tensor.detach().numpy().astype(np.float32)
