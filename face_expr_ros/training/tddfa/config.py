"""Training settings of the TDDFA network, as in config/train_tddfa.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from face_expr_ros.core.settings import ConfigError, from_mapping, setting


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of ``face_expr train tddfa``."""

    initial: str = setting("", "exported network to continue from; empty for random weights with batch normalization")
    drawings: int = setting(122_880, "number of faces to render", minimum=1536)
    turned: int = setting(46_080, "number of images to make from portraits", minimum=1536)
    portrait_share: float = setting(
        0.6, "fraction of the samples from portraits, if available", minimum=0.0, maximum=1.0
    )
    held_out: int = setting(2, "number of first shards of each folder, held out for validation", minimum=1)
    steps: int = setting(10_000, "number of batches", minimum=1)
    batch: int = setting(64, "number of samples per batch", minimum=2)
    learning_rate: float = setting(0.002, "learning rate after the warm-up", minimum=1e-6, maximum=1.0)
    warmup: int = setting(300, "number of steps in which the learning rate increases", minimum=1)
    decay: float = setting(
        0.5, "fraction of the steps, at the end, in which the learning rate decreases to zero", minimum=0.0, maximum=1.0
    )
    weight_decay: float = setting(0.02, "weight decay of AdamW", minimum=0.0, maximum=1.0)
    averaging: float = setting(
        0.998, "decay of the exponential moving average of the weights, per step", minimum=0.0, maximum=0.99999
    )
    side: int = setting(120, "side of the crops at inference", unit="px", minimum=64, maximum=120)
    small_side: int = setting(80, "side of the crops in the first steps, which saves time", unit="px", minimum=64)
    small: float = setting(0.6, "fraction of the steps, at the beginning, with small crops", minimum=0.0, maximum=1.0)
    bfloat16: bool = setting(False, "compute pointwise convolutions in bfloat16, for processors that support it")
    validate_every: int = setting(1000, "number of steps between validations", minimum=1)
    save_every: int = setting(200, "number of steps between checkpoints", minimum=1)
    threads: int = setting(1, "number of threads of the network", minimum=1)
    workers: int = setting(1, "number of additional processes that load samples", minimum=0)
    seed: int = setting(1, "random seed", minimum=0)


def read_training_config(path: Path) -> TrainingConfig:
    """Read the settings from a YAML file.

    Raises:
        ConfigError: the file cannot be read, or a setting is unknown or has an invalid value.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"expected a YAML file of training settings in {str(path)!r}: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"expected settings by name in {str(path)!r}, got {type(content).__name__}")
    return from_mapping(TrainingConfig, content)
