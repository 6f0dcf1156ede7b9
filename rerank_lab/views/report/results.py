"""The table of results, the differences with their intervals and tests, and the ledger."""

from __future__ import annotations

from rerank_lab.core.types import Status
from rerank_lab.decision.report.document import (
    Block,
    Bullets,
    Chart,
    Inline,
    Letters,
    Paragraph,
    ReportNumber,
    ReportSection,
    ReportTable,
    Strong,
    Verbatim,
    Words,
)
from rerank_lab.decision.report.svg import IntervalMark, interval_chart
from rerank_lab.evaluation.experiments.columns import ResultRow
from rerank_lab.evaluation.statistics import RESAMPLED_FROM, Paired
from rerank_lab.views.evaluate import ALPHA, interval_note
from rerank_lab.views.evaluate_lines import tags
from rerank_lab.views.evaluate_tables import beaten_letters, has_marks
from rerank_lab.views.report.context import ReportContext
from rerank_lab.views.report.numbers import (
    ABSENT,
    ZERO,
    count,
    interval_words,
    measure_words,
    number,
    optional,
    p_value,
    share_words,
    time_words,
)
from rerank_lab.views.results_table import signed

LEVEL = number("95 %", 0.95, "setting", "level")


def results(context: ReportContext) -> ReportSection:
    """Means of every measure with marks of significance, and times."""
    view, evaluation = context.view, context.evaluation
    measures = [column.heading for column in view.columns if column.unit == "measure"]
    marked = {column.heading: beaten_letters(evaluation, column.heading)
              for column in view.columns if has_marks(column)}  # fmt: skip
    headings: list[Words] = [("Pipeline",), *((Verbatim(name),) for name in measures)]
    headings += [("p50 a query",), ("p95",)]
    rows = [
        (
            _marked_name(context, row),
            *(_mean(context, row, name, marked.get(name)) for name in measures),
            _time(context, row, row.p50, "p50"),
            _time(context, row, row.outcome.latency.p95, "p95"),
        )
        for row in view.rows
    ]
    numbers = (False, *[True] * (len(headings) - 1))
    blocks: list[Block] = [ReportTable(tuple(headings), tuple(rows), numbers)]
    if evaluation.comparable and len(view.rows) > 1:
        blocks.append(Paragraph(_marks_explained(context), "note"))
    blocks += _notes(context)
    return ReportSection("results", "Results", tuple(blocks))


def differences(context: ReportContext) -> ReportSection:
    """Each pipeline against the baseline: interval, test, wins and losses."""
    view = context.view
    compared = [(row, row.paired) for row in view.rows if row.paired is not None]
    baseline = context.name(context.evidence.baseline)
    title = "Differences"
    if not compared:
        words: Words = ("Too little was answered by all pipelines to compare any.",)
        return ReportSection("differences", title, (Paragraph(words),))
    marks = [
        IntervalMark(row.label, one.difference, one.low, one.high, context.places[row.spec])
        for row, one in compared
    ]
    alternative = f"{view.primary} against {baseline.text}, with intervals"
    blocks: list[Block] = [
        Paragraph(
            (
                Verbatim(view.primary),
                " against the baseline ",
                baseline,
                ", on the ",
                count(view.common, "count", "common"),
                " queries that all answered.",
            )
        ),
        Chart(interval_chart(marks, alternative, f"difference in {view.primary}"), alternative),
        _differences_table(context, compared),
        Paragraph(_method(), "note"),
    ]
    notes = [
        (context.name(row.spec), ": ", *context.sentence(note, [ZERO]))
        for row, one in compared
        if (note := interval_note(one))
    ]
    blocks += [Bullets(tuple(notes))] if notes else []
    return ReportSection("differences", title, tuple(blocks))


def ledger(context: ReportContext) -> ReportSection:
    """What became of every query, by pipeline, and the errors."""
    rows = [
        (
            context.name(row.spec),
            row.outcome,
            context.places[row.spec],
        )
        for row in context.view.rows
    ]
    statuses = [
        status for status in Status if any(outcome.status.get(status) for _, outcome, _ in rows)
    ]
    headings: list[Words] = [("Pipeline",), ("asked",), *((str(status),) for status in statuses)]
    headings += [("not asked yet",), ("measured",), ("timed",), ("unjudged at the top",)]
    table: list[tuple[Words, ...]] = [
        (
            (name,),
            (count(outcome.queries, "count", "queries"),),
            *((count(outcome.status.get(s, 0), "status", place, str(s)),) for s in statuses),
            (count(max(0, outcome.pending), "pending", place),),
            (count(outcome.measured, "measured", place),),
            (count(outcome.latency.cells, "timed", place),),
            share_words(context.rows[outcome.pipeline].unjudged, "unjudged", place),
        )
        for name, outcome, place in rows
    ]
    depth = context.view.rows[0].judging_depth
    blocks: list[Block] = [
        ReportTable(tuple(headings), tuple(table), (False, *[True] * (len(headings) - 1))),
        Paragraph(
            (
                "A query without an answer is counted here and never scored as a loss. Unjudged: "
                "the share of the first ", count(depth, "setting", "judging_depth"),
                " documents that nobody judged; they count as not relevant.",
            ),
            "note",
        ),
    ]  # fmt: skip
    problems = [
        (Verbatim(f"{one.label} {one.status}: {one.message}"), " ", Verbatim(one.hint))
        for one in context.view.problems
    ]
    blocks += [Bullets(tuple(problems))] if problems else []
    return ReportSection("ledger", "What became of every query", tuple(blocks))


