"""What the Evaluate page shows, as plain values: the sentence, the table, the queries apart.

Pipelines are told apart on the queries that all of them answered; each one's own means are over
the judged queries that it answered itself. A query without an answer is counted, never scored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from rerank_lab.core.types import Status
from rerank_lab.evaluation.experiments import (
    ErrorGroup,
    Evaluation,
    ExperimentEntry,
    Failure,
    Outcome,
)
from rerank_lab.evaluation.experiments.columns import ResultColumn, ResultRow, ResultTable
from rerank_lab.evaluation.statistics import Paired
from rerank_lab.views.evaluate_notes import basis, notes, shallow
from rerank_lab.views.formatting import counted
from rerank_lab.views.judging import JudgedTop, judging_caveat
from rerank_lab.views.labels import last_stages, short_labels, without_depth
from rerank_lab.views.results_table import p_words, signed

ALPHA = 0.05
_LEDGER = (
    (Status.FALLBACK, "with a fallback"),
    (Status.FAILED, "failed"),
    (Status.SKIPPED, "skipped"),
    (Status.CANCELLED, "cancelled"),
)


@dataclass(frozen=True, slots=True)
class PipelineProblem:
    """One error of a pipeline, what it did (`failed on 2 queries`), and some of its queries."""

    label: str
    status: str
    message: str
    hint: str
    queries: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueryLine:
    """One query: the primary measure by pipeline (None without an answer), and how far apart.

    `differences` are those values against the baseline's; None for the baseline itself, and where
    one of the two gave no answer.
    """

    id: str
    text: str
    values: tuple[float | None, ...]
    statuses: tuple[str, ...]
    spread: float | None
    differences: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class EvaluateView:
    """Everything on the page. `primary` is the measure of sentence, order and comparison.

    `columns` are those of the table on the page. `depth` is the number of candidates that all
    pipelines share, None when they differ.
    """

    sentence: str
    notes: tuple[str, ...]
    primary: str
    measures: tuple[str, ...]
    rows: tuple[ResultRow, ...]
    columns: tuple[ResultColumn, ...]
    problems: tuple[PipelineProblem, ...]
    common: int
    done: int
    size: int
    depth: int | None = None
    basis: str = ""
    """On how few queries pipelines are compared, and through whom; "" when on all of them."""

    @property
    def pending(self) -> int:
        """Cells that have not run."""
        return self.size - self.done


@dataclass(frozen=True, slots=True)
class ExperimentLine:
    """One kept experiment in the list. `progress` in words, `when` the last change in UTC.

    `title` is its name with the corpus, or the corpus alone; `tags` in one text.
    """

    id: str
    title: str
    tags: str
    pipelines: str
    progress: str
    when: str
    finished: bool


def experiment_line(entry: ExperimentEntry) -> ExperimentLine:
    """`helpdesk`, `bm25 | dense`, `60 queries, all answers in`, `2026-11-21 08:40 UTC`."""
    design = entry.design
    finished = entry.cells >= design.size
    size = counted(len(design.queries), "query", "queries")
    details = "all answers in" if finished else f"{entry.cells:,} of {design.size:,} answers in"
    moment = datetime.fromtimestamp(entry.updated, UTC) if entry.updated else None
    return ExperimentLine(
        design.id,
        f"{entry.name} ({design.corpus})" if entry.name else design.corpus,
        ", ".join((*entry.tags, *(["archived"] if entry.archived else []))),
        " | ".join(pipeline_labels(design.pipelines)[0].values()),
        f"{size}, {details}",
        moment.strftime("%Y-%m-%d %H:%M UTC") if moment else "not begun",
        finished,
    )


def evaluate_view(evaluation: Evaluation, primary: str = "", baseline: str = "") -> EvaluateView:
    """The view of an experiment, finished or not. Unknown names fall back to the first."""
    design = evaluation.design
    labels, depth = pipeline_labels(design.pipelines)
    table = evaluation.table(primary, baseline)
    rows = tuple(replace(row, label=labels[row.spec]) for row in table.rows)
    brief = pipeline_labels(design.pipelines, brief=True)[0]
    return EvaluateView(
        _sentence(evaluation, table, brief),
        (*notes(evaluation, labels), *shallow(rows, labels)),
        table.primary,
        design.measures,
        rows,
        table.on("page"),
        _problems(evaluation, labels),
        len(evaluation.common),
        len(evaluation.cells),
        design.size,
        depth,
        basis(evaluation, labels),
    )


def pipeline_labels(
    specs: Sequence[str], *, brief: bool = False
) -> tuple[dict[str, str], int | None]:
    """Names (`brief`: of the last stages, for sentences), and the number of candidates.

    That number is left out of the names when all pipelines share it, else it is None.
    """
    plain, depth = without_depth(specs)
    short = (last_stages if brief else short_labels)(list(plain.values()))
    return {spec: short[plain[spec]] for spec in specs}, depth


def query_lines(evaluation: Evaluation, primary: str, baseline: str = "") -> tuple[QueryLine, ...]:
    """The queries, those on which the pipelines disagree most first, unanswered ones next.

    Disagreement is the largest minus the smallest value of the measure. Ties keep the order asked.
    """
    primary, baseline = evaluation.compared_by(primary, baseline)
    place = evaluation.design.pipelines.index(baseline)
    lines = [_query_line(evaluation, query.id, query.text, (primary, place))
             for query in evaluation.design.queries]  # fmt: skip
    return tuple(
        sorted(
            lines,
            key=lambda line: (-(line.spread or 0.0), not any(v is None for v in line.values)),
        )
    )


def interval(paired: Paired) -> str:
    """`[+0.15, +0.27]`, empty when there are too few queries."""
    if paired.low is None or paired.high is None:
        return ""
    return f"[{signed(paired.low)}, {signed(paired.high)}]"


def interval_scale(rows: Sequence[ResultRow]) -> float:
    """The largest distance from 0 of any interval end: the half width that all bars share."""
    ends = [
        abs(end)
        for row in rows
        if row.paired is not None
        for end in (row.paired.low, row.paired.high, row.paired.difference)
        if end is not None and math.isfinite(end)
    ]
    return max(ends, default=0.0)


def ledger(outcome: Outcome) -> str:
    """`58 answered, 2 failed`: what became of every query asked."""
    parts = [f"{outcome.answered:,} answered"]
    parts += [f"{n:,} {word}" for status, word in _LEDGER if (n := outcome.status.get(status, 0))]
    parts += [f"{outcome.pending:,} not asked yet"] if outcome.pending > 0 else []
    return ", ".join(parts)


def _sentence(evaluation: Evaluation, table: ResultTable, labels: Mapping[str, str]) -> str:
    if not evaluation.design.qrels:
        return "Nothing is judged here: rankings and times are kept, but there is nothing to score."
    if not evaluation.cells:
        return "No query has been asked yet."
    primary, several = table.primary, len(evaluation.outcomes) > 1
    common = evaluation.common_measures
    means = {spec: mean for spec, m in common.items() if (mean := m.get(primary)) is not None}
    if not means or (several and not evaluation.comparable):
        return _too_few(evaluation, labels)
    queries = _on_queries(evaluation, labels)
    rows = {row.spec: row for row in table.rows}
    if len(means) == 1 or table.baseline not in means:
        best = max(means, key=lambda spec: means[spec])
        reached = f"{means[best]:.2f} {_measured_by(primary, rows[best])}"
        return f"{queries}, {labels[best]} reaches {reached}."
    paired = [row.paired for row in table.rows if row.paired is not None]
    challenger = max(paired, key=lambda one: (one.difference, one.b))
    a, b = rows[challenger.a], rows[challenger.b]
    sentence = f"{queries}, {_verdict(challenger, labels, _measured_by(primary, a, b))}"
    caveat = comparison_caveat(challenger, a, b, labels)
    return f"{sentence} {caveat}".rstrip()


def comparison_caveat(
    comparison: Paired, a: ResultRow, b: ResultRow, labels: Mapping[str, str]
) -> str:
    """What uneven judgments do to a comparison of `b` with `a`; "" where there is no doubt."""
    if not comparison.difference:
        return ""
    rows = (b, a) if comparison.difference > 0 else (a, b)
    better, worse = (JudgedTop.of(row, labels[row.spec]) for row in rows)
    return judging_caveat(better, worse)


def _measured_by(primary: str, *rows: ResultRow) -> str:
    """The measure, and how few candidates it is from when it looks deeper than that."""
    limits = {row.candidates for row in rows if primary in row.beyond}
    if not limits:
        return primary
    numbers = " and ".join(f"{limit:,}" for limit in sorted(limit or 0 for limit in limits))
    return f"{primary} (from at most {numbers} candidates)"


def _too_few(evaluation: Evaluation, labels: Mapping[str, str]) -> str:
    """`Not finished: bm25 answered 3 of 60 queries, dense 0; nothing to compare yet.`"""
    total_queries = counted(evaluation.judged_asked, "query", "queries")
    first, *others = evaluation.outcomes
    counts_text = [f"{labels[first.pipeline]} answered {first.measured:,} of {total_queries}"]
    counts_text += [f"{labels[outcome.pipeline]} {outcome.measured:,}" for outcome in others]
    cancelled = any(one.status.get(Status.CANCELLED) for one in evaluation.outcomes)
    pending = any(one.pending > 0 for one in evaluation.outcomes)
    begun = "Cancelled: " if cancelled else "Not finished: " if pending else ""
    several = sum(outcome.measured > 0 for outcome in evaluation.outcomes) > 1
    what = "too few in common" if evaluation.common and several else "nothing"
    return f"{begun}{', '.join(counts_text)}; {what} to compare{' yet' if begun else ''}."


def _on_queries(evaluation: Evaluation, labels: Mapping[str, str]) -> str:
    common = len(evaluation.common)
    total_queries = len(evaluation.design.queries)
    if common == total_queries:
        return f"On {counted(common, 'query', 'queries')}"
    total = counted(total_queries, "query", "queries")
    silent = [labels[one.pipeline] for one in evaluation.outcomes if not one.measured]
    who = f"all but {' and '.join(silent)}" if silent else "all pipelines"
    return f"On the {common:,} of {total} that {who} answered"


def interval_note(one: Paired) -> str:
    """Why an interval and a corrected p-value say different things; "" where they agree."""
    if one.low is None or one.high is None or one.p_holm is None:
        return ""
    shown, leaves_out_0 = one.p_holm < ALPHA, one.low > 0 or one.high < 0
    if shown == leaves_out_0:
        return ""
    if leaves_out_0 and one.p is not None and one.p < ALPHA:
        return (
            "The interval is of this comparison alone and leaves out 0; the p-value is corrected "
            "for all comparisons made, and decides."
        )
    holds = "leaves out" if leaves_out_0 else "holds"
    return (
        f"The interval (bootstrap) {holds} 0 and the test (randomisation) says otherwise: it is a "
        "close call, and the test decides."
    )


def _verdict(one: Paired, labels: Mapping[str, str], primary: str) -> str:
    a, b = labels[one.a], labels[one.b]
    tally = (
        f"{counted(one.wins, 'win')}, {counted(one.losses, 'loss', 'losses')}, "
        f"{counted(one.ties, 'tie')}"
    )
    best_rows = f"{abs(one.difference):.2f} {primary} {interval(one)}".rstrip()
    holm = f"Holm {p_words(one.p_holm)}" if one.p_holm is not None else p_words(one.p)
    if one.p_holm is not None and one.p_holm < ALPHA and one.difference:
        if one.difference > 0:
            verdict = f"{b} beats {a} by {best_rows}; {holm}; {tally}."
        else:
            verdict = (
                f"nothing beats {a}: {b} comes next and is worse by {best_rows}; {holm}; {tally}."
            )
        return f"{verdict} {interval_note(one)}".rstrip()
    lead = f"{b} is not shown to differ from {a}"
    if one.difference > 0:
        lead = f"{b} looks better than {a}, but that may be chance"
    sentences = ""
    if one.detectable:
        sentences = (
            f" So few queries hardly tell a difference below {one.detectable:.2f} from chance."
        )
    best_rows = f"{signed(one.difference)} {primary} {interval(one)}".rstrip()
    return f"{lead}: {best_rows}; {holm}; {tally}. {interval_note(one)}".rstrip() + sentences


def _problems(evaluation: Evaluation, labels: Mapping[str, str]) -> tuple[PipelineProblem, ...]:
    """One for each pipeline and error, whether its queries failed by it or were skipped for it."""
    by_error = []
    for outcome in evaluation.outcomes:
        alike: dict[Failure, list[ErrorGroup]] = {}
        for group in outcome.errors:
            alike.setdefault(group.failure, []).append(group)
        for failure, groups in alike.items():
            problems = [f"{group.status.value} on {len(group.query_ids):,}" for group in groups]
            ids = [query_id for group in groups for query_id in group.query_ids]
            by_error.append(
                PipelineProblem(
                    labels[outcome.pipeline],
                    " and ".join(problems) + (" query" if len(ids) == 1 else " queries"),
                    failure.message,
                    failure.hint,
                    len(ids),
                    tuple(ids[:5]),
                )
            )
    return tuple(by_error)


def _query_line(
    evaluation: Evaluation, query_id: str, text: str, compared_by: tuple[str, int]
) -> QueryLine:
    """`compared_by` is the measure, and the place of the baseline among the pipelines."""
    primary, baseline = compared_by
    measured = evaluation.per_query.get(query_id, {})
    specs = evaluation.design.pipelines
    values = tuple(measured[s].get(primary) if s in measured else None for s in specs)
    cells = [evaluation.cells.get((query_id, spec)) for spec in specs]
    statuses = tuple(cell.status.value if cell else "not asked yet" for cell in cells)
    known = [value for value in values if value is not None]
    spread = max(known) - min(known) if len(known) > 1 else None
    base = values[baseline]
    differences = tuple(
        None if place == baseline or value is None or base is None else value - base
        for place, value in enumerate(values)
    )
    return QueryLine(query_id, text, values, statuses, spread, differences)
