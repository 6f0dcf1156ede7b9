"""Every reranker over every first stage: run, measure, compare with the first stage alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from rerank_lab.core.context import Context
from rerank_lab.core.errors import Cancelled
from rerank_lab.core.spec import Node, PipelineSpec
from rerank_lab.core.types import Qrels, Query, Ranking, Status
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.evaluation.experiments.cells import DEEPEST, Cell
from rerank_lab.evaluation.first_stage import ideal_order
from rerank_lab.evaluation.grid.study import FirstStageCeiling, GridPair, GridStudy
from rerank_lab.evaluation.measures import average, measure
from rerank_lab.evaluation.statistics import Values, best_group, holm, mean_interval, paired
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline

_RECALL = f"R@{DEEPEST}"
_SAME_FAILURES = 3
"""A pipeline that fails for its first so many queries is given up."""


@dataclass(frozen=True, slots=True)
class GridDesign:
    """What is to be combined.

    Attributes:
        first_stages: canonical nodes.
        rerankers: canonical stages, each a chain of one or more.
        queries: judged ones.
        cells: answers that are there already, by query id and spec.
    """

    first_stages: tuple[Node, ...]
    rerankers: tuple[tuple[Node, ...], ...]
    queries: tuple[Query, ...]
    qrels: Qrels
    measure: str
    cells: Mapping[tuple[str, str], Cell] = field(default_factory=dict)

    def pipelines(self) -> dict[tuple[str, str], str]:
        """First stage and reranker ("" for none) -> spec of the pair."""
        chains: tuple[tuple[Node, ...], ...] = ((), *self.rerankers)
        return {
            (str(first), _text(chain)): str(PipelineSpec((first, *chain)))
            for first in self.first_stages
            for chain in chains
        }


def _text(chain: Sequence[Node]) -> str:
    return " >> ".join(map(str, chain))


@dataclass(slots=True)
class _GridValues:
    """What was measured, by spec (or first stage) and query id."""

    values: dict[str, dict[str, float]] = field(default_factory=dict)
    recalls: dict[str, dict[str, float]] = field(default_factory=dict)
    oracles: dict[str, dict[str, float]] = field(default_factory=dict)
    sizes: dict[str, dict[str, int]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    ideals: dict[str, float] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


def study_grid(design: GridDesign, corpus: Corpus, ctx: Context, engine: Engine) -> GridStudy:
    """Run what is not there yet. A pipeline that fails for a query has no value for it.

    Raises:
        Cancelled: scores of models that were asked are kept.
    """
    pairs = design.pipelines()
    measured = _GridValues()
    done, total = 0, len(design.queries) * len(pairs)
    for asked, query in enumerate(design.queries):
        rankings: dict[str, Ranking] = {}
        for spec in pairs.values():
            ctx.report("combining", done, total)
            done += 1
            if measured.failures.get(spec, 0) == asked >= _SAME_FAILURES:
                measured.failures[spec] += 1
                continue
            cell = design.cells.get((query.id, spec))
            if cell is None or not cell.answered:
                cell = _cell(spec, query, corpus, ctx, engine)
            if not cell.answered or cell.ranking is None:
                measured.failures[spec] = measured.failures.get(spec, 0) + 1
                reason = cell.failure.message if cell.failure else "No usable answer."
                measured.problems.setdefault(spec, reason)
                continue
            rankings[spec] = cell.ranking
            if cell.seconds is not None:
                measured.seconds.setdefault(spec, []).append(cell.seconds)
        _add(measured, design, query, rankings)
    return _study(design, corpus, pairs, measured)


def _cell(spec: str, query: Query, corpus: Corpus, ctx: Context, engine: Engine) -> Cell:
    result = Pipeline(spec).run(query, corpus, ctx, engine)
    if result.status is Status.CANCELLED:
        raise Cancelled("Cancelled.", hint="Run it again; scores of models are kept.")
    return Cell.of(result)


def _add(
    measured: _GridValues, design: GridDesign, query: Query, rankings: Mapping[str, Ranking]
) -> None:
    """Measure all rankings of a query in one call, each under a name of its own."""
    grades = design.qrels[query.id]
    firsts = [str(first) for first in design.first_stages if str(first) in rankings]
    named: dict[str, Ranking] = {f"value {spec}": one for spec, one in rankings.items()}
    named |= {f"oracle {first}": ideal_order(rankings[first], grades) for first in firsts}
    named["ideal"] = ideal_order(Ranking.from_order(query.id, list(grades)), grades)
    names = list(dict.fromkeys((design.measure, _RECALL)))
    rows = measure(dict.fromkeys(named, grades), named, names).per_query
    measured.ideals[query.id] = rows["ideal"][design.measure]
    for spec in rankings:
        measured.values.setdefault(spec, {})[query.id] = rows[f"value {spec}"][design.measure]
    for first in firsts:
        oracle = rows[f"oracle {first}"]
        measured.oracles.setdefault(first, {})[query.id] = oracle[design.measure]
        measured.recalls.setdefault(first, {})[query.id] = oracle[_RECALL]
        measured.sizes.setdefault(first, {})[query.id] = len(rankings[first])


def _study(
    design: GridDesign,
    corpus: Corpus,
    pairs: Mapping[tuple[str, str], str],
    measured: _GridValues,
) -> GridStudy:
    answered = [set(by_query) for by_query in measured.values.values()]
    shared = set.intersection(*answered) if answered else set()
    common = [query.id for query in design.queries if query.id in shared]
    values = {
        spec: {q: by_query[q] for q in common}
        for spec, by_query in measured.values.items()
        if common
    }
    firsts = tuple(map(str, design.first_stages))
    return GridStudy(
        corpus.name,
        corpus.content_hash,
        design.measure,
        len(common),
        _mean({q: measured.ideals[q] for q in common}, design.measure) if common else 0.0,
        firsts,
        tuple(map(_text, design.rerankers)),
        tuple(
            FirstStageCeiling(
                first,
                float(np.mean([measured.sizes[first][q] for q in common])),
                _mean({q: measured.recalls[first][q] for q in common}, _RECALL),
                _mean({q: measured.oracles[first][q] for q in common}, design.measure),
            )
            for first in firsts
            if common and first in values
        ),
        _pairs(design.measure, pairs, values, measured.seconds),
        tuple(best_group(values)),
        {spec: reason for spec, reason in measured.problems.items() if spec not in values},
    )


def _pairs(
    name: str,
    pairs: Mapping[tuple[str, str], str],
    values: Mapping[str, Values],
    seconds: Mapping[str, Sequence[float]],
) -> tuple[GridPair, ...]:
    found = [
        GridPair(
            first,
            reranker,
            spec,
            _mean(values[spec], name),
            *mean_interval(np.array(list(values[spec].values()), dtype=np.float64)),
            float(np.percentile(seconds[spec], 95)) if seconds.get(spec) else None,
            paired(values[first], values[spec], (first, spec))
            if reranker and first in values
            else None,
        )
        for (first, reranker), spec in pairs.items()
        if spec in values
    ]
    known = [one.gain.p for one in found if one.gain is not None and one.gain.p is not None]
    corrected = iter(holm(known))
    return tuple(
        one
        if one.gain is None or one.gain.p is None
        else replace(one, gain=replace(one.gain, p_holm=next(corrected)))
        for one in found
    )


def _mean(by_query: Values, name: str) -> float:
    return average({q: {name: value} for q, value in by_query.items()}, [name])[name]
