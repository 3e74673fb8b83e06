"""The script of the synthetic actor, random states, and the source that renders them."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from face_expr_ros.core.config import CameraConfig
from face_expr_ros.core.geometry import euler_angles, pinhole_camera, project, rotation_to_axis, to_camera
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.sources.source_frame import Truth
from face_expr_ros.sources.synthetic import SyntheticSource, random_frame, random_truth
from face_expr_ros.synthetic import actor

EXCLUSIVE = (
    ("eyeBlinkLeft", "eyeWideLeft"),
    ("mouthSmileLeft", "mouthFrownLeft"),
    ("jawLeft", "jawRight"),
    ("eyeLookUpLeft", "eyeLookDownLeft"),
    ("eyeLookInLeft", "eyeLookOutLeft"),
)


def small_source(model, **changes):
    return SyntheticSource(replace(CameraConfig(width=160, height=120), **changes), model, texture_width=256)


@pytest.fixture(scope="module")
def model():
    return open_face_model("open")


@pytest.fixture(scope="module")
def states(model):
    return [actor.state_at(t, model.expression_names) for t in np.arange(0, actor.LOOP, 1 / 60)]


def test_script_starts_neutral_and_frontal_at_its_distance(model):
    state = actor.state_at(0.0, model.expression_names)
    assert not state.expression.any()
    assert np.allclose(euler_angles(state.pose.rotation), 0, atol=1e-9)
    assert np.allclose(state.pose.position, [0, 0, 0.58])


def test_script_repeats_without_a_jump(model):
    end, start = (actor.state_at(t, model.expression_names) for t in (actor.LOOP - 1e-6, actor.LOOP))
    assert np.allclose(end.expression, start.expression, atol=1e-3)
    assert np.allclose(end.pose.rotation, start.pose.rotation, atol=1e-3)
    assert np.allclose(end.pose.position, start.pose.position, atol=1e-4)


def test_script_stays_within_natural_bounds(states):
    expressions = np.array([state.expression for state in states])
    angles = np.degrees([euler_angles(state.pose.rotation) for state in states])
    positions = np.array([state.pose.position for state in states])
    assert expressions.min() >= 0
    assert expressions.max() <= 1
    assert np.abs(angles).max() < 40
    assert np.ptp(angles, axis=0).min() > 8, "the head moves about every axis, degrees"
    assert np.abs(positions - [0, 0, 0.58]).max() < 0.12


def test_script_is_continuous(states):
    """At 60 Hz a lid may close within 5 frames, and the head rotates by at most 200 degrees per second."""
    expressions = np.array([state.expression for state in states])
    angles = np.degrees([euler_angles(state.pose.rotation) for state in states])
    assert np.abs(np.diff(expressions, axis=0)).max() < 0.4
    assert np.abs(np.diff(angles, axis=0)).max() < 200 / 60


@pytest.mark.parametrize(
    ("name", "minimum"),
    [("eyeBlinkLeft", 0.95), ("eyeBlinkRight", 0.95), ("mouthSmileLeft", 0.8), ("jawOpen", 0.35), ("mouthPucker", 0.9),
     ("browInnerUp", 0.8), ("browDownRight", 0.8), ("eyeLookOutLeft", 0.4), ("eyeLookInLeft", 0.4)],
)  # fmt: skip
def test_script_contains_the_main_expressions(model, states, name, minimum):
    index = model.expression_names.index(name)
    assert max(state.expression[index] for state in states) >= minimum


def test_blinks_take_about_0_2_seconds(model, states):
    lid = np.array([state.expression[model.expression_names.index("eyeBlinkLeft")] for state in states])
    runs = [len(list(group)) / 60 for closed, group in itertools.groupby(lid > 0.02) if closed]
    assert len(runs) >= 8
    assert 0.15 < np.median(runs) < 0.30


def test_random_expressions_are_sparse_and_cover_every_name(model):
    rng = np.random.default_rng(0)
    values = np.array([actor.random_expression(rng, model.expression_names) for _ in range(1500)])
    assert values.min() >= 0
    assert values.max() <= 1
    assert [name for name, v in zip(model.expression_names, values.T, strict=True) if v.max() < 0.3] == []
    assert 4 < (values > 0.05).sum(axis=1).mean() < 16


def test_mutually_exclusive_movements_do_not_occur_together(model):
    rng = np.random.default_rng(1)
    index = model.expression_names.index
    for _ in range(300):
        values = actor.random_expression(rng, model.expression_names)
        for one, other in EXCLUSIVE:
            assert not (values[index(one)] > 0 and values[index(other)] > 0)
        assert values[index("mouthClose")] <= values[index("jawOpen")]


@pytest.mark.parametrize("size", [(1280, 720), (640, 480), (400, 300)])
def test_random_faces_are_in_the_image_within_angle_and_distance_limits(model, size):
    camera = pinhole_camera(size[0], size[1], 45.0)
    rng = np.random.default_rng(2)
    for _ in range(200):
        truth = random_truth(model, camera, rng)
        in_camera = np.degrees(euler_angles(truth.pose.rotation))
        along_ray = np.degrees(euler_angles(rotation_to_axis(truth.pose.position) @ truth.pose.rotation))
        assert np.abs([in_camera[:2], along_ray[:2]]).max() <= 40 + 1e-6
        assert abs(along_ray[2]) <= 20 + 1e-6
        assert 0.34 < truth.pose.position[2] <= 1.2 + 1e-9
        assert np.abs(truth.shape).max() <= 2.5
        pixels = project(to_camera(model.mean[model.landmarks68], truth.pose), camera)
        assert (pixels > 0).all()
        assert (pixels < np.array(size) - 1).all()


def test_random_frame_is_reproducible_from_its_generator(model):
    camera = pinhole_camera(160, 120, 45.0)
    (first, truth), (second, again) = (random_frame(model, camera, np.random.default_rng(5)) for _ in range(2))
    assert (first.image == second.image).all()
    assert (truth.expression == again.expression).all()
    assert isinstance(truth, Truth)


def test_source_provides_the_image_and_ground_truth_of_a_time(model):
    source = small_source(model)
    shot = source.read(0.2)
    frame, truths = source.at(0.2)
    assert (shot.image == frame.image).all()
    assert shot.truths is not None
    assert (shot.truths[0].expression == truths[0].expression).all()
    assert shot.camera == source.camera
    assert frame.stamp_ns == 200_000_000
    assert next(source.frames(10.0))[0].stamp_ns == 0
    source.close()


def test_images_are_reproducible_and_the_seed_changes_the_person(model):
    images = [small_source(model, seed=seed).read(0.0).image for seed in (1, 1, 2)]
    assert (images[0] == images[1]).all()
    assert (images[0] != images[2]).mean() > 0.05


@pytest.mark.parametrize("faces", [0, 2, 4])
def test_several_faces_are_side_by_side_within_the_image(model, faces):
    source = small_source(model, width=320, height=180, faces=faces)
    for t in (0.0, 7.0):
        _, truths = source.at(t)
        pixels = [project(truth.pose.position[None], source.camera)[0] for truth in truths]
        assert len(truths) == faces
        assert all(0 < x < 319 and 0 < y < 179 for x, y in pixels)
        assert sorted(pixels, key=lambda p: p[0]) == pixels if faces < 2 else np.diff([p[0] for p in pixels]).min() > 20
