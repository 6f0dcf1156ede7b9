"""Pipelines at several depths over the judged queries: run, measure, compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rerank_lab.core.context import Context
from rerank_lab.core.errors import Cancelled, LabError
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Qrels, Query, Ranking, Status
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.evaluation.depth.study import DepthCurve, DepthPoint, DepthStudy, Timing
from rerank_lab.evaluation.experiments.cells import DEEPEST
from rerank_lab.evaluation.first_stage import ideal_order
from rerank_lab.evaluation.measures import average, measure
from rerank_lab.evaluation.statistics import Paired, holm, mean_interval, paired
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.replay import DepthResults, at_depths, replayed, with_candidates
from rerank_lab.pipeline.results import Result, ranking_of

_RECALL = f"R@{DEEPEST}"
_SAME_FAILURES = 3
"""A pipeline that fails for its first so many queries is given up."""


@dataclass(frozen=True, slots=True)
class DepthDesign:
    """What is to be tried.

    Attributes:
        queries: judged ones.
        depths: growing.
        seconds_a_candidate: by pipeline, what earlier runs took; used where all scores are kept.
    """

    pipelines: tuple[PipelineSpec, ...]
    queries: tuple[Query, ...]
    qrels: Qrels
    measure: str
    depths: tuple[int, ...]
    seconds_a_candidate: Mapping[str, float] = field(default_factory=dict)

    def within(self, corpus: Corpus) -> DepthDesign:
        """Without depths beyond the first one that takes the whole corpus."""
        size = corpus.size
        if size is None:
            return self
        shallow = tuple(depth for depth in self.depths if depth < size)
        return replace(self, depths=(*shallow, *self.depths[len(shallow) :][:1]))


@dataclass(slots=True)
class _CurveValues:
    """What one pipeline came to, query by query; every mapping is by depth and query id."""

    values: dict[int, dict[str, float]]
    recalls: dict[int, dict[str, float]]
    oracles: dict[int, dict[str, float]]
    candidates: dict[int, dict[str, int]]
    seconds: dict[int, list[float]]
    failed: int = 0
    problem: str = ""

    @classmethod
    def of(cls, depths: Iterable[int]) -> _CurveValues:
        each = tuple(depths)
        return cls(
            values={depth: {} for depth in each},
            recalls={depth: {} for depth in each},
            oracles={depth: {} for depth in each},
            candidates={depth: {} for depth in each},
            seconds={depth: [] for depth in each},
        )

    @property
    def answered(self) -> set[str]:
        """The queries with a value at every depth."""
        return set.intersection(*(set(of_depth) for of_depth in self.values.values()))


def study_depth(design: DepthDesign, corpus: Corpus, ctx: Context, engine: Engine) -> DepthStudy:
    """Run every pipeline at every depth. One that fails has a curve that says why.

    Raises:
        InvalidInput: a depth is not allowed by an option.
        Cancelled: scores of models that were asked are kept.
    """
    design = design.within(corpus)
    specs = {
        spec: {depth: with_candidates(spec, depth) for depth in design.depths}
        for spec in design.pipelines
    }
    curves = {spec: _CurveValues.of(design.depths) for spec in specs}
    done, total = 0, len(design.queries) * len(specs)
    for asked, query in enumerate(design.queries):
        for spec, by_depth in specs.items():
            ctx.report("trying depths", done, total)
            done += 1
            curve = curves[spec]
            if curve.failed == asked >= _SAME_FAILURES:
                curve.failed += 1
                continue
            found = at_depths(by_depth, query, corpus, ctx, engine)
            _add(curve, found, query, design, corpus, str(spec))
    return _study(design, corpus, curves, engine)


def _add(
    curve: _CurveValues,
    found: DepthResults,
    query: Query,
    design: DepthDesign,
    corpus: Corpus,
    pipeline: str,
) -> None:
    """Measure what a pipeline made of a query; nothing counts of one not answered everywhere."""
    for result in found.results.values():
        if result.status is Status.CANCELLED:
            raise Cancelled("Cancelled.", hint="Run it again; scores of models are kept.")
        if not result.status.answered or result.ranking is None:
            curve.failed += 1
            curve.problem = curve.problem or _reason(result)
            return
    rate = design.seconds_a_candidate.get(pipeline)
    candidates = {depth: _candidates(one, corpus) for depth, one in found.results.items()}
    rows = _measured(design.measure, design.qrels[query.id], found.results, candidates)
    for depth, (value, recall, oracle) in rows.items():
        curve.values[depth][query.id] = value
        curve.recalls[depth][query.id] = recall
        curve.oracles[depth][query.id] = oracle
        curve.candidates[depth][query.id] = len(candidates[depth])
        seconds = found.seconds.get(depth)
        if seconds is None and rate is not None:
            seconds = _by_rate(found.results[depth], rate)
        if seconds is not None:
            curve.seconds[depth].append(seconds)


def _reason(result: Result) -> str:
    error: LabError | None = result.error
    return error.message if error is not None else "The model gave no usable answer."


def _by_rate(result: Result, rate: float) -> float:
    return rate * sum(stage.trace.documents for stage in result.stages[1:])


def _measured(
    name: str,
    grades: Mapping[str, int],
    results: Mapping[int, Result],
    candidates: Mapping[int, Ranking],
) -> dict[int, tuple[float, float, float]]:
    """By depth: the value, and recall and oracle of the candidates.

    One call measures all depths: each stands for a query of its own with the same judgments.
    """
    rankings: dict[str, Ranking] = {}
    for depth, result in results.items():
        if result.ranking is not None:
            rankings[f"{depth} value"] = result.ranking
        rankings[f"{depth} recall"] = candidates[depth]
        rankings[f"{depth} oracle"] = ideal_order(candidates[depth], grades)
    names = list(dict.fromkeys((name, _RECALL)))
    measured = measure(dict.fromkeys(rankings, grades), rankings, names).per_query
    return {
        depth: (
            measured[f"{depth} value"][name],
            measured[f"{depth} recall"][_RECALL],
            measured[f"{depth} oracle"][name],
        )
        for depth in results
    }


def _candidates(result: Result, corpus: Corpus) -> Ranking:
    """The documents that the first stage handed over."""
    return ranking_of(result.stages[0]).folded(corpus.parent_of)[0]


def _study(
    design: DepthDesign,
    corpus: Corpus,
    curves: Mapping[PipelineSpec, _CurveValues],
    engine: Engine,
) -> DepthStudy:
    answered = [curve.answered for curve in curves.values() if curve.answered]
    shared = set.intersection(*answered) if answered else set()
    common = [query.id for query in design.queries if query.id in shared]
    drawn = tuple(_curve(design, spec, values, common, engine) for spec, values in curves.items())
    return DepthStudy(
        corpus.name,
        corpus.content_hash,
        design.measure,
        len(common),
        design.depths,
        _corrected(drawn),
    )


def _curve(
    design: DepthDesign,
    spec: PipelineSpec,
    values: _CurveValues,
    common: Sequence[str],
    engine: Engine,
) -> DepthCurve:
    if not values.answered or not common:
        problem = values.problem or "No query was answered by every pipeline at every depth."
        return DepthCurve(str(spec), bool(spec.stages), False, "", (), values.failed, problem)
    exact = replayed(spec, engine)
    timing: Timing = "estimated" if spec.stages and exact else "measured"
    points = tuple(_point(design, depth, values, common) for depth in design.depths)
    if all(point.p95 is None for point in points):
        timing = ""
    return DepthCurve(str(spec), bool(spec.stages), exact, timing, points, values.failed)


def _point(
    design: DepthDesign, depth: int, values: _CurveValues, common: Sequence[str]
) -> DepthPoint:
    def mean(by_query: Mapping[str, float], name: str) -> float:
        return average({q: {name: by_query[q]} for q in common}, [name])[name]

    of_depth = {q: values.values[depth][q] for q in common}
    low, high = mean_interval(np.array(list(of_depth.values()), dtype=np.float64))
    seconds = values.seconds[depth]
    p50, p95 = np.percentile(seconds, (50, 95)) if seconds else (None, None)
    deepest = design.depths[-1]
    names = (str(deepest), str(depth))
    against = None
    if depth != deepest:
        deep = {q: values.values[deepest][q] for q in common}
        against = paired(deep, of_depth, names)
    return DepthPoint(
        depth,
        float(np.mean([values.candidates[depth][q] for q in common])),
        mean(values.values[depth], design.measure),
        low,
        high,
        mean(values.recalls[depth], _RECALL),
        mean(values.oracles[depth], design.measure),
        None if p50 is None else float(p50),
        None if p95 is None else float(p95),
        against_deepest=against,
    )


def _corrected(curves: tuple[DepthCurve, ...]) -> tuple[DepthCurve, ...]:
    """Holm's correction over all comparisons of the study."""
    every = [point.against_deepest for curve in curves for point in curve.points]
    known = [one.p for one in every if one is not None and one.p is not None]
    corrected = iter(holm(known))

    def adjusted(one: Paired | None) -> Paired | None:
        return one if one is None or one.p is None else replace(one, p_holm=next(corrected))

    return tuple(
        replace(
            curve,
            points=tuple(
                replace(point, against_deepest=adjusted(point.against_deepest))
                for point in curve.points
            ),
        )
        for curve in curves
    )
