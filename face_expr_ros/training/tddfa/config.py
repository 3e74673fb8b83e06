"""How the TDDFA network is trained: the settings of config/train_tddfa.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from face_expr_ros.core.settings import ConfigError, from_mapping, setting


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of ``face_expr train tddfa``."""

    initial: str = setting("", "exported network to continue from; empty for random weights with batch normalization")
    drawings: int = setting(122_880, "rendered faces", minimum=1536)
    turned: int = setting(46_080, "pictures made from portraits", minimum=1536)
    portrait_share: float = setting(
        0.6, "part of the samples from portraits, if there are any", minimum=0.0, maximum=1.0
    )
    held_out: int = setting(2, "first shards of each folder, on which the network is validated", minimum=1)
    steps: int = setting(10_000, "batches in all", minimum=1)
    batch: int = setting(64, "samples of a batch", minimum=2)
    learning_rate: float = setting(0.002, "after the warm-up", minimum=1e-6, maximum=1.0)
    warmup: int = setting(300, "steps in which the learning rate rises", minimum=1)
    decay: float = setting(0.5, "last part of the steps, in which it falls to zero", minimum=0.0, maximum=1.0)
    weight_decay: float = setting(0.02, "of AdamW", minimum=0.0, maximum=1.0)
    averaging: float = setting(0.998, "of the weights that are kept, per step", minimum=0.0, maximum=0.99999)
    side: int = setting(120, "side of the crops that the network sees when it runs", unit="px", minimum=64, maximum=120)
    small_side: int = setting(
        80, "side of the crops in the first steps, which halves their time", unit="px", minimum=64
    )
    small: float = setting(0.6, "first part of the steps, in which crops are small", minimum=0.0, maximum=1.0)
    bfloat16: bool = setting(False, "multiply pointwise convolutions in bfloat16, for processors that have it")
    validate_every: int = setting(1000, "steps", minimum=1)
    save_every: int = setting(200, "steps", minimum=1)
    threads: int = setting(1, "of the network", minimum=1)
    workers: int = setting(1, "further processes that make the samples", minimum=0)
    seed: int = setting(1, "of everything", minimum=0)


def read_training_config(path: Path) -> TrainingConfig:
    """The settings of a YAML file.

    Raises:
        ConfigError: it cannot be read, or a setting does not exist or cannot have its value.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"expected a YAML file of training settings in {str(path)!r}: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"expected settings by name in {str(path)!r}, got {type(content).__name__}")
    return from_mapping(TrainingConfig, content)
