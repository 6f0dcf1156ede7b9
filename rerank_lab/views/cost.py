"""What pipelines cost, in words and rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rerank_lab.decision.cost import PipelineCost, ProviderCost, break_even
from rerank_lab.views.formatting import counted, figures
from rerank_lab.views.hosted import money

Labels = Mapping[str, str]
"""The name of each pipeline, by spec."""
HEADINGS = (
    "Pipeline", "1,000 queries", "A month", "Providers, 1,000 queries", "Machines",
    "Queries a second a machine", "Prices of",
)  # fmt: skip
ABSENT = "unknown"
_SOURCES = {"load": "load study", "evaluation": "one after the other", "typed": "typed"}


_POINTS = 120
"""Of a line, over four powers of ten."""


@dataclass(frozen=True, slots=True)
class CostLine:
    """USD a month of one pipeline at each of the loads; `slot` is its place among all pipelines."""

    label: str
    slot: int
    usd: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class CostCurves:
    """Costs by load: queries a month, `load` being the present one, and a line a known price."""

    load: int
    loads: tuple[int, ...]
    lines: tuple[CostLine, ...]


def cost_sentence(costs: Sequence[PipelineCost], labels: Labels) -> str:
    """The answer: which known price is the lowest at this load, or what is missing for all."""
    known = [cost for cost in costs if cost.usd_per_thousand is not None]
    if not known:
        missing = dict.fromkeys(text for cost in costs for text in cost.unknown)
        return f"No price is known yet. Missing: {', '.join(missing)}."
    cheapest = min(known, key=lambda cost: cost.usd_per_thousand or 0.0)
    queries = cheapest.terms.queries_per_month
    sentence = (
        f"At {counted(queries, 'query', 'queries')} a month, {labels[cheapest.pipeline]} costs "
        f"{money(cheapest.usd_per_thousand or 0.0)} for 1,000 queries, "
        f"{money(cheapest.usd_per_month or 0.0)} a month"
    )
    if len(costs) > 1:
        sentence += ", the least of those whose price is known"
    return f"{sentence}."


def cost_rows(costs: Sequence[PipelineCost], labels: Labels) -> list[tuple[str, ...]]:
    """A row a pipeline, under `HEADINGS`."""
    return [
        (
            labels[cost.pipeline],
            _usd(cost.usd_per_thousand),
            _usd(cost.usd_per_month),
            _usd(None if cost.provider_usd is None else 1000 * cost.provider_usd),
            ABSENT if cost.machines is None else f"{cost.machines:,}",
            _capacity(cost),
            cost.as_of or "–",
        )
        for cost in costs
    ]


def _usd(amount: float | None) -> str:
    return ABSENT if amount is None else money(amount)


def _capacity(cost: PipelineCost) -> str:
    if not cost.capacity.needed:
        return "–"
    if cost.capacity.queries_per_s is None:
        return ABSENT
    return f"{figures(cost.capacity.queries_per_s)} ({_SOURCES[cost.capacity.source]})"


def unknown_lines(costs: Sequence[PipelineCost], labels: Labels) -> list[str]:
    """What is missing for the price of a pipeline, and what a price leaves out."""
    lines = []
    for cost in costs:
        if cost.unknown:
            lines.append(f"{labels[cost.pipeline]}: not known: {'; '.join(cost.unknown)}.")
        elif cost.left_out:
            lines.append(
                f"{labels[cost.pipeline]}: without the hardware of your own that its other stages "
                "run on, whose price is not typed."
            )
    return lines


def provider_lines(costs: Sequence[PipelineCost], labels: Labels) -> list[str]:
    """What each provider is asked for one query, and by which price."""
    return [
        f"{labels[cost.pipeline]}: {_provider_words(provider)}"
        for cost in costs
        for provider in cost.providers
        if provider.queries
    ]


def _provider_words(one: ProviderCost) -> str:
    calls = f"{figures(one.calls)} call{'' if one.calls == 1 else 's'}"
    unit = one.unit.removesuffix("s") if one.units == 1 else one.unit
    words = f"{one.model}, about {calls} and {figures(one.units, 4)} {unit} a query"
    if one.usd is None:
        return f"{words}, price unknown"
    source = {
        "price list": f"by the price of {one.as_of}",
        "typed": "by the price that you typed",
        "own server": "on a server of your own that bills nothing",
    }.get(one.source, "")
    return f"{words}, {money(one.usd)} {source}".rstrip()


def break_even_lines(costs: Sequence[PipelineCost], labels: Labels) -> list[str]:
    """For each hosted and each own pipeline, from how many queries a month the own is cheaper."""
    lines = []
    for own in (cost for cost in costs if not cost.billed):
        for hosted in (cost for cost in costs if cost.billed):
            crossing = break_even(hosted, own)
            if crossing is None:
                continue
            names = f"{labels[own.pipeline]} on your hardware", labels[hosted.pipeline]
            if crossing.first is None:
                lines.append(f"{names[0]} never becomes cheaper than {names[1]}.")
                continue
            line = f"{names[0]} is cheaper than {names[1]} "
            line += (
                f"from {_count(crossing.first)} queries a month on"
                if crossing.first
                else "at any load, as both need a machine"
            )
            if crossing.lasting is None:
                line += ", but not for good: more machines make it dearer again"
            elif crossing.lasting > crossing.first * 1.01:
                line += f", and for good from {_count(crossing.lasting)}"
            lines.append(f"{line}.")
    return lines


def _count(queries: float) -> str:
    """Three figures of a number of queries, rounded up: a break-even is no exact number."""
    step = 10 ** max(0, math.floor(math.log10(max(1.0, queries))) - 2)
    return f"{math.ceil(queries / step) * step:,}"


def cost_curves(costs: Sequence[PipelineCost], labels: Labels) -> CostCurves:
    """The costs of pipelines from a hundredth to a hundred times the present load."""
    load = max(1, costs[0].terms.queries_per_month)
    loads = tuple(round(load * 10 ** (-2 + 4 * n / _POINTS)) or 1 for n in range(_POINTS + 1))
    lines = tuple(
        CostLine(labels[cost.pipeline], slot, at_loads(cost, loads))
        for slot, cost in enumerate(costs)
        if cost.usd_per_month is not None
    )
    return CostCurves(load, loads, lines)


def at_loads(cost: PipelineCost, loads: Sequence[int]) -> tuple[float | None, ...]:
    """USD a month of a pipeline at other loads."""
    return tuple(
        replace(cost, terms=replace(cost.terms, queries_per_month=queries)).usd_per_month
        for queries in loads
    )
