"""The Bradley-Terry model with ties of Davidson (JASA 65, 1970), fitted for many samples at once.

Pipelines i and j with strengths s_i and s_j (log-odds) meet. With t for how common ties are,

    P(i wins) : P(tie) : P(j wins)  =  exp(s_i) : exp(t + (s_i + s_j) / 2) : exp(s_j)

Without ties this is the model of Bradley and Terry (Biometrika 39, 1952). Each pipeline begins with
one virtual battle against an opponent of strength 0, shared out evenly among won, tied and lost.
That keeps a pipeline that never lost from being infinitely strong, much as half a count added to
each cell does for log-odds (Anscombe, Biometrika 43, 1956), and is outweighed by a few real votes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.errors import ContractViolation

Floats = NDArray[np.float64]
OUTCOMES = 3
"""Outcomes of a battle: the first wins, a tie, the second wins."""
_VIRTUAL = 1 / OUTCOMES
_STEPS, _LONGEST_STEP, _CLOSE = 200, 1.0, 1e-7


@dataclass(frozen=True)
class DavidsonDesign:
    """Which pipelines meet in which pairs.

    Attributes:
        size: the number of pipelines.
        pairs: shape [n_pairs, 2], indices of pipelines.
    """

    size: int
    pairs: NDArray[np.intp]

    @cached_property
    def cells(self) -> Floats:
        """Exponent of each outcome by parameter: [n_pairs + size, OUTCOMES, size + 1].

        The rows behind the pairs are the virtual battles. The last parameter is of ties.
        """
        count = len(self.pairs)
        cells = np.zeros((count + self.size, OUTCOMES, self.size + 1))
        rows = np.arange(count)
        cells[rows, 0, self.pairs[:, 0]] = 1
        cells[rows, 2, self.pairs[:, 1]] = 1
        own = np.arange(self.size)
        cells[count + own, 0, own] = 1
        cells[:, 1, :] = cells[:, [0, 2], :].mean(axis=1)
        cells[:, 1, -1] = 1
        return cells


def fit(design: DavidsonDesign, counts: Floats) -> Floats:
    """The parameters that make these votes most likely, by Newton's method.

    The likelihood is concave in them, so that there is one answer, whatever the order of votes.

    Args:
        counts: votes by outcome, shape [n_samples, n_pairs, OUTCOMES]; fractions are allowed.

    Returns:
        Strengths and, last, the parameter of ties: [n_samples, size + 1].

    Raises:
        ContractViolation: the method did not settle.
    """
    counts = _with_virtual(design, counts)
    parameters = np.zeros((len(counts), design.size + 1))
    open_samples = np.arange(len(counts))
    for _ in range(_STEPS):
        gradient, information = _derivatives(design, counts[open_samples], parameters[open_samples])
        steps = np.linalg.solve(information, gradient[..., None])[..., 0]
        longest = np.abs(steps).max(axis=1, keepdims=True)
        parameters[open_samples] += steps * np.minimum(
            1, _LONGEST_STEP / np.maximum(longest, 1e-12)
        )
        open_samples = open_samples[longest[:, 0] > _CLOSE]
        if not len(open_samples):
            return parameters
    raise ContractViolation(
        "The ratings of the arena did not settle.", hint="Report it with the votes (arena export)."
    )


def covariance(design: DavidsonDesign, counts: Floats, parameters: Floats) -> Floats:
    """How far one sample's parameters may be off if all votes are independent.

    Args:
        counts: [n_pairs, OUTCOMES].
        parameters: [size + 1], as `fit` gives them.

    Returns:
        The inverse of the observed information, [size + 1, size + 1].
    """
    weighted = _with_virtual(design, counts[None])
    _, information = _derivatives(design, weighted, parameters[None])
    inverse: Floats = np.linalg.inv(information[0])
    return inverse


def outcome_probabilities(first: float, second: float, ties: float) -> tuple[float, float, float]:
    """The chances that the first wins, that it is a tie, and that the second wins."""
    exponents = np.array([first, ties + (first + second) / 2, second])
    weights = np.exp(exponents - exponents.max())
    win, tie, loss = weights / weights.sum()
    return float(win), float(tie), float(loss)


def _with_virtual(design: DavidsonDesign, counts: Floats) -> Floats:
    virtual = np.full((len(counts), design.size, OUTCOMES), _VIRTUAL)
    return np.concatenate([counts, virtual], axis=1)


def _derivatives(
    design: DavidsonDesign, counts: Floats, parameters: Floats
) -> tuple[Floats, Floats]:
    """Gradient [n, p] and information [n, p, p] of the log-likelihood at the parameters [n, p]."""
    cells, (n_cells, _, size) = design.cells, design.cells.shape
    flat = cells.reshape(-1, size)
    exponents = (parameters @ flat.T).reshape(-1, n_cells, OUTCOMES)
    weights = np.exp(exponents - exponents.max(axis=2, keepdims=True))
    probabilities = weights / weights.sum(axis=2, keepdims=True)
    battles = counts.sum(axis=2)[..., None]
    expected = probabilities * battles
    gradient = (counts - expected).reshape(len(counts), -1) @ flat
    squares = (flat[:, :, None] * flat[:, None, :]).reshape(-1, size * size)
    second = (expected.reshape(len(counts), -1) @ squares).reshape(-1, size, size)
    means = np.matmul(probabilities.transpose(1, 0, 2), cells).transpose(1, 0, 2)
    information = second - np.matmul((battles * means).transpose(0, 2, 1), means)
    return gradient, information
