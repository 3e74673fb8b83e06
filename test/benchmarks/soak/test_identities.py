"""The check of ids against the persons who really are in view."""

from __future__ import annotations

import pytest

from face_expr_ros.benchmarks.soak.identities import FaceSighting, Identities

Result = tuple[int, list[FaceSighting], float]


def check(images: dict[int, dict[int, str]], *results: Result, disturbed: float | None = None) -> Identities:
    """The check of some results: stamp, faces, time."""
    identities = Identities("front_")
    for stamp, persons in images.items():
        identities.add_image(stamp, persons)
    for stamp, faces, now in results:
        if disturbed is not None and now >= disturbed:
            identities.disturb(disturbed)
        identities.check(stamp, faces, now)
    return identities


def face(number: int, place: int = 0) -> FaceSighting:
    return FaceSighting(f"front_f{number}", place)


PERSON_A, PERSON_B = {0: "a"}, {0: "b"}


@pytest.mark.parametrize(
    ("images", "results", "message"),
    [
        ({1: PERSON_A}, [(1, [FaceSighting("f1", 0)], 9.0)], "begins with front_f, got f1"),
        ({1: {0: "a", 1: "b"}}, [(1, [face(1), face(1, 1)], 9.0)], "an id occurs twice in one result"),
        ({1: PERSON_A, 2: PERSON_B}, [(1, [face(1)], 9.0), (2, [face(1)], 19.0)], "was the id of person a"),
        ({1: PERSON_A, 2: PERSON_A}, [(1, [face(1)], 9.0), (2, [face(2)], 9.1)], "person a, who stayed in view"),
    ],
)
def test_wrong_ids_are_found(images: dict[int, dict[int, str]], results: list[Result], message: str) -> None:
    wrong = check(images, *results).wrong
    assert message in wrong[0]


@pytest.mark.parametrize(
    ("images", "results", "disturbed"),
    [
        ({1: PERSON_A, 2: PERSON_A}, [(1, [face(1)], 9.0), (2, [face(1)], 9.1)], None),
        ({1: PERSON_A, 2: PERSON_B}, [(1, [face(1)], 9.0), (2, [face(2)], 9.1)], None),
        ({1: PERSON_A, 2: PERSON_A}, [(1, [face(1)], 9.0), (2, [face(2)], 10.5)], None),  # it was out of view
        ({1: PERSON_A, 2: PERSON_A}, [(1, [face(1)], 9.0), (2, [face(2)], 9.1)], 9.05),
        (
            {1: PERSON_A, 4_000_000_000: PERSON_A},  # the camera stood still, and both results arrive together
            [(1, [face(1)], 9.0), (4_000_000_000, [face(2)], 9.1)],
            None,
        ),
        ({1: PERSON_A}, [(1, [face(1)], 9.0), (7, [face(2)], 9.1)], None),  # of an unknown image
        ({1: PERSON_A}, [(1, [face(1)], 9.0), (1, [face(2, place=1)], 9.1)], None),  # nobody stands there
    ],
)
def test_right_ids_are_accepted(
    images: dict[int, dict[int, str]], results: list[Result], disturbed: float | None
) -> None:
    assert not check(images, *results, disturbed=disturbed).wrong


def test_a_stamp_of_images_with_other_persons_identifies_none() -> None:
    identities = Identities("front_")
    for persons in (PERSON_A, PERSON_B, PERSON_A):
        identities.add_image(5, persons)
    assert identities.has_image(5)
    identities.check(5, [face(1)], 9.0)
    identities.add_image(6, PERSON_B)
    identities.check(6, [face(1)], 9.1)
    assert not identities.wrong
    assert identities.count == 1
