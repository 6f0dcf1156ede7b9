"""What an LLM judge's errors do to the difference between two pipelines.

The judge's confusion with people says how people would have graded what only it graded. Their
grades are drawn from it again and again, and the difference is measured by each draw: the spread of
these is the part of the difference that nobody can tell from the judge's errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.types import Qrels, Ranking
from rerank_lab.evaluation.measures import measure as measured
from rerank_lab.judging.llm_judge.trust import LEVEL, JudgeTrust

SAMPLES = 200
_PRIOR = 0.5
"""Added to each count (Jeffreys): what was never observed is not impossible."""

Chances = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class JudgeError:
    """The difference of a measure between two pipelines, and how far the judge's errors reach.

    Attributes:
        observed: the difference by the judge's grades as they are.
        expected: its mean when people's grades are drawn in place of the judge's.
        low, high: where 95 % of the drawn differences lie.
        same_sign: the share of draws in which the same pipeline is ahead.
        drawn: grades that only the judge gave, each drawn anew.
    """

    measure: str
    observed: float
    expected: float
    low: float
    high: float
    same_sign: float
    drawn: int
    samples: int

    @property
    def covers_zero(self) -> bool:
        """Whether the difference is smaller than the judge's error."""
        return self.low <= 0.0 <= self.high

    @property
    def sentence(self) -> str:
        """For people."""
        where = f"{self.observed:+.3f} {self.measure}, [{self.low:+.3f}, {self.high:+.3f}] when "
        where += f"the judge's errors on {self.drawn:,} labels are reckoned with"
        if self.covers_zero:
            return f"The difference is smaller than the judge's error: {where}."
        return f"The difference is larger than the judge's error: {where}."

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return {
            "measure": self.measure,
            "observed": self.observed,
            "expected": self.expected,
            "interval": [self.low, self.high],
            "same_sign": self.same_sign,
            "labels_drawn": self.drawn,
            "samples": self.samples,
            "smaller_than_judge_error": self.covers_zero,
        }


def judge_error(
    trust: JudgeTrust,
    human: Qrels,
    llm: Qrels,
    runs: tuple[Mapping[str, Ranking], Mapping[str, Ranking]],
    measure: str = "nDCG@10",
    *,
    samples: int = SAMPLES,
    seed: int = 0,
) -> JudgeError:
    """Whether a difference holds when the judge errs as it did beside people.

    Args:
        trust: The judge's comparison with people.
        human: Grades of people; they stand as they are.
        llm: Grades of the judge, used where people gave none.
        runs: Rankings by query id of the first and the second pipeline; the difference is second
            less first.
        measure: A name as in ir_measures.
        samples: How often grades are drawn.
        seed: Of the draws: same input, same interval.

    Raises:
        InvalidInput: the measure has no such name, or no ranked query is judged.
    """
    merged, only_llm = _merged(human, llm)
    observed = _difference(merged, runs, measure)
    generator = np.random.default_rng(seed)
    values = [
        _difference(_redrawn(merged, only_llm, trust, generator), runs, measure)
        for _ in range(samples if only_llm else 1)
    ]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return JudgeError(
        measure,
        observed,
        float(np.mean(values)),
        float(low),
        float(high),
        float(np.mean([np.sign(value) == np.sign(observed) for value in values])),
        len(only_llm),
        len(values),
    )


def _merged(human: Qrels, llm: Qrels) -> tuple[Qrels, list[tuple[str, str, int]]]:
    """The judgments with people's grades first, and those that only the judge gave."""
    only_llm = [
        (query_id, doc_id, grade)
        for query_id, grades in llm.items()
        for doc_id, grade in grades.items()
        if doc_id not in human.get(query_id, {})
    ]
    merged = {
        query_id: {**llm.get(query_id, {}), **human.get(query_id, {})}
        for query_id in dict.fromkeys((*human, *llm))
    }
    return merged, only_llm


def _redrawn(
    merged: Qrels,
    only_llm: list[tuple[str, str, int]],
    trust: JudgeTrust,
    generator: np.random.Generator,
) -> Qrels:
    """The judgments with a grade of people drawn in place of each that only the judge gave.

    The chances are drawn as well, as a few compared documents do not tell them exactly.
    """
    chances = _chances(trust, generator)
    qrels = {query_id: dict(grades) for query_id, grades in merged.items()}
    places = generator.random(len(only_llm))
    for (query_id, doc_id, grade), place in zip(only_llm, places, strict=True):
        column = chances.get(grade)
        if column is not None:
            index = min(int(np.searchsorted(column, place, side="right")), len(column) - 1)
            qrels[query_id][doc_id] = trust.grades[index]
    return qrels


def _chances(trust: JudgeTrust, generator: np.random.Generator) -> Mapping[int, Chances]:
    """By the judge's grade, the cumulative chances of people's grades, ascending."""
    table = np.asarray(trust.confusion, dtype=np.float64)
    return {
        grade: np.cumsum(generator.dirichlet(table[:, place] + _PRIOR))
        for place, grade in enumerate(trust.grades)
    }


def _difference(
    qrels: Qrels, runs: tuple[Mapping[str, Ranking], Mapping[str, Ranking]], measure: str
) -> float:
    first, second = (measured(qrels, run, [measure]).measures[measure] for run in runs)
    return second - first
