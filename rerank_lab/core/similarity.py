"""How alike two rankings are: overlap at k, rank-biased overlap, Kendall's tau.

All of these are pure functions of two rankings of the same query. Documents with equal scores are
tied: they share the first rank of their group, whatever order they are shown in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Ranking

Order = Ranking | Sequence[str]
"""A ranking, or plain document ids, best first, without ties."""


def overlap_at(a: Order, b: Order, k: int) -> float | None:
    """The share of the first `k` documents that both have, 0 to 1; None when both are empty.

    Over k, or over the longer list where both are shorter than k. Ties across rank k fall as shown.
    """
    head_a, head_b = _ids(a)[: _at_least_one(k)], _ids(b)[:k]
    longest = max(len(head_a), len(head_b))
    return len(set(head_a) & set(head_b)) / longest if longest else None


def rbo(a: Order, b: Order, p: float = 0.9) -> float | None:
    """Extrapolated rank-biased overlap, 0 (nothing in common) to 1 (same order); None when empty.

    `p` in (0, 1) is the chance to read one rank further: at 0.9 the first 10 ranks carry 86 % of
    the weight. Lists may differ in length and content; what lies below their ends is taken to
    agree as much as what was seen. RBO_ext, with tied documents at the same rank, of Webber,
    Moffat and Zobel, "A similarity measure for indefinite rankings", ACM TOIS 28(4), 2010.
    """
    if not 0 < p < 1:
        raise InvalidInput(f"p must lie between 0 and 1, not {p:g}.", hint="0.9 is usual.")
    ranks = sorted((tied_ranks(a), tied_ranks(b)), key=len)
    short, long = len(ranks[0]), len(ranks[1])
    if not short:
        return None
    shared = [max(ranks[0][d], ranks[1][d]) for d in ranks[0].keys() & ranks[1].keys()]
    common = _cumulative(shared, long)
    sizes = [_cumulative(list(by_document.values()), long) for by_document in ranks]
    depth = np.arange(1, long + 1, dtype=np.float64)
    below = np.maximum(depth - short, 0.0)
    at_end = 2 * common[short - 1] / (sizes[0][short - 1] + sizes[1][short - 1])
    agreement = 2 * (common + below * at_end) / (np.minimum(sizes[0], short) + below + sizes[1])
    weights = (1 - p) / p * p**depth
    return float(min(1.0, weights @ agreement + agreement[-1] * p**long))


def kendall_tau(a: Order, b: Order) -> float | None:
    """Kendall's tau-b over the documents that both have, -1 (reversed) to 1 (same order).

    None when fewer than two are shared, or when one side ties all of them: then it is undefined.
    tau-b, which corrects for ties, is of Kendall, "The treatment of ties in ranking problems",
    Biometrika 33(3), 1945.
    """
    ranks_a, ranks_b = tied_ranks(a), tied_ranks(b)
    shared = [doc_id for doc_id in ranks_a if doc_id in ranks_b]
    if len(shared) < 2:
        return None
    x = np.array([ranks_a[doc_id] for doc_id in shared], dtype=np.int64)
    y = np.array([ranks_b[doc_id] for doc_id in shared], dtype=np.int64)
    agree = decided_x = decided_y = 0
    for i in range(len(shared) - 1):
        step_x, step_y = np.sign(x[i + 1 :] - x[i]), np.sign(y[i + 1 :] - y[i])
        agree += int(step_x @ step_y)
        decided_x += int(np.count_nonzero(step_x))
        decided_y += int(np.count_nonzero(step_y))
    if not decided_x or not decided_y:
        return None
    return float(agree / np.sqrt(float(decided_x) * float(decided_y)))


def tied_ranks(order: Order) -> Mapping[str, int]:
    """Document id -> rank, where documents with equal scores share their group's first rank."""
    if not isinstance(order, Ranking):
        return {doc_id: rank for rank, doc_id in enumerate(order, 1)}
    ranks: dict[str, int] = {}
    first, previous = 1, None
    for hit in order.hits:
        if hit.score is None or hit.score != previous:
            first = hit.rank
        previous = hit.score
        ranks[hit.doc_id] = first
    return ranks


def _ids(order: Order) -> Sequence[str]:
    return order.doc_ids if isinstance(order, Ranking) else order


def _at_least_one(k: int) -> int:
    if k < 1:
        raise InvalidInput(f"k must be at least 1, not {k}.", hint="Give a depth such as 10.")
    return k


def _cumulative(ranks: Sequence[int], depth: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """How many of `ranks` are at most d, for d = 1..depth, as float64 of shape (depth,)."""
    counts = np.bincount(np.asarray(ranks, dtype=np.int64), minlength=depth + 1)
    return np.cumsum(counts[1 : depth + 1]).astype(np.float64)
