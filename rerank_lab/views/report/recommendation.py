"""What to do, why, what would decide, what was required and who fell for what."""

from __future__ import annotations

from rerank_lab.core.text import dollars, duration_words, megabytes
from rerank_lab.decision.choice import Contender
from rerank_lab.decision.report.document import (
    Block,
    Bullets,
    Paragraph,
    ReportNumber,
    ReportSection,
    Words,
)
from rerank_lab.decision.wording import headline, reasons
from rerank_lab.views.report.context import ReportContext
from rerank_lab.views.report.numbers import ZERO, Part, count, fact_numbers, number, paired_numbers

_LICENCES = {"commercial": "licences that allow commercial use", "open": "open source licences"}


def recommendation(context: ReportContext) -> ReportSection:
    """The answer first, then what it stands on."""
    decision = context.evidence.decision
    design = context.evaluation.design
    blocks: list[Block] = []
    if not design.qrels:
        blocks.append(Paragraph((context.view.sentence,), "lead"))
        return ReportSection("recommendation", "Recommendation", tuple(blocks))
    objected, ids = _objection_numbers(context)
    lead = context.sentence(headline(decision, context.names), objected, *ids)
    blocks.append(Paragraph(lead, "lead"))
    blocks.append(Paragraph(_summary(context)))
    why = [
        context.sentence(one, [*_reason_numbers(context), *objected], *ids)
        for one in reasons(decision, context.names)
    ]
    if why:
        blocks.append(Bullets(tuple(why)))
    if decision.steps:
        depth = count(context.view.rows[0].judging_depth, "setting", "judging_depth")
        steps = []
        for place, step in enumerate(decision.steps):
            numbers = [depth, count(decision.queries, "count", "common")]
            if step.count is not None:
                numbers.insert(0, count(step.count, "decision", "steps", place, "count"))
            steps.append(context.sentence(step.sentence, numbers))
        blocks += [Paragraph(("What would decide:",)), Bullets(tuple(steps))]
    blocks += _required(context)
    blocks += _fallen(context)
    return ReportSection("recommendation", "Recommendation", tuple(blocks))


def _summary(context: ReportContext) -> Words:
    """The sentence of the Evaluate page."""
    evaluation, view = context.evaluation, context.view
    numbers = [
        count(len(evaluation.common), "count", "common"),
        count(len(evaluation.design.queries), "count", "queries"),
        count(evaluation.judged_asked, "count", "judged"),
    ]
    challengers = [row.paired for row in view.rows if row.paired is not None]
    if challengers:
        best = max(challengers, key=lambda one: (one.difference, one.b))
        numbers += paired_numbers(best, "paired", context.places[best.b])
    for row in view.rows:
        place = context.places[row.spec]
        mean = evaluation.common_measures[row.spec].get(view.primary)
        if mean is not None:
            numbers.append(number(f"{mean:.2f}", mean, "common_mean", place, view.primary))
        if row.unjudged is not None:
            numbers.append(number(f"{row.unjudged:.0%}", row.unjudged, "unjudged", place))
        numbers.append(count(row.judging_depth, "setting", "judging_depth"))
        numbers.append(count(row.measured, "measured", place))
        if row.candidates:
            numbers.append(count(row.candidates, "candidates", place))
    return context.sentence(view.sentence, [*numbers, ZERO])


def _objection_numbers(context: ReportContext) -> tuple[list[ReportNumber], list[str]]:
    """The numbers that objections may say, and the ids of documents in them."""
    decision = context.evidence.decision
    margin = decision.required.margin
    numbers = [
        count(value, "decision", "objections", place, "counts", position)
        for place, one in enumerate(decision.objections)
        for position, value in enumerate(one.counts)
    ]
    numbers.append(number(f"{margin:g}", margin, "decision", "required", "margin"))
    numbers += [ZERO, number("1", 1, "constant")]
    return numbers, [one for objection in decision.objections for one in objection.ids]


