"""From cells to results: measures, statuses and times of each pipeline.

A pipeline is measured on the judged queries that it answered itself, and says how many those are.
Pipelines are compared with each other on the queries that all of them answered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from rerank_lab.core.html_text import html_table
from rerank_lab.core.types import Run, Status
from rerank_lab.evaluation.experiments.cells import Cell, Design, Failure
from rerank_lab.evaluation.experiments.columns import ResultRow, ResultTable, result_columns
from rerank_lab.evaluation.experiments.outcomes import ErrorGroup, Latency, Means, Outcome
from rerank_lab.evaluation.measure_names import cutoff_of, tells_quality
from rerank_lab.evaluation.measures import Averaging, Measured, PreparedJudgments, average
from rerank_lab.evaluation.statistics import Paired, against, best_group
from rerank_lab.pipeline.resolution import candidate_limit

JUDGING_DEPTH = 10
"""So many first documents are looked at for judgments when a measure has no cutoff."""
_HANDFUL = 5
"""Fewer common queries than this tell nothing, unless no more were asked."""


CUT_TEXTS = "texts were longer than a model reads; the rest of them was left out"
"""Of an answer in which a reranker cut texts, or a first stage did when it indexed them."""


@dataclass(frozen=True)
class Evaluation:
    """The results of an experiment, finished or not.

    `outcomes` are in the order of the design's pipelines. `per_query` holds, by query and pipeline,
    the values of each measured cell. `common` are the judged queries answered by every pipeline
    that answered any; `common_measures` are means over just these.
    """

    design: Design
    cells: Mapping[tuple[str, str], Cell]
    outcomes: tuple[Outcome, ...]
    per_query: Mapping[str, Mapping[str, Mapping[str, float]]]
    common: tuple[str, ...]
    common_measures: Mapping[str, Means]
    unkept: str = ""
    """Why results could not be kept in the data folder; "" when they are."""

    @property
    def id(self) -> str:
        """The experiment's id, the name of its folder."""
        return self.design.id

    @property
    def finished(self) -> bool:
        """Whether every cell has been run."""
        return len(self.cells) == self.design.size

    @cached_property
    def by_pipeline(self) -> dict[str, Outcome]:
        """Spec -> what the pipeline came to."""
        return {outcome.pipeline: outcome for outcome in self.outcomes}

    def values(self, pipeline: str, name: str, common: bool = False) -> dict[str, float]:
        """Query id -> value of a measure, for the queries where it was measured.

        With `common`, only for those that all pipelines answered. Feed these to
        rerank_lab.evaluation.statistics.
        """
        wanted = set(self.common) if common else self.per_query.keys()
        return {
            query_id: by_pipeline[pipeline][name]
            for query_id, by_pipeline in self.per_query.items()
            if query_id in wanted and pipeline in by_pipeline
        }

    def run(self, pipeline: str) -> Run:
        """The rankings that the pipeline itself gave, for export."""
        rankings = {
            cell.query_id: cell.ranking
            for cell in self.cells.values()
            if cell.pipeline == pipeline and cell.answered and cell.ranking is not None
        }
        return Run(pipeline, pipeline, rankings)

    @property
    def judged_asked(self) -> int:
        """How many of the queries are judged."""
        return sum(query.id in self.design.qrels for query in self.design.queries)

    @property
    def comparable(self) -> bool:
        """Whether two pipelines or more were measured on more than a handful of common queries."""
        pipelines = sum(outcome.measured > 0 for outcome in self.outcomes)
        return pipelines > 1 and len(self.common) >= min(_HANDFUL, self.judged_asked)

    @property
    def measures_of_quality(self) -> tuple[str, ...]:
        """The measures that say which pipeline is better; all of them where none does."""
        measures = self.design.measures
        return tuple(filter(tells_quality, measures)) or measures

    def compared_by(self, primary: str = "", baseline: str = "") -> tuple[str, str]:
        """The measure and the baseline of that name; the first of the design for unknown names.

        The first measure is the first one of quality.
        """
        pipelines = self.design.pipelines
        return (
            primary if primary in self.design.measures else self.measures_of_quality[0],
            baseline if baseline in pipelines else pipelines[0],
        )

    def table(self, primary: str = "", baseline: str = "") -> ResultTable:
        """Its results as rows and columns, made once. Unknown names fall back to the first ones.

        Args:
            primary: The measure that pipelines are compared by.
            baseline: The pipeline that the others are compared with.
        """
        compared_by = self.compared_by(primary, baseline)
        if compared_by not in self._tables:
            self._tables[compared_by] = self._table(*compared_by)
        return self._tables[compared_by]

    @cached_property
    def _tables(self) -> dict[tuple[str, str], ResultTable]:
        """Tables that were asked for before: a page asks at every click."""
        return {}

    def _table(self, primary: str, baseline: str) -> ResultTable:
        design = self.design
        values = {spec: self.values(spec, primary, common=True) for spec in design.pipelines}
        values = {spec: by_query for spec, by_query in values.items() if by_query}
        paired: dict[str, Paired] = {}
        best: list[str] = []
        if self.comparable:
            best = best_group(values)
            if baseline in values:
                paired = {one.b: one for one in against(baseline, values)}
        depth = cutoff_of(primary) or JUDGING_DEPTH
        rows = tuple(
            ResultRow(
                outcome,
                label=outcome.pipeline,
                baseline=outcome.pipeline == baseline,
                best=outcome.pipeline in best,
                paired=paired.get(outcome.pipeline),
                unjudged=self._unjudged(outcome.pipeline, depth),
                judging_depth=depth,
                candidates=(limit := candidate_limit(outcome.pipeline)),
                beyond=tuple(n for n in design.measures if limit and cutoff_of(n) > limit),
            )
            for outcome in self.outcomes
        )
        columns = result_columns(design.measures, primary, len(self.common) if paired else 0)
        return ResultTable(primary, baseline, len(self.common), rows, columns)

    def _unjudged(self, spec: str, depth: int) -> float | None:
        """The share of its first documents that nobody judged, over the measured queries."""
        documents = unknown = 0
        for query_id, row in self.per_query.items():
            cell = self.cells.get((query_id, spec))
            if spec not in row or cell is None or cell.ranking is None:
                continue
            first = cell.ranking.doc_ids[:depth]
            documents += len(first)
            grades = self.design.qrels[query_id]
            unknown += sum(doc_id not in grades for doc_id in first)
        return unknown / documents if documents else None

    def unjudged_pairs(self, depth: int = JUDGING_DEPTH) -> tuple[tuple[str, str], ...]:
        """Query and document ids of what nobody judged among the first `depth` of any pipeline.

        Each pair once, in the order of the queries.
        """
        pairs = (
            (query.id, doc_id)
            for query in self.design.queries
            for spec in self.design.pipelines
            if (cell := self.cells.get((query.id, spec))) and cell.answered and cell.ranking
            for doc_id in cell.ranking.doc_ids[:depth]
            if doc_id not in self.design.qrels.get(query.id, {})
        )
        return tuple(dict.fromkeys(pairs))

    def to_frame(self, primary: str = "", baseline: str = "") -> Any:
        """A pandas frame with a row a pipeline: the columns of the CSV file of results."""
        import pandas as pd

        table = self.table(primary, baseline)
        columns = {
            column.csv: [column.value(row) for row in table.rows]
            for column in table.columns
            if column.csv
        }
        return pd.DataFrame(columns).set_index("pipeline")

    def query_frame(self) -> Any:
        """A pandas frame with a row a query and pipeline that was measured, a column a measure."""
        import pandas as pd

        rows = [
            {"query_id": query_id, "pipeline": pipeline, **values}
            for query_id, by_pipeline in self.per_query.items()
            for pipeline, values in by_pipeline.items()
        ]
        index = ["query_id", "pipeline"]
        return pd.DataFrame(rows, columns=[*index, *self.design.measures]).set_index(index)

    def __repr__(self) -> str:
        design = self.design
        primary = self.measures_of_quality[0]
        means = ", ".join(
            f"{outcome.pipeline} {_mean_text(outcome.measures.get(primary))}"
            for outcome in self.outcomes
        )
        state = "" if self.finished else f", {len(self.cells)} of {design.size} answers in"
        return (
            f"Evaluation({design.corpus!r}, {len(design.queries)} queries{state}; "
            f"{primary}: {means})"
        )

    def _repr_html_(self) -> str:
        """The means as a table, for notebooks."""
        design = self.design
        rows = [
            [
                outcome.pipeline,
                str(outcome.measured),
                *(_mean_text(outcome.measures.get(name)) for name in design.measures),
            ]
            for outcome in self.outcomes
        ]
        state = "" if self.finished else f", {len(self.cells)} of {design.size} answers in"
        caption = f"{design.corpus}: {len(design.queries)} queries{state}"
        return html_table(["pipeline", "measured", *design.measures], rows, caption)

    def to_json(self, primary: str = "", baseline: str = "") -> dict[str, Any]:
        """`results` by pipeline; `common` the same measures over the queries all answered.

        `comparison` says how each pipeline compares with the baseline, and what to know of its
        judged documents and candidates; `judgments` says where the judgments come from. `not_kept`
        says why results could not be kept, and stands there only then.
        """
        common = [
            {"pipeline": pipeline, "measures": dict(means)}
            for pipeline, means in self.common_measures.items()
        ]
        return {
            **self.table(primary, baseline).to_json(),
            "common": {"queries": len(self.common), "results": common},
            "excluding": self.design.excluding,
            "judgments": self.design.basis.to_json(),
            **({"not_kept": self.unkept} if self.unkept else {}),
        }


