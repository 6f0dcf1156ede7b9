"""Percentiles and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from rerank_lab.evaluation.load.percentiles import order_interval, percentile


@pytest.mark.parametrize(("n", "share"), [(59, 0.5), (200, 0.95), (1000, 0.99)])
def test_the_interval_is_the_tightest_that_the_binomial_allows(n: int, share: float) -> None:
    low, high = order_interval(n, share)
    assert low is not None
    assert high is not None
    # The low end lies above the percentile when at most `low` times lie below it.
    assert binom.cdf(low, n, share) <= 0.025 < binom.cdf(low + 1, n, share)
    assert binom.sf(high, n, share) <= 0.025 < binom.sf(high - 1, n, share)


def test_few_times_bound_no_high_percentile_from_above() -> None:
    one = percentile([0.1, 0.2, 0.3], 0.95)
    assert one is not None
    assert one.high is None
    assert percentile([], 0.95) is None


def test_the_interval_covers_the_true_percentile_at_its_level() -> None:
    generator = np.random.default_rng(0)
    true = -np.log(0.05)
    low, high = order_interval(300, 0.95)
    times = np.sort(generator.exponential(size=(2000, 300)), axis=1)
    covered = np.mean((times[:, low] <= true) & (true <= times[:, high]))
    assert 0.945 <= covered <= 0.985
