"""Read-outs of blendshapes: action units, valence, arousal, label, and open mouth."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.paths import ROOT

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.geometry import FACING_CAMERA, rotation_from_euler
from face_expr_ros.core.settings import ConfigError
from face_expr_ros.core.types import NO_READOUTS, Blendshapes, Face, FaceFit, FloatArray, Pose, Roi
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.expression import facs
from face_expr_ros.perception.expression.affect import LABELS, PROTOTYPES, THRESHOLD, read_affect
from face_expr_ros.perception.expression.facs import TABLE, ActionUnit
from face_expr_ros.perception.expression.readouts import MouthState, ReadoutReader, action_units, affect, mouth_opening

ARKIT = open_face_model("open").expression_names
DOCUMENT = (ROOT / "docs/expression.md").read_text(encoding="utf-8")
CONFIG = ExpressionConfig(mouth_open_threshold=0.2, mouth_close_threshold=0.1)
# Expressions of emotions (EMFACS) as symmetric blendshapes.
SHOWN = {
    "happy": ("cheekSquint", "mouthSmile"),
    "sad": ("browInnerUp", "browDown", "mouthFrown"),
    "surprised": ("browInnerUp", "browOuterUp", "eyeWide", "jawOpen"),
    "scared": ("browInnerUp", "browOuterUp", "browDown", "eyeWide", "mouthStretch", "jawOpen"),
    "angry": ("browDown", "eyeWide", "eyeSquint", "mouthPress"),
    "disgusted": ("noseSneer", "mouthUpperUp", "mouthFrown"),
}


def shapes(**values: float) -> Blendshapes:
    """Blendshapes by their names; a name without its side means both."""

    def value(name: str) -> float:
        return values.get(name, values.get(name.removesuffix("Left").removesuffix("Right"), 0.0))

    return Blendshapes(ARKIT, np.array([value(name) for name in ARKIT]))


def all_at(names: Iterable[str], value: float) -> Blendshapes:
    return shapes(**dict.fromkeys(names, value))


def face(values: Blendshapes, face_id: str = "f1", rotation: FloatArray | None = None) -> Face:
    pose = Pose(np.eye(3) if rotation is None else rotation, np.array([0.0, 0.0, 0.6]), True)
    fit = FaceFit(pose, np.zeros(40), np.zeros(52), 0.0, np.zeros((68, 3)), np.zeros((3, 4)), 1.0)
    return Face(face_id, 1.0, Roi(0, 0, 9, 9), None, fit, values)


def test_the_table_contains_only_arkit_names() -> None:
    assert set(ARKIT) >= facs.REQUIRED
    assert len(set(facs.NAMES)) == len(TABLE)


def test_the_docs_list_the_blendshapes_without_an_action_unit() -> None:
    left_out = sorted(set(ARKIT) - facs.REQUIRED)
    assert "No action unit is made of " + ", ".join(f"`{name}`" for name in left_out) in DOCUMENT.replace("\n", " ")


@pytest.mark.parametrize("unit", TABLE, ids=lambda unit: unit.name)
def test_the_docs_have_the_formula_of_each_action_unit(unit: ActionUnit) -> None:
    rows = [line for line in DOCUMENT.splitlines() if line.startswith(f"| {unit.name} | {unit.meaning} |")]
    assert len(rows) == 1
    assert rows[0].split("|")[3].strip() == formula(unit)


def formula(unit: ActionUnit) -> str:
    """A row of the table as the document writes it: the mean of a pair as one name."""
    terms: dict[str, float] = {}
    for name, weight in unit.weights.items():
        stem = name.removesuffix("Left").removesuffix("Right")
        pair = weight <= 0.5 and unit.weights.get(stem + "Left") == unit.weights.get(stem + "Right") == weight
        terms[stem if pair else name] = 2 * weight if pair else weight
    text = " + ".join(f"{'' if weight == 1 else f'{weight:g} '}`{name}`" for name, weight in terms.items())
    return (text + (f" + {unit.offset:g}" if unit.offset else "")).replace("+ -1 ", "- ").replace("+ -", "- ")


@pytest.mark.parametrize(
    ("given_shapes", "unit", "value"),
    [
        ({"mouthSmile": 0.6}, "AU12", 0.6),
        ({"mouthSmileLeft": 0.6}, "AU12", 0.3),
        ({"mouthSmileLeft": 0.6}, "AU12L", 0.6),
        ({"mouthSmileLeft": 0.6}, "AU12R", 0.0),
        ({"eyeBlinkRight": 1.0}, "AU45R", 1.0),
        ({"jawOpen": 0.5}, "AU27", 0.0),
        ({"jawOpen": 0.9}, "AU27", 0.8),
        ({"jawOpen": 0.5, "mouthClose": 0.5}, "AU25", 0.0),
        ({"jawOpen": 0.1, "mouthClose": 0.5}, "AU25", 0.0),
        ({"jawOpen": 1.0, "mouthFunnel": 1.0}, "AU25", 1.0),
        ({"jawLeft": 0.4}, "AD30", 0.4),
        ({"eyeLookOutLeft": 0.5, "eyeLookInRight": 0.5}, "AD61", 0.5),
    ],
)
def test_an_action_unit_has_the_value_of_its_blendshapes(
    given_shapes: dict[str, float], unit: str, value: float
) -> None:
    assert action_units(shapes(**given_shapes))[unit] == pytest.approx(value)


def test_the_order_of_the_blendshapes_does_not_matter() -> None:
    there = shapes(mouthSmile=0.3, jawOpen=0.7)
    back = Blendshapes(there.names[::-1], there.values[::-1])
    assert action_units(there) == pytest.approx(action_units(back))


def test_missing_blendshapes_are_named_in_the_error() -> None:
    with pytest.raises(ValueError, match=r"got none named browDownLeft, .*tongueOut"):
        action_units(Blendshapes(("jawOpen",), np.ones(1)))


@pytest.mark.parametrize("strength", [1.0, 0.7, 0.4])
@pytest.mark.parametrize("label", SHOWN)
def test_full_and_mild_expressions_have_their_label(label: str, strength: float) -> None:
    assert affect(all_at(SHOWN[label], strength)).label == label


def test_every_label_is_tested_and_documented() -> None:
    assert set(SHOWN) == set(LABELS[1:])
    for prototype in PROTOTYPES:
        weights = " ".join(f"{weight:+g} {name}" for name, weight in prototype.weights.items())
        row = f"| {prototype.label} | {weights} | {prototype.valence:g} | {prototype.arousal:g} |"
        assert row in DOCUMENT
    assert f"less than {THRESHOLD:g}" in DOCUMENT


@pytest.mark.parametrize(
    "given_shapes",
    [
        {},
        {"eyeBlink": 1.0},
        {"jawOpen": 0.6},
        {"mouthPucker": 0.8, "mouthFunnel": 0.5},
        {"eyeLookDown": 0.8},
        {"mouthSmile": 0.2},
        {"browInnerUp": 0.6},
        {"mouthPress": 0.8},
    ],
    ids=str,
)
def test_blinks_speech_and_gaze_are_labeled_neutral(given_shapes: dict[str, float]) -> None:
    assert affect(shapes(**given_shapes)).label == "neutral"


def test_a_neutral_face_has_valence_and_arousal_0() -> None:
    look = affect(shapes())
    assert (look.valence, look.arousal, look.label) == (0.0, 0.0, "neutral")


@pytest.mark.parametrize("prototype", PROTOTYPES, ids=lambda prototype: prototype.label)
def test_each_prototype_has_its_valence_and_arousal(prototype) -> None:
    look = affect(all_at(SHOWN[prototype.label], 1.0))
    assert np.hypot(look.valence - prototype.valence, look.arousal - prototype.arousal) < 0.3


def test_half_a_smile_has_half_the_valence() -> None:
    whole, half = (affect(all_at(SHOWN["happy"], value)) for value in (1.0, 0.5))
    assert half.valence == pytest.approx(whole.valence / 2)


@given(arrays(np.float64, len(ARKIT), elements=st.floats(0.0, 1.0)))
def test_read_outs_are_within_their_bounds(values) -> None:
    units = facs.intensities(Blendshapes(ARKIT, values))
    look = read_affect(units)
    assert ((units >= 0.0) & (units <= 1.0)).all()
    assert abs(look.valence) <= 1.0
    assert abs(look.arousal) <= 1.0
    assert look.label in LABELS


@given(arrays(np.float64, len(ARKIT), elements=st.floats(0.0, 1.0)), st.integers(0, len(ARKIT) - 1))
def test_valence_and_arousal_are_continuous(values, index: int) -> None:
    near = values.copy()
    near[index] += 1e-6
    a, b = affect(Blendshapes(ARKIT, values)), affect(Blendshapes(ARKIT, near))
    assert abs(a.valence - b.valence) < 1e-4
    assert abs(a.arousal - b.arousal) < 1e-4


@pytest.mark.parametrize(
    ("openings", "states"),
    [
        ([0.0, 0.15, 0.2, 0.15, 0.11, 0.1, 0.15], [False, False, True, True, True, False, False]),
        ([0.9, 0.05, 0.19, 0.21], [True, False, False, True]),
    ],
)
def test_the_open_mouth_has_hysteresis(openings, states) -> None:
    mouth = MouthState(CONFIG)
    assert [mouth("f1", opening) for opening in openings] == states


def test_noise_between_the_thresholds_does_not_toggle_the_mouth() -> None:
    noise = np.random.default_rng(0).uniform(0.11, 0.19, 300)
    mouth = MouthState(CONFIG)
    assert [opening for opening in noise if mouth("f1", opening)] == []
    mouth("f1", 0.5)
    assert all(mouth("f1", opening) for opening in noise)


def test_the_state_of_the_mouth_is_stored_per_face() -> None:
    read = ReadoutReader(CONFIG)
    ajar, wide = shapes(jawOpen=0.15), shapes(jawOpen=0.5)
    read((face(wide, "f1"), face(ajar, "f2")), 0)
    assert [each.readouts.mouth_open for each in read((face(ajar, "f1"), face(ajar, "f2")), 1)] == [True, False]


@pytest.mark.parametrize("forget", [lambda read: read((), 1), lambda read: read.reset()], ids=["deleted", "reset"])
def test_a_deleted_face_starts_with_a_closed_mouth(forget) -> None:
    read = ReadoutReader(CONFIG)
    read((face(shapes(jawOpen=0.5)),), 0)
    forget(read)
    (again,) = read((face(shapes(jawOpen=0.15)),), 2)
    assert not again.readouts.mouth_open


def test_closed_lips_with_an_open_jaw_are_a_closed_mouth() -> None:
    assert mouth_opening(shapes(jawOpen=0.6, mouthClose=0.6)) == 0.0
    assert mouth_opening(shapes(jawOpen=0.6)) == pytest.approx(0.6)


def test_thresholds_in_the_wrong_order_are_rejected() -> None:
    with pytest.raises(ConfigError, match=r"expected expression\.mouth_close_threshold of at most .*0\.2\), got 0\.3"):
        MouthState(ExpressionConfig(mouth_open_threshold=0.2, mouth_close_threshold=0.3))


def test_without_arkit_names_there_are_no_read_outs() -> None:
    (read,) = ReadoutReader(CONFIG)((face(Blendshapes(("jawOpen",), np.ones(1))),), 0)
    assert read.readouts is NO_READOUTS


def test_read_outs_of_each_face_contain_attention_speech_and_events() -> None:
    """Two faces: f1 looks at the camera, blinks and speaks; f2 does nothing and looks away."""
    read, events, speaking = ReadoutReader(CONFIG), [], []
    for n in range(60):
        lids = 0.9 if 30 <= n < 36 else 0.0
        lips = 0.3 - 0.3 * np.cos(2 * np.pi * 4.0 * n / 30)
        active = face(shapes(eyeBlink=lids, jawOpen=lips), rotation=FACING_CAMERA)
        away = face(shapes(eyeLookOutLeft=1.0, eyeLookInRight=1.0), "f2", FACING_CAMERA)
        first, second = read((active, away), n * 10**9 // 30)
        events += [(each.id, event.type, n) for each in (first, second) for event in each.events]
        speaking.append(first.readouts.speaking)
        assert (first.readouts.looking_at_camera, second.readouts.looking_at_camera) == (1.0, 0.0)
        assert second.readouts.speaking == 0.0
    assert events == [("f1", "blink", 36)]
    assert speaking[-1] >= 0.5


def test_state_of_a_missed_face_is_kept_for_a_second() -> None:
    read = ReadoutReader(CONFIG)
    read((face(shapes()),), 0)
    read((), 900_000_000)
    assert "f1" in read.state_dict()["readers"]
    read((), 1_100_000_000)
    assert read.state_dict()["readers"] == {}


def test_nods_are_read_from_the_measured_pose() -> None:
    """The smoother may damp them: the smoothed face does not move here."""
    read, events = ReadoutReader(CONFIG), []
    still = face(shapes(), rotation=FACING_CAMERA)
    for n in range(75):
        pitch = 0.2 * np.sin(2 * np.pi * 2.0 * max(n - 30, 0) / 30)  # after a second of rest
        nod = face(shapes(), rotation=rotation_from_euler(0.0, pitch, 0.0))
        (result,) = read((still,), n * 10**9 // 30, (nod,))
        events += [event.type for event in result.events]
    assert events == ["nod"]
