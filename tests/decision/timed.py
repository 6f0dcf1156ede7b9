"""Small evaluations whose ranks and times are stated by pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rerank_lab.core.types import Trace
from rerank_lab.evaluation.experiments import Evaluation, score
from tests.views.evaluations import evaluation


def timed(
    places: Mapping[str, Sequence[int | None]], seconds: Mapping[str, float], backend: str = ""
) -> Evaluation:
    """`places` as in `evaluation`; each query takes a little more than the one before it."""
    plain = evaluation(places)
    cells = [
        replace(
            cell,
            trace=Trace(
                compute_s=seconds[cell.pipeline] * (1 + int(cell.query_id[1:]) / 1000),
                backend=backend,
            ),
        )
        if cell.answered
        else cell
        for cell in plain.cells.values()
    ]
    return score(plain.design, cells)
