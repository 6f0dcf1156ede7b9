"""Small evaluations made by hand: rankings whose measures can be worked out on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rerank_lab.core.types import Query, Ranking, Status, Trace
from rerank_lab.evaluation.experiments import Cell, Design, Evaluation, Failure, score

FAILURE = Failure("backend_error", "The model broke.", "Try another.")


def evaluation(
    places: Mapping[str, Sequence[int | None]],
    *,
    measures: Sequence[str] = ("RR@10", "nDCG@10"),
    judged: bool = True,
    unasked: tuple[str, ...] = (),
    gap: str = "-",
) -> Evaluation:
    """`places` gives, by pipeline and query, the rank of the only relevant document.

    0: it is not found. None: the pipeline failed. A shorter list: the rest was not asked yet.
    """
    count = max(map(len, places.values()))
    queries = tuple(Query(f"q{n}", f"question {n}") for n in range(count))
    qrels = {query.id: {"right": 1} for query in queries} if judged else {}
    design = Design(
        "0123456789abcdef", "hand made", "hash", tuple(places), queries, qrels, tuple(measures),
        unasked, "2026-11-21T00:00:00+00:00",
    )  # fmt: skip
    cells = [
        _cell(query, spec, place, gap)
        for spec, row in places.items()
        for query, place in zip(queries, row, strict=False)
    ]
    return score(design, cells)


def _cell(query: Query, spec: str, place: int | None, gap: str) -> Cell:
    if place is None:
        return Cell(query.id, spec, Status.FAILED, failure=FAILURE)
    ids = [f"wrong{gap}{n}" for n in range(9)]
    if place:
        ids.insert(place - 1, "right")
    trace = Trace(compute_s=0.1 * (1 + int(query.id[1:]) % 2), load_s=5.0)
    return Cell(query.id, spec, Status.OK, Ranking.from_order(query.id, ids), trace)
