"""Batches, loss and learning rate of the expression head's training."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from face_expr_ros.core.types import FloatArray
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.expression.alignment import FEATURES
from face_expr_ros.perception.expression.patches import PARTS
from face_expr_ros.perception.expression.patches import SIDE as PATCH
from face_expr_ros.training.expression import samples
from face_expr_ros.training.expression.config import ExpressionTraining

NAMES = open_face_model("open").expression_names


def random_samples(people: int = 3, portraits: int = 5) -> samples.Samples:
    """Samples whose first feature encodes the person; all but the last person have two neutral portraits first."""
    rng = np.random.default_rng(2)
    person = np.repeat(np.arange(people), portraits)
    count = len(person)
    features = rng.normal(0, 1, (count, FEATURES)).astype(np.float32)
    features[:, 0] = 10 * person
    expression = rng.uniform(0.2, 1, (count, 52)).astype(np.float32)
    expression[(np.arange(count) % portraits < 2) & (person < people - 1)] = 0.0
    side = PATCH + 2 * samples.MARGIN
    patches = rng.integers(0, 255, (count, len(PARTS), side, side), np.uint8)
    return samples.Samples(features, patches, expression, np.zeros((count, 2), np.float32), person)


def test_batch_pairs_each_person_with_its_own_neutral_portrait(canonical: FloatArray) -> None:
    pytest.importorskip("torch")
    from face_expr_ros.training.expression.batches import Batches

    mirror = replace(samples.mirror_of(canonical, NAMES), features=np.arange(FEATURES), sign=np.ones(FEATURES))
    mirror = replace(mirror, sign=mirror.sign.astype(np.float32))
    batches = iter(Batches(random_samples(), NAMES, mirror, people=4, moments=3, seed=1))
    unknown = 0
    for _ in range(10):
        batch = next(batches)
        person = np.round(batch.features[:, 0].numpy() / 10)
        count, known = len(person), batch.known[:, 0].numpy() == 1
        assert batch.patches.shape == (count, len(PARTS), PATCH, PATCH)
        assert batch.expression.shape == (count, 52)
        np.testing.assert_array_equal(person[batch.neutral.numpy()], person)
        assert batch.expression[batch.neutral].numpy()[known].max() == 0.0
        assert batch.expression.numpy()[known].min() > 0.0
        unknown += int((~known & (batch.expression.numpy().max(axis=1) > 0)).sum())
    assert unknown > 0  # people without a neutral portrait are included


def test_unknown_blendshape_has_no_gradient(canonical: FloatArray, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from face_expr_ros.training.expression import train
    from face_expr_ros.training.expression.batches import Batches

    training = random_samples()
    mirror = samples.mirror_of(canonical, NAMES)
    run = train._TrainingRun(
        ExpressionTraining(steps=6, warmup=2, folder=str(tmp_path)), NAMES, canonical, training, training
    )
    batch = next(iter(Batches(training, NAMES, mirror, people=2, moments=2, seed=0)))
    jaw = NAMES.index("jawOpen")
    batch.expression[:, jaw] = torch.nan
    loss = run._loss(batch)
    loss.backward()
    gradient = run._network.trunk[-1].bias.grad.numpy()
    assert math.isfinite(loss.item())
    assert gradient[jaw] == 0.0
    assert (np.delete(gradient, jaw) != 0.0).all()


def test_learning_rate_warms_up_stays_constant_and_decays() -> None:
    pytest.importorskip("torch")
    from face_expr_ros.training.checkpoints_and_schedule import learning_rate_factor

    config = ExpressionTraining(steps=1000, warmup=100, decay=0.4)
    rates = [learning_rate_factor(step, config) for step in (0, 49, 99, 300, 600, 800, 999)]
    np.testing.assert_allclose(rates, [0.01, 0.5, 1.0, 1.0, 1.0, 0.5, 0.0025])
