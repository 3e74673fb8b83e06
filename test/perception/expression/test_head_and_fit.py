"""The mean of the expression head and the fit's coefficients."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from face_expr_ros.core.config import ExpressionConfig
from face_expr_ros.core.geometry import pinhole_camera
from face_expr_ros.core.types import Blendshapes, FaceFit, Frame, Landmarks, Pose, Roi, Track
from face_expr_ros.models.bundle import open_face_model
from face_expr_ros.perception.expression.coefficients import Coefficients
from face_expr_ros.perception.expression.head import ExpressionHead, Head
from face_expr_ros.perception.expression.head_and_fit import HeadAndFit
from face_expr_ros.perception.expression.neutral import Neutrals

NAMES = ("tongueOut", "jawOpen", "eyeBlinkLeft")
FRAME = Frame(np.zeros((48, 64, 3), np.uint8), 0, "", pinhole_camera(64, 48, 45.0))


@dataclass
class Said(Head):
    """A head that says 0.8 of everything and remembers what it was asked."""

    asked: list[str] = field(default_factory=list)

    def __call__(self, frame: Frame, tracks: list[Track], fits: list[FaceFit]) -> list[Blendshapes]:
        return [Blendshapes(NAMES, np.full(3, 0.8)) for _ in tracks]

    def reset(self) -> None:
        self.asked.append("reset")

    def keep(self, face_ids: object) -> None:
        self.asked.append(f"keep {face_ids}")

    def calibrate(self) -> int:
        self.asked.append("calibrate")
        return 1


def coefficients() -> Coefficients:
    # The fit's names come in an order of their own.
    return Coefficients(("jawOpen", "eyeBlinkLeft", "tongueOut"), np.ones(3), Neutrals(ExpressionConfig()))


def read(reader: HeadAndFit, *expression: float, seen: bool = True) -> list[float]:
    fit = FaceFit(
        Pose(np.eye(3), np.zeros(3), True), np.zeros(40), np.array(expression), 0.0, np.zeros((68, 3)),
        np.zeros((3, 4)), 1.0,
    )  # fmt: skip
    landmarks = Landmarks(np.zeros((478, 3), np.float32), 1.0) if seen else None
    (answer,) = reader(FRAME, [Track("f1", Roi(0, 0, 9, 9), landmarks, fresh=False)], [fit])
    assert answer.names == NAMES
    return list(answer.values)


def test_where_both_say_something_it_is_their_mean() -> None:
    assert read(HeadAndFit(Said(), coefficients()), 0.4, 0.0, 0.3) == pytest.approx([0.8, 0.6, 0.4])


def test_where_facemesh_sees_no_face_the_head_answers_alone() -> None:
    assert read(HeadAndFit(Said(), coefficients()), 0.4, 0.0, 0.3, seen=False) == pytest.approx([0.8, 0.8, 0.8])


def test_without_arkits_basis_the_head_answers_alone() -> None:
    assert read(HeadAndFit(Said(), None), 0.4) == pytest.approx([0.8, 0.8, 0.8])


def test_both_learn_and_forget_a_rest() -> None:
    head = Said()
    reader = HeadAndFit(head, coefficients())
    read(reader, 0.4, 0.0, 0.3)
    assert reader.calibrate() == 1
    assert read(reader, 0.4, 0.0, 0.3) == pytest.approx([0.8, 0.4, 0.4])
    reader.keep([])
    assert read(reader, 0.4, 0.0, 0.3) == pytest.approx([0.8, 0.6, 0.4])
    reader.reset()
    assert head.asked == ["calibrate", "keep []", "reset"]


def test_the_heads_names_are_the_open_models() -> None:
    assert ExpressionHead().names == open_face_model("open").expression_names