def _marked_name(context: ReportContext, row: ResultRow) -> Words:
    marks = tags(row, context.view.rows)
    return (*context.lettered(row.spec), f" ({', '.join(marks)})" if marks else "")


def _mean(
    context: ReportContext, row: ResultRow, name: str, marks: dict[str, tuple[str, ...]] | None
) -> Words:
    value, place = row.values.get(name), context.places[row.spec]
    if value is None:
        return ABSENT
    mean = number(f"{value:.3f}", value, "mean", place, name)
    means = [v for one in context.view.rows if (v := one.values.get(name)) is not None]
    best = marks is not None and max(means) > min(means) and value == max(means)
    words: list[Inline] = [Strong(mean) if best else mean]
    beaten = (marks or {}).get(row.spec, ())
    if beaten:
        words.append(Letters("".join(beaten), number("", 0, "beats", place, name).quantity))
    if name in row.beyond and row.candidates:
        words += [" from ", count(row.candidates, "candidates", place)]
    return tuple(words)


def _time(context: ReportContext, row: ResultRow, value: float | None, name: str) -> Words:
    if value is None:
        return (row.untimed or "–",)
    return time_words(value, name, context.places[row.spec])


def _marks_explained(context: ReportContext) -> Words:
    return (
        "Bold: the best value of a measure. Letters: the pipelines that a value significantly "
        "beats (two-sided paired randomisation test on the ",
        count(len(context.evaluation.common), "count", "common"),
        " queries that all answered, Holm-corrected over all pairs of a measure, p < ",
        number(f"{ALPHA:g}", ALPHA, "setting", "alpha"),
        "). Best group: the best mean and those not shown to differ from it.",
    )


def _notes(context: ReportContext) -> list[Block]:
    view = context.view
    blocks: list[Block] = []
    if view.pending:
        words: Words = (
            count(view.done, "count", "cells"), " of ", count(view.size, "count", "all_cells"),
            " answers are in; everything here is over these.",
        )  # fmt: skip
        blocks.append(Paragraph(words, "warning"))
    numbers: list[ReportNumber] = [
        count(len(context.evaluation.common), "count", "common"),
        count(context.evaluation.judged_asked, "count", "judged"),
        count(len(context.evaluation.design.queries), "count", "queries"),
    ]
    numbers += [count(row.measured, "measured", context.places[row.spec]) for row in view.rows]
    if view.basis:
        blocks.append(Paragraph(context.sentence(view.basis, numbers), "warning"))
    blocks += [Paragraph((Verbatim(note),), "note") for note in view.notes]
    return blocks


def _differences_table(
    context: ReportContext, compared: list[tuple[ResultRow, Paired]]
) -> ReportTable:
    headings: tuple[Words, ...] = (
        ("Pipeline",), ("difference",), (LEVEL, " interval"), ("p, Holm-corrected",),
        ("p of the t-test",), ("wins",), ("losses",), ("ties",), ("detectable",),
    )  # fmt: skip
    rows = []
    for row, one in compared:
        of = ("paired", context.places[row.spec])
        rows.append(
            (
                context.lettered(row.spec),
                (number(signed(one.difference), one.difference, *of, "difference"),),
                interval_words(one.low, one.high, *of) or ABSENT,
                p_value(one.p_holm, *of, "p_holm"),
                p_value(one.p_t, *of, "p_t"),
                (count(one.wins, *of, "wins"),),
                (count(one.losses, *of, "losses"),),
                (count(one.ties, *of, "ties"),),
                measure_words(one.detectable, *of, "detectable"),
            )
        )
    return ReportTable(headings, tuple(rows), (False, *[True] * 8))


def _method() -> Words:
    return (
        "Interval, of this comparison alone: bootstrap (BCa with widened tails, ",
        number("10,000", 10_000, "setting", "resamples"), " resamples), Student's for fewer than ",
        number(f"{RESAMPLED_FROM}", RESAMPLED_FROM, "setting", "resampled_from"), " queries. p: "
        "paired randomisation test, corrected for all comparisons with the baseline; it decides. "
        "Detectable: the smallest true difference that so many queries would show with "
        "power ",
        *optional(0.8, "0.8", "setting", "power"), ".",
    )  # fmt: skip
