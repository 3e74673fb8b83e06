"""Assignment with the least cost: compared with SciPy's."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from face_expr_ros.core.assignment import least_cost_pairs


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (3, 3), (4, 9), (9, 4), (16, 16)])
def test_the_total_cost_is_the_least(shape: tuple[int, int]):
    random = np.random.default_rng(sum(shape))
    for _ in range(30):
        cost = random.normal(size=shape)
        assert least_cost_pairs(cost) == list(zip(*map(np.ndarray.tolist, linear_sum_assignment(cost)), strict=True))


@pytest.mark.parametrize("shape", [(3, 3), (4, 6), (7, 5)])
def test_equal_costs_give_a_valid_assignment(shape: tuple[int, int]):
    random = np.random.default_rng(3)
    for _ in range(30):
        cost = random.integers(0, 3, shape).astype(float)
        pairs = least_cost_pairs(cost)
        rows, columns = zip(*pairs, strict=True)
        assert len(set(rows)) == len(set(columns)) == len(pairs) == min(shape)
        assert sum(cost[pair] for pair in pairs) == cost[linear_sum_assignment(cost)].sum()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_nothing_is_paired_with_nothing(shape: tuple[int, int]):
    assert least_cost_pairs(np.zeros(shape)) == []


@pytest.mark.parametrize("cost", [np.zeros(3), np.array([[np.nan]]), np.array([[np.inf, 1.0]])])
def test_a_cost_that_is_not_finite_is_refused(cost: np.ndarray):
    with pytest.raises(ValueError, match="finite matrix"):
        least_cost_pairs(cost)
