"""Learning-rate schedule and atomic checkpoints, shared by all training runs."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray


class ScheduleConfig(Protocol):
    """Settings of the schedule: total steps, warm-up steps, and the final fraction of the steps with decay."""

    @property
    def steps(self) -> int: ...
    @property
    def warmup(self) -> int: ...
    @property
    def decay(self) -> float: ...


def learning_rate_factor(step: int, config: ScheduleConfig) -> float:
    """Factor in 0..1 on the learning rate: linear warm-up, constant, linear decay to zero."""
    rise = min(1.0, (step + 1) / config.warmup)
    fall = (config.steps - step) / max(1.0, config.decay * config.steps)
    return max(0.0, min(rise, fall, 1.0))


def write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint atomically: a failure leaves the previous file unchanged.

    Raises:
        OSError: the file cannot be written, for example because the disk is full.
    """
    buffer = io.BytesIO()  # torch.save to a file does not report a full disk
    torch.save(state, buffer)
    try:
        path.with_suffix(".part").write_bytes(buffer.getbuffer())
    except OSError as error:
        raise OSError(
            f"cannot write {str(path)!r}: {error.strerror}. The previous checkpoint is unchanged: free some space and "
            f"run the same command again to resume from it"
        ) from error
    os.replace(path.with_suffix(".part"), path)


def averaged_weights(state: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The exponential moving average of the weights in a checkpoint, keyed by parameter name."""
    return {name.removeprefix("module."): value for name, value in state["average"].items() if name != "n_averaged"}


def float32_array(tensor: torch.Tensor) -> NDArray[Any]:
    """A tensor as a float32 NumPy array, for export."""
    return tensor.detach().numpy().astype(np.float32)