def score(design: Design, cells: Iterable[Cell]) -> Evaluation:
    """Measure what is there. Cells without an answer lower no mean; they are counted."""
    by_key = {(cell.query_id, cell.pipeline): cell for cell in cells}
    measured: dict[str, Measured | None] = dict.fromkeys(design.pipelines)
    if design.measures:
        judgments = PreparedJudgments.of(
            {query.id: design.qrels.get(query.id, {}) for query in design.queries}, design.measures
        )
        measured = {spec: _measured(judgments, spec, by_key) for spec in design.pipelines}
    outcomes = tuple(_outcome(design, spec, by_key, measured[spec]) for spec in design.pipelines)
    per_query: dict[str, dict[str, dict[str, float]]] = {}
    for query in design.queries:
        row = {
            spec: dict(measured_pipeline.per_query[query.id])
            for spec, measured_pipeline in measured.items()
            if measured_pipeline is not None and query.id in measured_pipeline.per_query
        }
        if row:
            per_query[query.id] = row
    some = [spec for spec, measured_pipeline in measured.items() if measured_pipeline is not None]
    common = tuple(q for q, row in per_query.items() if len(row) == len(some))
    common_measures: dict[str, Means] = {
        spec: average({q: per_query[q][spec] for q in common}, design.measures)
        if common and spec in some
        else dict.fromkeys(design.measures)
        for spec in design.pipelines
    }
    return Evaluation(design, by_key, outcomes, per_query, common, common_measures)


