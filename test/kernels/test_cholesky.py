"""The partial Cholesky factorization against NumPy's whole one and its Schur complement."""

from __future__ import annotations

import re

import numpy as np
import pytest

from face_expr_ros.core.types import FloatArray
from face_expr_ros.kernels.cholesky import completed, eliminated, partial_cholesky


def positive_definite(size: int) -> FloatArray:
    columns = np.random.default_rng(size).normal(size=(size + 5, size))
    return columns.T @ columns


@pytest.mark.parametrize(("size", "count"), [(1, 0), (1, 1), (5, 0), (5, 2), (5, 5), (99, 47)])
def test_the_blocks_are_factor_solution_and_schur_complement(size: int, count: int) -> None:
    matrix = positive_definite(size)
    found = partial_cholesky(matrix, count)
    first, mixed, rest = matrix[:count, :count], matrix[:count, count:], matrix[count:, count:]
    factor = np.linalg.cholesky(first)
    assert np.triu(found[:count, :count]) == pytest.approx(factor.T)
    assert found[:count, count:] == pytest.approx(np.linalg.solve(factor, mixed))
    complement = rest - mixed.T @ np.linalg.solve(first, mixed)
    assert np.triu(found[count:, count:]) == pytest.approx(np.triu(complement), abs=1e-9)


def test_the_input_matrix_is_not_modified() -> None:
    matrix = positive_definite(6)
    before = matrix.copy()
    partial_cholesky(matrix, 3)
    np.testing.assert_array_equal(matrix, before)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan])
def test_an_undetermined_unknown_is_named_in_the_error(bad: float) -> None:
    matrix = np.diag([1.0, 2.0, bad, 3.0])
    with pytest.raises(np.linalg.LinAlgError, match="unknown 2 is not determined"):
        partial_cholesky(matrix, 3)


@pytest.mark.parametrize(("shape", "count"), [((3, 4), 1), ((3,), 1), ((3, 3), 4), ((3, 3), -1)])
def test_a_non_square_matrix_or_an_invalid_count_is_rejected(shape: tuple[int, ...], count: int) -> None:
    with pytest.raises(ValueError, match=re.escape(f"got {shape} and {count}")):
        partial_cholesky(np.ones(shape), count)


@pytest.mark.parametrize(("size", "count"), [(0, 0), (1, 0), (1, 1), (5, 0), (5, 2), (5, 5), (6, 1), (99, 47)])
def test_elimination_gives_the_solution_of_the_whole_system(size: int, count: int) -> None:
    matrix, right = positive_definite(size), np.random.default_rng(size).normal(size=size)
    factor = partial_cholesky(matrix, count)
    values = eliminated(factor, count, right)
    upper, mixed = np.triu(factor[:count, :count]), factor[:count, count:]
    first = np.linalg.solve(upper.T, right[:count])
    assert values == pytest.approx(np.concatenate([first, right[count:] - mixed.T @ first]))
    if count < size:
        values[count:] = np.linalg.solve(factor[count:, count:], values[count:])
    assert completed(factor, count, values) == pytest.approx(np.linalg.solve(matrix, right))


def test_substitution_does_not_modify_its_input() -> None:
    factor, right = partial_cholesky(positive_definite(4), 2), np.arange(4.0)
    for substitute in (eliminated, completed):
        substitute(factor, 2, right)
        assert right.tolist() == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(("count", "size"), [(-1, 3), (4, 3), (2, 2), (2, 4)])
def test_a_count_or_vector_that_does_not_match_is_rejected(count: int, size: int) -> None:
    for substitute in (eliminated, completed):
        with pytest.raises(ValueError, match="expected a matrix"):
            substitute(np.eye(3), count, np.ones(size))
