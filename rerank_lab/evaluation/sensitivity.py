"""Does the winner depend on the measure? Other measures and cut-offs over the rankings kept.

Nothing is run again: an experiment keeps up to 1,000 documents of each ranking. All comparisons
stand on the queries that every pipeline answered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import msgspec
import numpy as np

from rerank_lab.core.context import Context
from rerank_lab.evaluation.experiments.evaluation import JUDGING_DEPTH, Evaluation
from rerank_lab.evaluation.first_stage import common_rankings
from rerank_lab.evaluation.measure_names import cutoff_of, parse_measures, tells_quality
from rerank_lab.evaluation.measures import average, measure
from rerank_lab.evaluation.statistics import Floats, Settings, holm, randomisation_tests
from rerank_lab.evaluation.unjudged import judged_at

OTHER_MEASURES = (
    "nDCG@3", "nDCG@5", "nDCG@10", "nDCG@20", "RR@10", "AP", "P@1", "P@5", "P@10", "R@5", "R@10",
    "R@50", "Success@1", "Success@5",
)  # fmt: skip
_SETTINGS = Settings()


@dataclass(frozen=True, slots=True)
class MeasureWinner:
    """Who wins by one measure.

    Attributes:
        means: by pipeline, over the common queries.
        group: the winner and those not shown to differ from it (Holm-corrected over all pairs).
        lead: the winner's mean minus the next one's; 0 for a tie.
        judged: the lowest Judged@k of any pipeline at the measure's cut-off k (10 without one).
        beyond: pipelines whose candidates are fewer than the cut-off.
    """

    measure: str
    winner: str
    means: Mapping[str, float]
    group: tuple[str, ...]
    lead: float
    judged: float
    judging_depth: int
    beyond: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Winners by several measures, that of the primary measure first."""

    queries: int
    winners: tuple[MeasureWinner, ...]

    @property
    def primary(self) -> MeasureWinner:
        """The measure that the verdict stands on."""
        return self.winners[0]

    @property
    def others(self) -> tuple[MeasureWinner, ...]:
        """The measures by which another pipeline is ahead of the winner; a tie is not ahead."""
        winner = self.primary.winner
        return tuple(
            one
            for one in self.winners
            if one.means[one.winner] - one.means[winner] > _SETTINGS.tolerance
        )

    @property
    def contradicting(self) -> tuple[MeasureWinner, ...]:
        """Those by which the primary's winner is even shown to be worse than another."""
        return tuple(one for one in self.others if self.primary.winner not in one.group)

    def to_json(self) -> dict[str, Any]:
        """`winners`, and the names of measures with another winner."""
        return {
            "queries": self.queries,
            "winners": msgspec.to_builtins(self.winners),
            "other_winner": [one.measure for one in self.others],
            "contradicting": [one.measure for one in self.contradicting],
        }


def sensitivity(
    evaluation: Evaluation,
    primary: str = "",
    measures: Sequence[str] = (),
    settings: Settings = _SETTINGS,
    ctx: Context | None = None,
) -> Sensitivity | None:
    """Who wins by each measure; None with fewer than two pipelines or queries to compare.

    Args:
        primary: the measure of the verdict; the first of the design for an unknown name.
        measures: those to look at beside it; by default those of the design and usual ones.

    Raises:
        InvalidInput: a measure does not exist or cannot be computed here.
    """
    primary = evaluation.compared_by(primary)[0]
    rankings = {spec: ranked for spec in evaluation.design.pipelines
                if (ranked := common_rankings(evaluation, spec))}  # fmt: skip
    if len(rankings) < 2 or len(evaluation.common) < 2:
        return None
    names = _names(primary, measures or (*evaluation.design.measures, *OTHER_MEASURES))
    depths = {name: cutoff_of(name) or JUDGING_DEPTH for name in names}
    qrels = {query_id: evaluation.design.qrels[query_id] for query_id in evaluation.common}
    values: dict[str, Mapping[str, Mapping[str, float]]] = {}
    for spec, ranked in rankings.items():
        if ctx is not None:
            ctx.checkpoint()
            ctx.report("measuring the kept rankings", len(values), len(rankings))
        values[spec] = measure(qrels, ranked, names).per_query
    means = {spec: average(per_query, names) for spec, per_query in values.items()}
    candidates = {spec: max(map(len, ranked.values())) for spec, ranked in rankings.items()}
    best = {name: max(means, key=lambda spec: means[spec][name]) for name in names}
    groups = _groups(values, best, settings)
    return Sensitivity(
        len(qrels),
        tuple(
            MeasureWinner(
                name,
                best[name],
                {spec: row[name] for spec, row in means.items()},
                groups[name],
                _lead({spec: row[name] for spec, row in means.items()}),
                min(judged_at(qrels, ranked, depths[name]) for ranked in rankings.values()),
                depths[name],
                tuple(spec for spec, count in candidates.items() if cutoff_of(name) > count),
            )
            for name in names
        ),
    )


def _names(primary: str, measures: Sequence[str]) -> list[str]:
    """Measures of quality, the primary first, each once."""
    names = parse_measures([primary, *measures])
    return [name for name in names if name == primary or tells_quality(name)]


def _lead(means: Mapping[str, float]) -> float:
    first, second = sorted(means.values(), reverse=True)[:2]
    return first - second


def _groups(
    values: Mapping[str, Mapping[str, Mapping[str, float]]],
    best: Mapping[str, str],
    settings: Settings,
) -> dict[str, tuple[str, ...]]:
    """By measure the winner and those not shown to differ; all tests flip the same signs."""
    pairs = list(combinations(values, 2))
    columns = [_deltas(values, (name, a, b)) for name in best for a, b in pairs]
    p_values = iter(randomisation_tests(np.stack(columns, axis=1), settings))
    groups = {}
    for name, winner in best.items():
        corrected = holm([p for _ in pairs if (p := next(p_values)) is not None])
        differing = {pair for pair, p in zip(pairs, corrected, strict=True)
                     if p <= 1 - settings.level}  # fmt: skip
        alike = (s for s in values if not {(winner, s), (s, winner)} & differing)
        groups[name] = (winner, *(spec for spec in alike if spec != winner))
    return groups


def _deltas(
    values: Mapping[str, Mapping[str, Mapping[str, float]]], pair: tuple[str, str, str]
) -> Floats:
    name, winner, other = pair
    return np.array(
        [row[name] - values[other][query_id][name] for query_id, row in values[winner].items()]
    )
