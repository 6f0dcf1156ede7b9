"""Measures by tag of the queries, where pipelines change places, and means with weights.

Everything stands on the queries that all pipelines answered. P-values are Holm-corrected over the
whole table: every tag and pipeline of a group, or every pair of pipelines and tag for crossovers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import msgspec
import numpy as np

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.evaluation.experiments.evaluation import Evaluation
from rerank_lab.evaluation.query_tags import TagGroup, own_weights, tag_groups
from rerank_lab.evaluation.statistics import (
    Floats,
    Paired,
    Settings,
    Values,
    against,
    bootstrap_interval,
    holm,
    mean_interval,
    randomisation_test,
    randomisation_tests,
)

ENOUGH = 10
"""A tag with fewer queries says hardly anything: intervals from so few cover too seldom."""
MOST_CROSSOVERS = 5
_SETTINGS = Settings()


@dataclass(frozen=True, slots=True)
class TagMean:
    """The mean of a measure for one pipeline, with its interval; None for fewer than two."""

    pipeline: str
    measure: str
    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class TagResult:
    """The queries of one tag. `comparisons` are of the pipelines with the baseline."""

    tag: str
    queries: int
    means: tuple[TagMean, ...]
    comparisons: tuple[Paired, ...]

    @property
    def enough(self) -> bool:
        """Whether there are queries enough to say anything of the tag."""
        return self.queries >= ENOUGH


@dataclass(frozen=True, slots=True)
class Crossover:
    """`a` is ahead of `b` on the queries of one tag, and behind on those of another.

    `lead` and `deficit` are mean a - mean b there, the one above 0 and the other below; their
    p-values are corrected for all pairs and tags that were looked at.
    """

    a: str
    b: str
    ahead: str
    behind: str
    lead: float
    deficit: float
    p_lead: float
    p_deficit: float

    def shown(self, alpha: float = 0.05) -> bool:
        """Whether both are more than chance."""
        return max(self.p_lead, self.p_deficit) < alpha


@dataclass(frozen=True, slots=True)
class ByTag:
    """An evaluation by the tags of one group, compared by `measure` with `baseline`.

    `untagged` counts the queries that have no tag of the group. `crossovers` are the largest, among
    tags with enough queries; pipelines that change places nowhere have none.
    """

    group: str
    measure: str
    baseline: str
    tags: tuple[TagResult, ...]
    untagged: int
    crossovers: tuple[Crossover, ...]

    def to_json(self) -> dict[str, Any]:
        """Its fields by name; for each tag also whether it has enough queries."""
        written: dict[str, Any] = msgspec.to_builtins(self)
        for tag, result in zip(written["tags"], self.tags, strict=True):
            tag["enough"] = result.enough
        for crossover, one in zip(written["crossovers"], self.crossovers, strict=True):
            crossover["shown"] = one.shown()
        return written


@dataclass(frozen=True, slots=True)
class WeightedMean:
    """A mean over queries that count by their weights, and its difference to the baseline.

    `effective` is how many equally heavy queries would say as much (Kish, 1965). The baseline's
    own difference is 0 and has no interval.
    """

    pipeline: str
    mean: float
    difference: float
    low: float | None
    high: float | None
    p_holm: float | None
    queries: int
    effective: float


def groups_of(evaluation: Evaluation) -> tuple[TagGroup, ...]:
    """The groups of the queries that all pipelines answered; first those that can say something.

    That is, those with two tags that have enough queries.
    """
    common = set(evaluation.common)
    groups = tag_groups([query for query in evaluation.design.queries if query.id in common])
    return tuple(sorted(groups, key=lambda group: _large_tags(group) < 2))


def by_tag(
    evaluation: Evaluation,
    group: str = "",
    primary: str = "",
    baseline: str = "",
    measures: Sequence[str] = (),
    settings: Settings = _SETTINGS,
    ctx: Context | None = None,
) -> ByTag:
    """The evaluation by the tags of a group; the first group for "".

    Args:
        primary: the measure that pipelines are compared by; the first for an unknown name.
        baseline: the pipeline that others are compared with; the first for an unknown one.
        measures: those whose means are given; the primary alone by default.

    Raises:
        InvalidInput: the queries have no such group.
    """
    primary, baseline = evaluation.compared_by(primary, baseline)
    groups = {one.name: one for one in groups_of(evaluation)}
    chosen = groups.get(group or next(iter(groups), ""))
    if chosen is None:
        known = ", ".join(groups) or "none"
        raise InvalidInput(
            f"These queries are not grouped by {group!r}." if group else "Nothing groups these.",
            hint=f"Their groups: {known}. A column of the query file that repeats makes one.",
        )
    values = _values(evaluation, primary)
    every = {name: values if name == primary else _values(evaluation, name)
             for name in dict.fromkeys(measures or (primary,))}  # fmt: skip
    tags: list[TagResult] = []
    for tag, query_ids in chosen.tags.items():
        if ctx is not None:
            ctx.checkpoint()
            ctx.report(f"comparing on {tag}", len(tags), len(chosen.tags))
        means = tuple(_means(every, query_ids, settings))
        compared = (
            against(baseline, _only(values, query_ids), settings) if baseline in values else ()
        )
        tags.append(TagResult(tag, len(query_ids), means, tuple(compared)))
    tagged = {query_id for query_ids in chosen.tags.values() for query_id in query_ids}
    return ByTag(
        chosen.name,
        primary,
        baseline,
        _corrected(tags),
        len(evaluation.common) - len(tagged),
        crossovers(values, chosen, settings),
    )


def crossovers(
    values: Mapping[str, Values], group: TagGroup, settings: Settings = _SETTINGS
) -> tuple[Crossover, ...]:
    """Where two pipelines change places between tags with enough queries, the largest first.

    Its size is that of the smaller of the two differences; one a pair of pipelines.
    """
    tags = {tag: ids for tag, ids in group.tags.items() if len(ids) >= ENOUGH}
    pairs = list(combinations(values, 2))
    if len(tags) < 2 or not pairs:
        return ()
    columns = [_deltas(values, pairs, query_ids) for query_ids in tags.values()]
    means = np.array([deltas.mean(axis=0) for deltas in columns])
    tests = (p for deltas in columns for p in randomisation_tests(deltas, settings))
    p_values = [p for p in tests if p is not None]
    corrected = np.array(holm(p_values)).reshape(means.shape)
    names = list(tags)
    crossings = []
    for place, (a, b) in enumerate(pairs):
        best, worst = int(means[:, place].argmax()), int(means[:, place].argmin())
        lead, deficit = float(means[best, place]), float(means[worst, place])
        if lead > settings.tolerance and deficit < -settings.tolerance:
            p_lead, p_deficit = (float(corrected[tag, place]) for tag in (best, worst))
            crossings.append(
                Crossover(a, b, names[best], names[worst], lead, deficit, p_lead, p_deficit)
            )
    crossings.sort(key=lambda one: (not one.shown(), -min(one.lead, -one.deficit)))
    return tuple(crossings[:MOST_CROSSOVERS])


def weighted_means(
    evaluation: Evaluation,
    weights: Mapping[str, float],
    primary: str = "",
    baseline: str = "",
    settings: Settings = _SETTINGS,
) -> tuple[WeightedMean, ...]:
    """Each pipeline's mean over the queries with a weight, and how it compares with the baseline.

    The test flips the signs of weighted differences; the interval draws weights with their values.

    Args:
        weights: query id -> weight, above 0; such as those of `TagGroup.weights` or `own_weights`.
    """
    primary, baseline = evaluation.compared_by(primary, baseline)
    values = _values(evaluation, primary)
    query_ids = [query_id for query_id in evaluation.common if weights.get(query_id, 0.0) > 0]
    if not query_ids or baseline not in values:
        return ()
    heavy = np.array([weights[query_id] for query_id in query_ids])
    heavy /= heavy.mean()
    base = np.array([values[baseline][query_id] for query_id in query_ids])
    means = [
        _weighted(name, np.array([of_query[q] for q in query_ids]), base, heavy, settings)
        for name, of_query in values.items()
    ]
    tested = [one.pipeline != baseline and one.p_holm is not None for one in means]
    corrected = iter(holm([one.p_holm or 0.0 for one, t in zip(means, tested, strict=True) if t]))
    return tuple(
        replace(one, p_holm=next(corrected)) if t
        else replace(one, low=None, high=None, p_holm=None)
        for one, t in zip(means, tested, strict=True)
    )  # fmt: skip


def column_weights(evaluation: Evaluation) -> dict[str, float]:
    """The weights that the queries bring along in a column `weight`; {} without one."""
    return own_weights(evaluation.design.queries)


def _large_tags(group: TagGroup) -> int:
    return sum(len(query_ids) >= ENOUGH for query_ids in group.tags.values())


def _weighted(
    name: str, values: Floats, base: Floats, weights: Floats, settings: Settings
) -> WeightedMean:
    """`p_holm` is not corrected yet."""
    deltas = values - base
    low, high = bootstrap_interval(deltas, settings, weights)
    return WeightedMean(
        name,
        float((weights * values).mean()),
        float((weights * deltas).mean()),
        low,
        high,
        randomisation_test(weights * deltas, settings),
        len(values),
        float(weights.sum() ** 2 / (weights**2).sum()),
    )


def _values(evaluation: Evaluation, measure: str) -> dict[str, dict[str, float]]:
    """By pipeline, the values on the common queries; pipelines without any are left out."""
    values = {
        spec: evaluation.values(spec, measure, common=True) for spec in evaluation.design.pipelines
    }
    return {spec: by_query for spec, by_query in values.items() if by_query}


def _only(values: Mapping[str, Values], query_ids: Sequence[str]) -> dict[str, Values]:
    return {name: {q: by_query[q] for q in query_ids} for name, by_query in values.items()}


def _deltas(
    values: Mapping[str, Values], pairs: Sequence[tuple[str, str]], query_ids: Sequence[str]
) -> Floats:
    """Shape (queries, pairs): value of a - value of b."""
    columns = {name: np.array([by_query[q] for q in query_ids])
               for name, by_query in values.items()}  # fmt: skip
    return np.stack([columns[a] - columns[b] for a, b in pairs], axis=1)


def _means(
    every: Mapping[str, Mapping[str, Values]], query_ids: Sequence[str], settings: Settings
) -> list[TagMean]:
    means = []
    for measure, values in every.items():
        for pipeline, by_query in values.items():
            column = np.array([by_query[query_id] for query_id in query_ids], dtype=np.float64)
            low, high = mean_interval(column, settings)
            means.append(TagMean(pipeline, measure, float(column.mean()), low, high))
    return means


def _corrected(tags: Sequence[TagResult]) -> tuple[TagResult, ...]:
    """With p-values corrected over all tags and pipelines at once."""
    p_values = [one.p for tag in tags for one in tag.comparisons if one.p is not None]
    corrected = iter(holm(p_values))
    return tuple(
        replace(
            tag,
            comparisons=tuple(
                one if one.p is None else replace(one, p_holm=next(corrected))
                for one in tag.comparisons
            ),
        )
        for tag in tags
    )