def _mean_text(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _measured(
    judgments: PreparedJudgments, spec: str, cells: Mapping[tuple[str, str], Cell]
) -> Measured | None:
    rankings = {
        query_id: cell.ranking
        for query_id in judgments.qrels
        if (cell := cells.get((query_id, spec))) and cell.answered and cell.ranking is not None
    }
    return judgments.measure(rankings, Averaging(complete=False)) if rankings else None


def _outcome(
    design: Design,
    spec: str,
    cells: Mapping[tuple[str, str], Cell],
    measured: Measured | None,
) -> Outcome:
    mine = [cells[query.id, spec] for query in design.queries if (query.id, spec) in cells]
    status: dict[Status, int] = {}
    errors: dict[tuple[Failure, Status], list[str]] = {}
    for cell in mine:
        status[cell.status] = status.get(cell.status, 0) + 1
        if cell.failure is not None:
            errors.setdefault((cell.failure, cell.status), []).append(cell.query_id)
    means: Means = dict.fromkeys(design.measures) if measured is None else measured.measures
    return Outcome(
        pipeline=spec,
        queries=len(design.queries),
        measured=len(measured.per_query) if measured is not None else 0,
        measures=means,
        status=status,
        latency=_latency(mine),
        errors=tuple(ErrorGroup(f, s, tuple(ids)) for (f, s), ids in errors.items()),
        warnings=Counter(text for cell in mine for text in _warnings_of(cell)),
    )


def _warnings_of(cell: Cell) -> tuple[str, ...]:
    """What the answer to one query warns of, in words that many answers share."""
    cut = (CUT_TEXTS,) if cell.trace.truncated else ()
    return (*cell.trace.warnings, *cut)


def _latency(cells: Iterable[Cell]) -> Latency:
    seconds = [cell.seconds for cell in cells if cell.seconds is not None]
    if not seconds:
        return Latency(None, None, 0)
    p50, p95 = np.percentile(seconds, (50, 95))
    return Latency(float(p50), float(p95), len(seconds))
