"""What the Evaluate page shows, as plain values: the sentence, the table, the queries apart.

Pipelines are told apart on the queries that all of them answered; each one's own means are over
the judged queries that it answered itself. A query without an answer is counted, never scored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rerank_lab.core.types import Status
from rerank_lab.evaluation.experiments import (
    ErrorGroup,
    Evaluation,
    ExperimentEntry,
    Failure,
    Outcome,
)
from rerank_lab.evaluation.statistics import Paired, against, best_group
from rerank_lab.views.evaluate_notes import notes
from rerank_lab.views.formatting import counted
from rerank_lab.views.labels import last_stages, short_labels, without_depth

ALPHA = 0.05
_UNJUDGED_DEPTH = 10
_HANDFUL = 5
_LEDGER = (
    (Status.FALLBACK, "with a fallback"),
    (Status.FAILED, "failed"),
    (Status.SKIPPED, "skipped"),
    (Status.CANCELLED, "cancelled"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One pipeline. `values` are its means by measure (None: nothing measured).

    `best` marks the best group: the best mean and those not shown to differ from it. `paired`
    compares it with the baseline on the primary measure, None for the baseline itself. `unjudged`
    is the share of its first 10 documents that nobody judged, 0 to 1. Latencies in seconds.
    """

    spec: str
    label: str
    baseline: bool
    best: bool
    values: Mapping[str, float | None]
    paired: Paired | None
    queries: int
    measured: int
    ledger: str
    unjudged: float | None
    p50: float | None
    p95: float | None


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
    """One query: the primary measure by pipeline (None without an answer), and how far apart."""

    id: str
    text: str
    values: tuple[float | None, ...]
    statuses: tuple[str, ...]
    spread: float | None


@dataclass(frozen=True, slots=True)
class EvaluateView:
    """Everything on the page. `primary` is the measure of sentence, order and comparison.

    `depth` is the number of candidates that all pipelines share, None when they differ.
    """

    sentence: str
    notes: tuple[str, ...]
    primary: str
    measures: tuple[str, ...]
    rows: tuple[Row, ...]
    problems: tuple[PipelineProblem, ...]
    common: int
    done: int
    size: int
    depth: int | None = None

    @property
    def pending(self) -> int:
        """Cells that have not run."""
        return self.size - self.done


@dataclass(frozen=True, slots=True)
class ExperimentLine:
    """One kept experiment in the list. `progress` in words, `when` the last change in UTC."""

    id: str
    corpus: str
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
        design.corpus,
        " | ".join(pipeline_labels(design.pipelines)[0].values()),
        f"{size}, {details}",
        moment.strftime("%Y-%m-%d %H:%M UTC") if moment else "not begun",
        finished,
    )


