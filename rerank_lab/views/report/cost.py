"""What pipelines cost at the team's load, from what they were measured to do and dated prices."""

from __future__ import annotations

from rerank_lab.decision.cost import PipelineCost
from rerank_lab.decision.report.document import (
    Block,
    Bullets,
    Paragraph,
    ReportSection,
    ReportTable,
    Verbatim,
    Words,
)
from rerank_lab.views.cost import break_even_lines, cost_sentence, provider_lines, unknown_lines
from rerank_lab.views.formatting import figures
from rerank_lab.views.hosted import money
from rerank_lab.views.report.context import ReportContext
from rerank_lab.views.report.numbers import ABSENT, count, number


def cost(context: ReportContext) -> ReportSection:
    """The load, a table, what providers are asked, when own hardware pays, what is unknown."""
    costs, names = context.evidence.costs, context.names
    terms = context.evidence.decision.required.terms
    load: Words = (
        "Reckoned for ", count(terms.queries_per_month, "decision", "required", "terms",
                               "queries_per_month"),
        " queries a month.",
    )  # fmt: skip
    headings: tuple[Words, ...] = (
        ("Pipeline",), ("USD for ", number("1,000", 1000, "constant"), " queries"),
        ("USD a month",), ("machines",), ("queries a second a machine",), ("prices of",),
    )  # fmt: skip
    lines = provider_lines(costs, names) + break_even_lines(costs, names)
    lines += unknown_lines(costs, names)
    blocks: list[Block] = [
        Paragraph((Verbatim(cost_sentence(costs, names)),)),
        Paragraph(load),
        ReportTable(
            headings,
            tuple(_row(context, one) for one in costs),
            (False, True, True, True, True, False),
        ),
    ]
    if lines:
        blocks.append(Bullets(tuple((Verbatim(line),) for line in lines)))
    return ReportSection("cost", "Cost", tuple(blocks))


def _row(context: ReportContext, one: PipelineCost) -> tuple[Words, ...]:
    of = ("cost", context.places[one.pipeline])
    capacity = one.capacity.queries_per_s
    return (
        context.lettered(one.pipeline),
        _usd(one.usd_per_thousand, *of, "usd_per_thousand"),
        _usd(one.usd_per_month, *of, "usd_per_month"),
        ABSENT if one.machines is None else (count(one.machines, *of, "machines"),),
        ABSENT if capacity is None else (number(figures(capacity), capacity, *of, "capacity"),),
        (Verbatim(one.as_of),) if one.as_of else ABSENT,
    )


def _usd(amount: float | None, *quantity: str | int) -> Words:
    return ("not known",) if amount is None else (number(money(amount), amount, *quantity),)
