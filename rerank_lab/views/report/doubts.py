"""What bounds the results: the first stage, unjudged documents, the choice of the measure."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.decision.report.document import (
    Block,
    Bullets,
    Inline,
    Paragraph,
    ReportSection,
    ReportTable,
    Verbatim,
    Words,
)
from rerank_lab.evaluation.first_stage import Headroom, first_stage_headroom
from rerank_lab.evaluation.sensitivity import MeasureWinner, sensitivity
from rerank_lab.evaluation.unjudged import UnjudgedBounds, unjudged_bounds
from rerank_lab.views.report.context import ReportContext
from rerank_lab.views.report.numbers import (
    count,
    measure_words,
    number,
    share_words,
)

_SCENARIOS = {
    "irrelevant": "if no unjudged document is relevant",
    "relevant": "if every unjudged document is relevant",
    "condensed": "without unjudged documents (condensed lists)",
}


def ceilings(context: ReportContext) -> ReportSection:
    """How much the candidates allow: recall, and the best order of the same candidates."""
    title = "Recall ceilings"
    headrooms = first_stage_headroom(context.evaluation, context.evidence.primary)
    if not headrooms:
        words: Words = ("No judged query was answered by all pipelines.",)
        return ReportSection("ceilings", title, (Paragraph(words),))
    primary = Verbatim(context.evidence.primary)
    headings: tuple[Words, ...] = (
        ("Pipeline",), ("candidates a query",), ("relevant among them",), (primary, " reached"),
        (primary, " of the best order"), ("left for a reranker",), ("queries without any",),
    )  # fmt: skip
    note: Words = (
        "A reranker cannot find what it was not given: the best order is that of the very "
        "documents that a pipeline ranked. The distance from there to ",
        number("1", 1, "constant"),
        " is for a better first stage.",
    )
    table = ReportTable(
        headings,
        tuple(_ceiling_row(context, one) for one in headrooms),
        (False, *[True] * (len(headings) - 1)),
    )
    return ReportSection("ceilings", title, (table, Paragraph(note, "note")))


def _ceiling_row(context: ReportContext, one: Headroom) -> tuple[Words, ...]:
    of = ("ceiling", context.places[one.pipeline])
    return (
        context.lettered(one.pipeline),
        (number(f"{one.candidates:,.1f}", one.candidates, *of, "candidates"),),
        share_words(one.recall, *of, "recall"),
        measure_words(one.reached, *of, "reached"),
        measure_words(one.oracle, *of, "oracle"),
        measure_words(one.gap, *of, "gap"),
        (count(one.empty, *of, "empty"),),
    )


def doubts(context: ReportContext) -> ReportSection:
    """Whether unjudged documents or another measure would name another winner."""
    blocks: list[Block] = []
    bounds = unjudged_bounds(context.evaluation, context.evidence.primary)
    if bounds is not None:
        blocks += _bounds(context, bounds)
    winners = sensitivity(context.evaluation, context.evidence.primary)
    if winners is not None:
        blocks += _winners(context, winners.primary, winners.others)
    if not blocks:
        blocks.append(Paragraph(("Too little is judged or answered to say.",)))
    return ReportSection("doubts", "What could change the winner", tuple(blocks))


def _bounds(context: ReportContext, bounds: UnjudgedBounds) -> list[Block]:
    verdict: Words = (
        "Unjudged documents among the first ", count(bounds.depth, "setting", "judging_depth"),
        " of any pipeline: ", count(bounds.unjudged, "unjudged_pairs"), ". ",
    )  # fmt: skip
    if bounds.overtaken:
        others: list[Inline] = [context.name(bounds.winner), " has the best mean as it is reported"]
        for scenario in bounds.overtaken:
            words = _SCENARIOS[scenario.name]
            others += ["; ", words, " it is ", context.name(scenario.winner)]
        verdict = (*verdict, "The winner depends on them: ", *others, ".")
    else:
        verdict = (
            *verdict, context.name(bounds.winner), " has the best mean whether all of them are "
            "relevant, none is, or they are left out.",
        )  # fmt: skip
    if bounds.threats:
        names: list[Inline] = []
        for spec in bounds.threats:
            names += [context.name(spec), ", "]
        verdict = (
            *verdict, " If just those that it places higher were relevant, this would be ahead: ",
            *names[:-1], ".",
        )  # fmt: skip
    headings: tuple[Words, ...] = (
        ("Pipeline",), ("judged of the first ", count(bounds.depth, "setting", "judging_depth")),
        ("unjudged irrelevant",), ("its unjudged relevant",), ("condensed lists",),
    )  # fmt: skip
    rows = []
    for one in bounds.pipelines:
        of = ("bounds", context.places[one.pipeline])
        rows.append(
            (
                context.lettered(one.pipeline),
                share_words(one.judged, *of, "judged"),
                measure_words(one.low, *of, "low"),
                measure_words(one.high, *of, "high"),
                measure_words(one.condensed, *of, "condensed"),
            )
        )
    table = ReportTable(headings, tuple(rows), (False, *[True] * 4))
    return [Paragraph(verdict, "warning" if bounds.winner_changes else "plain"), table]


def _winners(
    context: ReportContext, primary: MeasureWinner, others: Sequence[MeasureWinner]
) -> list[Block]:
    """Measures by which another pipeline has the best mean."""
    if not others:
        words: Words = (
            context.name(primary.winner), " has the best mean by every other measure looked at.",
        )  # fmt: skip
        return [Paragraph(words)]
    items = []
    for one in others:
        place, first = context.places[one.winner], context.places[primary.winner]
        shown = "" if primary.winner in one.group else ", and this is more than chance"
        items.append(
            (
                "by ", Verbatim(one.measure), " ", context.name(one.winner), " (",
                *measure_words(one.means[one.winner], "common_mean", place, one.measure),
                " against ",
                *measure_words(one.means[primary.winner], "common_mean", first, one.measure),
                f"){shown}",
            )
        )  # fmt: skip
    lead: Words = (
        "By ", Verbatim(primary.measure), " ", context.name(primary.winner),
        " has the best mean; another pipeline has it",
    )  # fmt: skip
    return [Paragraph((*lead, ":")), Bullets(tuple(items))]