def _reason_numbers(context: ReportContext) -> list[ReportNumber]:
    """What the reasons of a decision may say, in the order in which they say it."""
    decision, places = context.evidence.decision, context.places
    numbers: list[ReportNumber] = []
    for pair in decision.comparisons:
        one = pair.paired
        numbers += paired_numbers(one, "pair", places[one.a], places[one.b])
    margin = decision.required.margin
    numbers.append(number(f"{margin:g}", margin, "decision", "required", "margin"))
    numbers += _fact_numbers(context, places[decision.pipeline]) if decision.pipeline else []
    numbers += [number("95", 95, "constant"), number("100", 100, "constant")]
    numbers.append(number("1,000", 1000, "constant"))
    return numbers


def _fact_numbers(context: ReportContext, place: int) -> list[ReportNumber]:
    """The facts of a pipeline as sentences write them."""
    facts = context.evidence.decision.contenders[place].facts
    of: tuple[Part, ...] = ("decision", "contenders", place, "facts")
    p95 = None if facts.p95.value is None else facts.p95.value.value
    return [
        *fact_numbers(p95, (*of, "p95", "value", "value"), "seconds"),
        *fact_numbers(facts.price.value, (*of, "price", "value"), "usd"),
        *fact_numbers(facts.memory.value, (*of, "memory", "value"), "bytes"),
    ]


def _required(context: ReportContext) -> list[Block]:
    """The requirements that are set, or that none is."""
    required = context.evidence.decision.required
    of = ("decision", "required")
    lines: list[Words] = []
    if required.p95 is not None:
        limit = number(duration_words(required.p95), required.p95, *of, "p95")
        lines.append(("p95 of at most ", limit, " a query"))
    if required.price is not None:
        limit = number(dollars(required.price), required.price, *of, "price")
        lines.append(("at most ", limit, " for ", number("1,000", 1000, "constant"), " queries"))
    if required.licence in _LICENCES:
        lines.append((_LICENCES[required.licence],))
    if required.languages:
        lines.append((f"models for {', '.join(required.languages)}",))
    lines += [("texts stay in the house",)] if required.local else []
    lines += [("it runs without a GPU",)] if required.no_gpu else []
    if required.memory is not None:
        limit = number(megabytes(required.memory), required.memory, *of, "memory")
        lines.append(("models of at most ", limit))
    margin = number(f"{required.margin:g}", required.margin, *of, "margin")
    note = Paragraph(("A difference of up to ", margin, " does not matter here."), "note")
    if not lines:
        return [Paragraph(("Nothing was required of a pipeline but quality.",)), note]
    return [Paragraph(("Required:",)), Bullets(tuple(lines)), note]


def _fallen(context: ReportContext) -> list[Block]:
    """Who fell, and for what."""
    fallen = context.evidence.decision.fallen
    if not fallen:
        return []
    return [
        Paragraph(("Out of the running:",)),
        Bullets(tuple(_fall(context, contender) for contender in fallen)),
    ]


def _fall(context: ReportContext, contender: Contender) -> Words:
    decision = context.evidence.decision
    required, of = decision.required, ("decision", "required")
    numbers = _fact_numbers(context, context.places[contender.pipeline])
    numbers += fact_numbers(required.p95, (*of, "p95"), "seconds")
    numbers += fact_numbers(required.price, (*of, "price"), "usd")
    numbers += fact_numbers(required.memory, (*of, "memory"), "bytes")
    numbers.append(number("1,000", 1000, "constant"))
    sentences = "; ".join(one.sentence.rstrip(".") for one in contender.unmet)
    of_facts = ("decision", "contenders", context.places[contender.pipeline], "facts")
    numbers.append(count(contender.facts.failed, *of_facts, "failed"))
    numbers.append(count(contender.facts.queries, *of_facts, "queries"))
    models = [part.model for part in contender.facts.licences.value or ()]
    return (
        context.name(contender.pipeline),
        ": ",
        *context.sentence(f"{sentences}.", numbers, *models),
    )
