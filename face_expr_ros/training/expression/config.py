"""How the expression head is trained: the settings of config/train_expression.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml

from face_expr_ros.core.config import ConfigError, from_mapping, setting

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class ExpressionTraining:
    """Settings of ``face_expr train expression``."""

    folder: str = setting("out/expression", "where portraits, checkpoints, curves and the exported head lie")
    portraits: int = setting(76_320, "faces to draw", minimum=960)
    processes: int = setting(2, "that draw", minimum=1)
    held_out: float = setting(0.08, "part of the people on whom the head is validated", minimum=0.01, maximum=0.5)
    steps: int = setting(31_000, "batches in all", minimum=1)
    people: int = setting(24, "of a batch", minimum=1)
    moments: int = setting(7, "of a person in a batch, besides the one at rest", minimum=1, maximum=24)
    learning_rate: float = setting(0.003, "after the warm-up", minimum=1e-6, maximum=1.0)
    warmup: int = setting(300, "steps in which the learning rate rises", minimum=1)
    decay: float = setting(0.6, "last part of the steps, in which it falls to zero", minimum=0.0, maximum=1.0)
    weight_decay: float = setting(0.02, "of AdamW", minimum=0.0, maximum=1.0)
    averaging: float = setting(0.998, "of the weights that are kept, per step", minimum=0.0, maximum=0.99999)
    validate_every: int = setting(1000, "steps", minimum=1)
    save_every: int = setting(500, "steps", minimum=1)
    threads: int = setting(1, "of the network", minimum=1)
    seed: int = setting(1, "of everything", minimum=0)


def read_training_config(path: Path) -> ExpressionTraining:
    """The settings of a YAML file, see `read_settings`."""
    return read_settings(ExpressionTraining, path)


def read_settings(kind: type[Settings], path: Path) -> Settings:
    """The settings of a YAML file, of a class of settings.

    Raises:
        ConfigError: it cannot be read, or a setting does not exist or cannot have its value.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{str(path)!r} should be a YAML file of training settings: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{str(path)!r} should hold settings by name, and holds {type(content).__name__}")
    return from_mapping(kind, content)
