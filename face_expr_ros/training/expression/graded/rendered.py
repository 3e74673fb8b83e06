"""Rendered faces as inputs of the fusion: from the shards that ``face_expr synthesize`` writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from face_expr_ros.core.config import FittingConfig
from face_expr_ros.core.geometry import crop_from_landmarks, default_camera
from face_expr_ros.core.progress import progress
from face_expr_ros.core.types import FloatArray, Frame, Landmarks, Track
from face_expr_ros.models.bundle import open_bundle
from face_expr_ros.perception.expression.head import ExpressionHead, read_canonical
from face_expr_ros.perception.fitting.least_squares import LeastSquaresFitter
from face_expr_ros.training.expression.graded.faces import Faces, Floats, read_chunks, write_chunk
from face_expr_ros.training.expression.samples import MARGIN, load_samples
from face_expr_ros.training.expression.shards import finished_shards, read_shard

_AT_ONCE = 256


def cached_renders(folder: Path, cache: Path) -> Faces:
    """The faces of all finished shards of a folder, read again only if shards were added to it."""
    names = np.array([path.name for path in finished_shards(folder)])
    record = cache.with_suffix(".txt")
    if not (cache.exists() and record.exists() and record.read_text(encoding="utf-8").split() == list(names)):
        write_chunk(cache, [read_rendered(folder, read_canonical())])
        record.write_text("\n".join(names) + "\n", encoding="utf-8")
    faces = read_chunks([cache])
    assert faces is not None
    return faces


def read_rendered(folder: Path, canonical: FloatArray) -> Faces:
    """The faces of all finished shards of a folder.

    Raises:
        ValueError: there are no finished shards.
    """
    shards = finished_shards(folder)
    if not shards:
        raise ValueError(
            f"expected shards of rendered faces in {folder}, got none: render them with face_expr synthesize"
        )
    samples = load_samples(shards, canonical)
    fit = np.concatenate([_fits(path) for path in progress(shards, "fitting", unit="shards")])
    head, state = _heads(samples.features, samples.patches[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN])
    return Faces(
        features=samples.features,
        patches=samples.patches,
        fit=fit,
        head=head,
        state=state,
        truth=samples.expression,
        teacher=samples.expression,
        weight=np.ones(len(fit), np.float32),
        group=samples.person,
        appearance=np.zeros((len(fit), 0), np.float16),
    )


def _fits(path: Path) -> Floats:
    """(N, E) blendshapes of a shard's faces, each fitted alone with the camera that the pipeline assumes."""
    shard = read_shard(path)
    height, width = shard.image.shape[1:]
    frame = Frame(
        np.zeros((height, width, 3), np.uint8), 0, "", default_camera(width, height, FittingConfig().field_of_view)
    )
    fitter = LeastSquaresFitter(FittingConfig(), open_bundle("open", ""))
    gain, rows = fitter.expression_gain(), []
    for points in shard.landmarks:
        fitter.reset()
        track = Track("f1", crop_from_landmarks(points), Landmarks(points, 1.0), fresh=False)
        rows.append(np.clip(gain * fitter(frame, [track])[0].expression, 0.0, 1.0))
    return np.array(rows, np.float32)


def _heads(features: Floats, patches: np.ndarray) -> tuple[Floats, Floats]:
    """(N, E) the head's blendshapes without a neutral expression, and (N, S) its states."""
    head, rows, states = ExpressionHead(), [], []
    for first in range(0, len(features), _AT_ONCE):
        block = slice(first, first + _AT_ONCE)
        shown = patches[block].astype(np.float32)
        values, state = head.answer(features[block], shown, [None] * len(shown))
        rows.append(values)
        states.append(state)
    return np.concatenate(rows).astype(np.float32), np.concatenate(states).astype(np.float32)
