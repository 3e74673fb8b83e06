"""How the fusion is trained: the settings of config/train_fusion.yaml."""

from __future__ import annotations

from dataclasses import dataclass

from face_expr_ros.core.config import setting


@dataclass(frozen=True)
class FusionTraining:
    """Settings of ``face_expr train fusion``."""

    folder: str = setting("out/fusion", "where caches, rendered faces, checkpoints and the exported network lie")
    copies: int = setting(8, "of each portrait, the first as it is", minimum=1)
    rendered: int = setting(9600, "faces to draw", minimum=480)
    processes: int = setting(2, "that draw", minimum=1)
    members: int = setting(
        3, "networks that are trained from other seeds; their mean is exported", minimum=1, maximum=8
    )
    held_out: float = setting(0.2, "part of the portraits on which the fusion is validated; 0 trains on all",
                              minimum=0.0, maximum=0.5)  # fmt: skip
    steps: int = setting(1300, "batches in all", minimum=1)
    portraits: int = setting(64, "of a batch", minimum=2)
    renders: int = setting(20, "of a batch", minimum=2)
    learning_rate: float = setting(0.002, "after the warm-up", minimum=1e-6, maximum=1.0)
    warmup: int = setting(100, "steps in which the learning rate rises", minimum=1)
    decay: float = setting(0.7, "last part of the steps, in which it falls to zero", minimum=0.0, maximum=1.0)
    weight_decay: float = setting(0.05, "of AdamW", minimum=0.0, maximum=1.0)
    dropout: float = setting(0.4, "of what is seen", minimum=0.0, maximum=0.9)
    branch_dropout: float = setting(0.2, "how often a part of the face is not seen", minimum=0.0, maximum=0.9)
    estimate_dropout: float = setting(0.15, "how often an estimate is missing", minimum=0.0, maximum=0.9)
    averaging: float = setting(0.996, "of the weights that are kept, per step", minimum=0.0, maximum=0.99999)
    ridge: float = setting(1500.0, "strength of the linear part's ridge", minimum=0.0)
    render_weight: float = setting(0.5, "of the error on rendered faces", minimum=0.0)
    teacher_weight: float = setting(0.3, "of the error where only the teacher says anything", minimum=0.0)
    asymmetry_weight: float = setting(2.0, "of the differences between left and right, on portraits", minimum=0.0)
    validate_every: int = setting(400, "steps", minimum=1)
    threads: int = setting(1, "of the network", minimum=1)
    seed: int = setting(1, "of everything", minimum=0)
