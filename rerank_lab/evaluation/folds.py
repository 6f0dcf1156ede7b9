"""Folds of queries: whatever is learned or fitted is tested on queries that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def query_folds(query_ids: Sequence[str], folds: int, seed: int) -> list[list[str]]:
    """The queries by fold, each in exactly one, by a seeded shuffle; sizes differ by one at most.

    Inside a fold the queries stand in the order given. Ids must be different.
    """
    order = np.random.default_rng(seed).permutation(len(query_ids)).tolist()
    return [[query_ids[place] for place in sorted(order[start::folds])] for start in range(folds)]
