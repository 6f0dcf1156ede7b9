"""Which precision a converted model runs in: int8 where its order survives, else full."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from rerank_lab.core.context import Context
from rerank_lab.models.convert import quantisation
from rerank_lab.models.convert.conversion import Conversion
from rerank_lab.models.convert.samples import Feed

INT8, FULL = "int8.onnx", "full.onnx"

Scores = list[list[float]]
"""Of each question, the scores of its texts."""


def int8_or_full(
    work: Path,
    samples: Sequence[Feed],
    scores_of: Callable[[Path], Scores],
    exact: Scores,
    ctx: Context,
    least_tau: float,
    largest_difference: float = float("inf"),
    first_token: bool = False,
) -> Conversion:
    """Quantise `work / FULL`, and keep the one of both that orders as the model itself does.

    Args:
        work: The folder of both files; the one that is not used is removed.
        samples: Texts by which the size of channels is measured.
        scores_of: Scores of the probe texts by the graph in this file.
        exact: Those of the model itself.
        ctx: Cancel and deadline.
        least_tau: Kendall's tau to `exact` below which a graph is not used.
        largest_difference: Of one score, in full precision.
        first_token: Whether the last layer is computed for the first token only.
    """
    full, int8 = work / FULL, work / INT8
    quantisation.quantise(full, int8, samples)
    ctx.checkpoint()
    int8_tau, int8_difference = compare(scores_of(int8), exact)
    count = sum(len(row) for row in exact)
    if int8_tau >= least_tau:
        full.unlink()
        return Conversion(
            "int8", int8_tau, int8_difference, int8_tau, count, first_token=first_token
        )
    int8.unlink()
    ctx.checkpoint()
    reason = f"its order differs from full precision, Kendall tau {int8_tau:.3f}"
    tau, difference = compare(scores_of(full), exact)
    if tau >= least_tau and difference <= largest_difference:
        return Conversion("fp32", tau, difference, int8_tau, count, reason, first_token)
    full.unlink()
    reason = f"the exported graph differs from the model, Kendall tau {tau:.3f}"
    return Conversion("none", tau, difference, int8_tau, count, reason)


def compare(
    scores: Sequence[Sequence[float]], exact: Sequence[Sequence[float]]
) -> tuple[float, float]:
    """Mean Kendall tau-a over the questions, and the largest difference of one score.

    Pairs whose exact scores are equal do not count.
    """
    taus, largest = [], 0.0
    for ours, theirs in zip(scores, exact, strict=True):
        a, b = np.asarray(ours), np.asarray(theirs)
        largest = max(largest, float(np.abs(a - b).max(initial=0.0)))
        upper = np.triu_indices(len(a), 1)
        sign_a = np.sign(np.subtract.outer(a, a)[upper])
        sign_b = np.sign(np.subtract.outer(b, b)[upper])
        if np.any(sign_b):
            taus.append(float((sign_a * sign_b).sum() / np.abs(sign_b).sum()))
    return (float(np.mean(taus)) if taus else 0.0), largest
