"""Training settings of the fusion, as in config/train_fusion.yaml."""

from __future__ import annotations

from dataclasses import dataclass

from face_expr_ros.core.config import setting


@dataclass(frozen=True)
class FusionTraining:
    """Settings of ``face_expr train fusion``."""

    folder: str = setting(
        "out/fusion", "output folder for caches, rendered faces, checkpoints and the exported network"
    )
    copies: int = setting(6, "number of copies of each portrait; the first is not augmented", minimum=1)
    edited: int = setting(1, "number of copies of each portrait with an added movement", minimum=0)
    mixed: float = setting(
        0.2, "number of faces with one eye of another person, as a fraction of the copies", minimum=0.0, maximum=1.0
    )
    rendered: int = setting(9600, "number of faces to render", minimum=480)
    processes: int = setting(2, "number of processes that render, read portraits and train", minimum=1)
    members: int = setting(
        3, "number of networks, with a seed and a held-out part of the portraits each", minimum=1, maximum=8
    )
    exported: int = setting(
        1, "number of networks on patches, the first ones, whose mean is exported; of the grade networks, all are",
        minimum=1, maximum=8,
    )  # fmt: skip
    folds: int = setting(5, "number of parts of the portraits; each network holds out another one", minimum=2)
    steps: int = setting(2000, "number of batches for each network", minimum=1)
    portraits: int = setting(64, "number of portraits per batch", minimum=2)
    renders: int = setting(20, "number of rendered faces per batch", minimum=2)
    learning_rate: float = setting(0.002, "learning rate after the warm-up", minimum=1e-6, maximum=1.0)
    warmup: int = setting(100, "number of steps in which the learning rate increases", minimum=1)
    decay: float = setting(
        0.7, "fraction of the steps, at the end, in which the learning rate decreases to zero", minimum=0.0, maximum=1.0
    )
    weight_decay: float = setting(0.05, "weight decay of AdamW", minimum=0.0, maximum=1.0)
    dropout: float = setting(0.4, "dropout of the hidden features", minimum=0.0, maximum=0.9)
    branch_dropout: float = setting(
        0.2, "probability of dropping all features of a face part", minimum=0.0, maximum=0.9
    )
    estimate_dropout: float = setting(0.15, "probability of dropping the fit or the head", minimum=0.0, maximum=0.9)
    averaging: float = setting(
        0.996, "decay of the exponential moving average of the weights, per step", minimum=0.0, maximum=0.99999
    )
    ridge: float = setting(1500.0, "regularization strength of the ridge regression", minimum=0.0)
    appearance_ridge: float = setting(
        3000.0, "regularization strength of the ridge regression from FaceMesh's hidden features", minimum=0.0
    )
    grade_steps: int = setting(1600, "number of batches for each grade network", minimum=1)
    render_weight: float = setting(0.5, "weight of the loss on rendered faces", minimum=0.0)
    teacher_weight: float = setting(0.3, "weight of the loss on blendshapes that only the teacher covers", minimum=0.0)
    asymmetry_weight: float = setting(2.0, "weight of the loss on left-right differences of portraits", minimum=0.0)
    validate_every: int = setting(400, "number of steps between validations", minimum=1)
    threads: int = setting(1, "number of threads of the network", minimum=1)
    seed: int = setting(1, "random seed", minimum=0)