def evaluate_view(evaluation: Evaluation, primary: str = "", baseline: str = "") -> EvaluateView:
    """The view of an experiment, finished or not. Unknown names fall back to the first."""
    design = evaluation.design
    primary = primary if primary in design.measures else design.measures[0]
    baseline = baseline if baseline in design.pipelines else design.pipelines[0]
    labels, depth = pipeline_labels(design.pipelines)
    values = {spec: evaluation.values(spec, primary, common=True) for spec in design.pipelines}
    values = {spec: comparisons for spec, comparisons in values.items() if comparisons}
    compared = against(baseline, values) if baseline in values else []
    paired = {one.b: one for one in compared}
    best = best_group(values) if len(values) > 1 else []
    rows = tuple(
        _row(evaluation, outcome, labels[outcome.pipeline], baseline, (best, paired))
        for outcome in evaluation.outcomes
    )
    return EvaluateView(
        _sentence(
            evaluation, primary, baseline, pipeline_labels(design.pipelines, brief=True)[0], paired
        ),
        notes(evaluation, labels),
        primary,
        design.measures,
        rows,
        _problems(evaluation, labels),
        len(evaluation.common),
        len(evaluation.cells),
        design.size,
        depth,
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


def query_lines(evaluation: Evaluation, primary: str) -> tuple[QueryLine, ...]:
    """The queries, those on which the pipelines disagree most first, unanswered ones next.

    Disagreement is the largest minus the smallest value of the measure. Ties keep the order asked.
    """
    lines = [_query_line(evaluation, query.id, query.text, primary)
             for query in evaluation.design.queries]  # fmt: skip
    return tuple(
        sorted(
            lines,
            key=lambda line: (-(line.spread or 0.0), not any(v is None for v in line.values)),
        )
    )


def p_words(p: float | None) -> str:
    """`p < 0.001`, `p = 0.012`; "no p-value" for too few queries."""
    if p is None:
        return "no p-value"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.0995 else f"p = {p:.2f}"


def signed(value: float) -> str:
    """`+0.21`, `−0.05`, `0.00`, with a true minus; two decimals, three when small."""
    digits_text = f"{abs(value):.2f}" if abs(value) >= 0.095 else f"{abs(value):.3f}"
    if not float(digits_text):
        return digits_text
    return f"+{digits_text}" if value > 0 else f"−{digits_text}"


def interval(paired: Paired) -> str:
    """`[+0.15, +0.27]`, empty when there are too few queries."""
    if paired.low is None or paired.high is None:
        return ""
    return f"[{signed(paired.low)}, {signed(paired.high)}]"


def interval_scale(rows: Sequence[Row]) -> float:
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


def _row(
    evaluation: Evaluation,
    outcome: Outcome,
    label: str,
    baseline: str,
    compared: tuple[Sequence[str], Mapping[str, Paired]],
) -> Row:
    best, paired = compared
    return Row(
        outcome.pipeline,
        label,
        outcome.pipeline == baseline,
        outcome.pipeline in best,
        outcome.measures,
        paired.get(outcome.pipeline),
        outcome.queries,
        outcome.measured,
        ledger(outcome),
        _unjudged(evaluation, outcome.pipeline),
        outcome.latency.p50,
        outcome.latency.p95,
    )


def _unjudged(evaluation: Evaluation, spec: str) -> float | None:
    seen = unknown = 0
    qrels = evaluation.design.qrels
    for query_id, row in evaluation.per_query.items():
        cell = evaluation.cells.get((query_id, spec))
        if spec not in row or cell is None or cell.ranking is None:
            continue
        first = cell.ranking.doc_ids[:_UNJUDGED_DEPTH]
        seen += len(first)
        unknown += sum(doc_id not in qrels[query_id] for doc_id in first)
    return unknown / seen if seen else None


def _sentence(
    evaluation: Evaluation,
    primary: str,
    baseline: str,
    labels: Mapping[str, str],
    paired: Mapping[str, Paired],
) -> str:
    if not evaluation.design.qrels:
        return "Nothing is judged here: rankings and times are kept, but there is nothing to score."
    common = evaluation.common_measures
    means = {spec: m[primary] for spec, m in common.items() if m.get(primary) is not None}
    if not evaluation.cells:
        return "No query has been asked yet."
    if not means or _incomparable(evaluation):
        return _too_few(evaluation, labels)
    queries = _on_queries(evaluation)
    if len(means) == 1 or baseline not in means:
        best = max(means, key=lambda spec: means[spec] or 0.0)
        return f"{queries}, {labels[best]} reaches {means[best]:.2f} {primary}."
    challenger = max(paired.values(), key=lambda one: (one.difference, one.b))
    return f"{queries}, {_verdict(challenger, labels, primary)}"


def _incomparable(evaluation: Evaluation) -> bool:
    """True when a pipeline answered nothing, or all of them only a handful of what was asked."""
    if len(evaluation.outcomes) < 2:
        return False
    few = len(evaluation.common) < min(_HANDFUL, _judged_asked(evaluation))
    return few or not all(one.measured for one in evaluation.outcomes)


def _too_few(evaluation: Evaluation, labels: Mapping[str, str]) -> str:
    """`Not finished: bm25 answered 3 of 60 queries, dense 0; nothing to compare yet.`"""
    total_queries = counted(_judged_asked(evaluation), "query", "queries")
    first, *others = evaluation.outcomes
    counts_text = [f"{labels[first.pipeline]} answered {first.measured:,} of {total_queries}"]
    counts_text += [f"{labels[outcome.pipeline]} {outcome.measured:,}" for outcome in others]
    cancelled = any(one.status.get(Status.CANCELLED) for one in evaluation.outcomes)
    pending = any(one.pending > 0 for one in evaluation.outcomes)
    begun = "Cancelled: " if cancelled else "Not finished: " if pending else ""
    silent = not all(outcome.measured for outcome in evaluation.outcomes)
    what = "too few in common" if evaluation.common and not silent else "nothing"
    return f"{begun}{', '.join(counts_text)}; {what} to compare{' yet' if begun else ''}."


def _judged_asked(evaluation: Evaluation) -> int:
    return sum(query.id in evaluation.design.qrels for query in evaluation.design.queries)


def _on_queries(evaluation: Evaluation) -> str:
    common = len(evaluation.common)
    total_queries = len(evaluation.design.queries)
    if common == total_queries:
        return f"On {counted(common, 'query', 'queries')}"
    total = counted(total_queries, "query", "queries")
    return f"On the {common:,} of {total} that all pipelines answered"


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
            return f"{b} beats {a} by {best_rows}; {holm}; {tally}."
        return f"nothing beats {a}: {b} comes next and is worse by {best_rows}; {holm}; {tally}."
    lead = f"{b} is not shown to differ from {a}"
    if one.difference > 0:
        lead = f"{b} looks better than {a}, but that may be chance"
    sentences = ""
    if one.detectable:
        sentences = (
            f" So few queries hardly tell a difference below {one.detectable:.2f} from chance."
        )
    best_rows = f"{signed(one.difference)} {primary} {interval(one)}".rstrip()
    return f"{lead}: {best_rows}; {holm}; {tally}.{sentences}"


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


def _query_line(evaluation: Evaluation, query_id: str, text: str, primary: str) -> QueryLine:
    measured = evaluation.per_query.get(query_id, {})
    specs = evaluation.design.pipelines
    values = tuple(measured[s].get(primary) if s in measured else None for s in specs)
    cells = [evaluation.cells.get((query_id, spec)) for spec in specs]
    statuses = tuple(cell.status.value if cell else "not asked yet" for cell in cells)
    known = [value for value in values if value is not None]
    spread = max(known) - min(known) if len(known) > 1 else None
    return QueryLine(query_id, text, values, statuses, spread)
