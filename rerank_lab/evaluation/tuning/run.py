"""Search options on the train queries; report the choice on the others.

All settings of a query run one after the other, so that stages which they share are run once, and
pointwise scores come from the score cache.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from rerank_lab.core.context import Context
from rerank_lab.core.errors import Cancelled, InvalidInput, LabError
from rerank_lab.core.spec import Literal, PipelineSpec
from rerank_lab.core.types import Qrels, Query, Ranking, Status
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.evaluation.folds import query_folds
from rerank_lab.evaluation.measures import average, measure
from rerank_lab.evaluation.statistics import Paired, paired
from rerank_lab.evaluation.tuning.options import OptionRange, with_settings
from rerank_lab.evaluation.tuning.study import SearchStudy, Trial
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline

MAX_TRIALS = 200
"""More combinations than this are sampled."""
_FEWEST = 8
"""Fewer judged queries than this cannot be split."""

Settings = tuple[tuple[str, Literal], ...]


@dataclass(frozen=True, slots=True)
class SearchDesign:
    """What is to be searched.

    Attributes:
        start: the pipeline as it is.
        ranges: options and their values; every combination is a trial.
        queries: judged ones, to be split by `seed`.
        trials: at most so many combinations, sampled by `seed`.
    """

    start: PipelineSpec
    ranges: tuple[OptionRange, ...]
    queries: tuple[Query, ...]
    qrels: Qrels
    measure: str
    seed: int = 0
    trials: int = MAX_TRIALS

    @property
    def combinations(self) -> int:
        """How many settings the ranges allow."""
        return math.prod(len(one.values) for one in self.ranges)

    def split(self) -> tuple[tuple[Query, ...], tuple[Query, ...]]:
        """Train and held-out queries, half each by a seeded shuffle."""
        by_id = {query.id: query for query in self.queries}
        train, held_out = query_folds(list(by_id), 2, self.seed)
        return tuple(map(by_id.__getitem__, train)), tuple(map(by_id.__getitem__, held_out))

    def candidates(self) -> dict[PipelineSpec, Settings]:
        """Pipelines to try with their settings, the start first, each once."""
        every = self.combinations
        places: Iterable[int] = range(every)
        if every > self.trials:
            drawn = np.random.default_rng(self.seed).choice(every, self.trials, replace=False)
            places = sorted(int(place) for place in drawn)
        wanted = set(places)
        specs: dict[PipelineSpec, Settings] = {self.start: ()}
        for place, values in enumerate(product(*(one.values for one in self.ranges))):
            if place in wanted:
                names = (one.option for one in self.ranges)
                settings = tuple(zip(names, values, strict=True))
                specs.setdefault(with_settings(self.start, dict(settings)), settings)
        return specs


def check_design(design: SearchDesign) -> None:
    """Raises InvalidInput where nothing can be searched."""
    if not design.ranges:
        raise InvalidInput(
            "No option to search is given.", hint="Name one, such as rrf.k with 10 30 60."
        )
    if design.combinations > 100_000:
        raise InvalidInput(
            f"The ranges allow {design.combinations:,} combinations.", hint="Give fewer values."
        )
    if len(design.queries) < _FEWEST:
        raise InvalidInput(
            f"Only {len(design.queries)} queries are judged: too few to search on one half of them "
            "and to report on the other.",
            hint=f"Judge at least {_FEWEST}; with fewer than 50 the answer stays rough.",
        )
    for spec in design.candidates():
        for fusion in Pipeline(spec).fusions:
            for problem in fusion.problems():
                raise problem


def study_search(design: SearchDesign, corpus: Corpus, ctx: Context, engine: Engine) -> SearchStudy:
    """Try every setting on the train queries, and the best one on the held-out ones.

    Raises:
        InvalidInput: as `check_design`.
        LabError: the pipeline as it was fails.
        Cancelled: scores of models that were asked are kept.
    """
    check_design(design)
    candidates = design.candidates()
    train, held_out = design.split()
    total = len(train) * len(candidates) + 2 * len(held_out)
    of_train = _Values(design, corpus, ctx, engine, total).of(tuple(candidates), train)
    means = {spec: _mean(values, design.measure) for spec, values in of_train.items()}
    # The first of equal ones: the start wins a tie.
    complete = [spec for spec in candidates if len(of_train[spec]) == len(train)]
    best = max(complete, key=lambda spec: means[spec] or 0.0)
    complete_ones = set(complete)
    ranked = sorted(candidates, key=lambda s: -(means[s] or 0.0) if s in complete_ones else 1.0)
    trials = tuple(
        Trial(str(spec), candidates[spec], means[spec] if spec in complete_ones else None)
        for spec in ranked
    )
    return SearchStudy(
        corpus.name,
        corpus.content_hash,
        design.measure,
        str(design.start),
        str(best),
        design.ranges,
        len(train),
        len(held_out),
        design.seed,
        design.combinations,
        trials,
        _report(design, best, held_out, corpus, ctx, engine),
    )


def _report(
    design: SearchDesign,
    best: PipelineSpec,
    held_out: Sequence[Query],
    corpus: Corpus,
    ctx: Context,
    engine: Engine,
) -> Paired | None:
    """Start and best on queries that had no part in the choice."""
    if best == design.start:
        return None
    values = _Values(design, corpus, ctx, engine, 2 * len(held_out)).of(
        (design.start, best), held_out
    )
    return paired(values[design.start], values[best], (str(design.start), str(best)))


@dataclass(slots=True)
class _Values:
    """Runs pipelines over queries and measures them, with progress."""

    design: SearchDesign
    corpus: Corpus
    ctx: Context
    engine: Engine
    total: int
    done: int = 0

    def of(
        self, specs: Sequence[PipelineSpec], queries: Sequence[Query]
    ) -> dict[PipelineSpec, dict[str, float]]:
        """By pipeline and query id; a pipeline that fails for a query has no value for it."""
        values: dict[PipelineSpec, dict[str, float]] = {spec: {} for spec in specs}
        for query in queries:
            rankings: dict[str, Ranking] = {}
            for place, spec in enumerate(specs):
                self.ctx.report("searching", self.done, self.total)
                self.done += 1
                ranking = self._ranking(spec, query)
                if ranking is not None:
                    rankings[str(place)] = ranking
            grades = self.design.qrels[query.id]
            qrels: Mapping[str, Mapping[str, int]] = dict.fromkeys(rankings, grades)
            rows = measure(qrels, rankings, [self.design.measure]).per_query
            for name, row in rows.items():
                values[specs[int(name)]][query.id] = row[self.design.measure]
        return values

    def _ranking(self, spec: PipelineSpec, query: Query) -> Ranking | None:
        result = Pipeline(spec).run(query, self.corpus, self.ctx, self.engine)
        if result.status is Status.CANCELLED:
            raise Cancelled("Cancelled.", hint="Run it again; scores of models are kept.")
        if result.status.answered:
            return result.ranking
        if spec == self.design.start:
            raise result.error or LabError(
                f"{spec} gave no usable answer for {query.id!r}.", hint="Search another pipeline."
            )
        return None


def _mean(values: Mapping[str, float], name: str) -> float | None:
    if not values:
        return None
    return average({q: {name: value} for q, value in values.items()}, [name])[name]
