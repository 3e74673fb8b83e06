"""Training settings of the expression head, read from config/train_expression.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml

from face_expr_ros.core.settings import ConfigError, from_mapping, setting

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class ExpressionTraining:
    """Settings of ``face_expr train expression``."""

    folder: str = setting("out/expression", "output folder for portraits, checkpoints, curves and the exported head")
    portraits: int = setting(76_320, "number of portraits to render", minimum=960)
    processes: int = setting(2, "number of rendering processes", minimum=1)
    held_out: float = setting(0.08, "fraction of the people held out for validation", minimum=0.01, maximum=0.5)
    steps: int = setting(31_000, "total number of training steps (batches)", minimum=1)
    people: int = setting(24, "people per batch", minimum=1)
    moments: int = setting(7, "portraits per person in a batch, plus one neutral portrait", minimum=1, maximum=24)
    learning_rate: float = setting(0.003, "learning rate after the warm-up", minimum=1e-6, maximum=1.0)
    warmup: int = setting(300, "steps of linear warm-up of the learning rate", minimum=1)
    decay: float = setting(0.6, "final fraction of the steps with linear decay to zero", minimum=0.0, maximum=1.0)
    weight_decay: float = setting(0.02, "weight decay of AdamW", minimum=0.0, maximum=1.0)
    averaging: float = setting(0.998, "decay per step of the weights' moving average", minimum=0.0, maximum=0.99999)
    validate_every: int = setting(1000, "steps between validations", minimum=1)
    save_every: int = setting(500, "steps between checkpoints", minimum=1)
    threads: int = setting(1, "CPU threads of PyTorch", minimum=1)
    seed: int = setting(1, "random seed", minimum=0)


def read_training_config(path: Path) -> ExpressionTraining:
    """Read the settings of the expression head from a YAML file, see `read_settings`."""
    return read_settings(ExpressionTraining, path)


def read_settings(kind: type[Settings], path: Path) -> Settings:
    """Read training settings of a class from a YAML file.

    Raises:
        ConfigError: the file cannot be read, or a setting is unknown or out of range.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"expected a YAML file of training settings, got {str(path)!r}: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{str(path)!r}: expected a mapping of setting names to values, got {type(content).__name__}")
    return from_mapping(kind, content)
