"""What is known of each pipeline beside its quality: speed, price, licences, where texts go."""

from __future__ import annotations

from rerank_lab.core.languages import language_name
from rerank_lab.core.text import dollars, duration_words, megabytes
from rerank_lab.core.types import Bounded
from rerank_lab.decision.choice import Contender
from rerank_lab.decision.facts import MANY_LANGUAGES, KnownFact
from rerank_lab.decision.report.document import (
    Block,
    Bullets,
    Chart,
    Inline,
    Paragraph,
    ReportSection,
    ReportTable,
    Verbatim,
    Words,
)
from rerank_lab.decision.report.svg import IntervalMark, PointMark, point_chart
from rerank_lab.views.report.context import ReportContext
from rerank_lab.views.report.numbers import Part, number, plain_interval
from rerank_lab.views.report.results import LEVEL

_UNKNOWN: Words = ("not known",)
_NAMES = {"sends_to": "texts go to", "gpu": "GPU"}


def facts(context: ReportContext) -> ReportSection:
    """Quality against p95, and a table of what else decides."""
    decision = context.evidence.decision
    blocks: list[Block] = []
    marks = [_point(context, one) for one in decision.contenders]
    points = [mark for mark in marks if mark is not None]
    if len(points) > 1:
        alternative = (
            f"{decision.measure} (up is better) against the 95th percentile of latency (left is "
            "better); pale: out of the running or dominated"
        )
        axes = ("p95 in seconds", decision.measure)
        blocks.append(Chart(point_chart(points, alternative, *axes), alternative))
    blocks.append(_table(context))
    blocks += _dominated(context)
    blocks += [Paragraph(("Where each of these is from:",)), Bullets(tuple(_sources(context)))]
    return ReportSection("facts", "Quality, speed, price and terms", tuple(blocks))


def _point(context: ReportContext, contender: Contender) -> PointMark | None:
    quality, p95 = contender.facts.quality.value, contender.facts.p95.value
    if quality is None or p95 is None:
        return None
    label, slot = context.names[contender.pipeline], context.places[contender.pipeline]
    x, y = (
        IntervalMark(label, bounded.value, bounded.low, bounded.high, slot)
        for bounded in (p95, quality)
    )
    return PointMark(label, x, y, slot, not contender.remains or bool(contender.dominated_by))


def _table(context: ReportContext) -> ReportTable:
    headings: tuple[Words, ...] = (
        ("Pipeline",), (Verbatim(context.evidence.decision.measure),), (LEVEL, " interval"),
        ("p95",), (LEVEL, " interval"),
        ("USD for ", number("1,000", 1000, "constant"), " queries"), ("texts go to",),
        ("licences",), ("languages",), ("GPU",), ("memory",),
    )  # fmt: skip
    contenders = context.evidence.decision.contenders
    return ReportTable(
        headings,
        tuple(_row(context, place, one) for place, one in enumerate(contenders)),
        (False, True, True, True, True, True, False, False, False, False, True),
        faded=frozenset(place for place, one in enumerate(contenders) if not one.remains),
    )


def _row(context: ReportContext, place: int, contender: Contender) -> tuple[Words, ...]:
    known, of = contender.facts, ("decision", "contenders", place, "facts")
    quality, p95 = known.quality.value, known.p95.value
    sends_to, languages = known.sends_to.value, known.languages.value
    licences, gpu = known.licences.value, known.gpu.value
    return (
        context.lettered(contender.pipeline),
        _UNKNOWN
        if quality is None
        else (number(f"{quality.value:.3f}", quality.value, "quality", place, "value"),),
        () if quality is None else plain_interval(quality.low, quality.high, "quality", place),
        _UNKNOWN
        if p95 is None
        else (number(duration_words(p95.value), p95.value, *of, "p95", "value", "value"),),
        () if p95 is None else _seconds_interval(p95, *of, "p95", "value"),
        _amount(known.price, *of, "price", "value"),
        _UNKNOWN if sends_to is None else (Verbatim(", ".join(sends_to) or "nobody"),),
        _UNKNOWN
        if licences is None
        else (Verbatim(", ".join(dict.fromkeys(one.licence for one in licences)) or "no model"),),
        _UNKNOWN if languages is None else (Verbatim(_languages(languages)),),
        _UNKNOWN if gpu is None else ("yes" if gpu else "no",),
        _UNKNOWN
        if known.memory.value is None
        else (number(megabytes(known.memory.value), known.memory.value, *of, "memory", "value"),),
    )


def _seconds_interval(bounded: Bounded, *quantity: Part) -> Words:
    """`[0.21 s, 0.35 s]`; an end that the data cannot bound is open."""
    ends: list[Inline] = []
    for name, end in (("low", bounded.low), ("high", bounded.high)):
        ends.append("open" if end is None else number(duration_words(end), end, *quantity, name))
    return ("[", ends[0], ", ", ends[1], "]")


def _amount(price: KnownFact[float], *quantity: Part) -> Words:
    if price.value is None:
        return _UNKNOWN
    return (number(dollars(price.value), price.value, *quantity),)


def _languages(codes: tuple[str, ...]) -> str:
    if MANY_LANGUAGES in codes:
        return "many"
    names = ", ".join(map(language_name, codes[:4]))
    return f"{names} and more" if len(codes) > 4 else names or "none in common"


def _dominated(context: ReportContext) -> list[Block]:
    """Who is no better, no faster and no cheaper than somebody else."""
    lines: list[Words] = []
    margin = context.evidence.decision.required.margin
    for one in context.evidence.decision.contenders:
        if one.dominated_by:
            better = ", ".join(context.names[spec] for spec in one.dominated_by)
            price = ", and no cheaper." if one.facts.price.known else "; prices are not known."
            lines.append(
                (context.name(one.pipeline), " is slower than ", Verbatim(better),
                 " and shown to be no better by more than ",
                 number(f"{margin:g}", margin, "decision", "required", "margin"), price)
            )  # fmt: skip
    return [Bullets(tuple(lines))] if lines else []


def _sources(context: ReportContext) -> list[Words]:
    """Where facts are from, or why they are not known: said once for pipelines that share it."""
    lines: list[Words] = []
    for name in ("quality", "p95", "price", "licences", "languages", "sends_to", "gpu", "memory"):
        pipelines: dict[str, list[str]] = {}
        for one in context.evidence.decision.contenders:
            source = getattr(one.facts, name).source
            pipelines.setdefault(source, []).append(context.names[one.pipeline])
        for source, names in pipelines.items():
            whose = "" if len(pipelines) == 1 else f" ({', '.join(names)})"
            lines.append((Verbatim(f"{_NAMES.get(name, name)}{whose}: {source}"),))
    return lines
