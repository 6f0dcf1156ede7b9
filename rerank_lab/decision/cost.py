"""What a pipeline costs at a team's own load: providers by the query, own hardware by the hour.

Providers bill what each query asks of them; a machine of one's own costs the same whether it works
or not. So the price of 1,000 queries on own hardware depends on how many come in a month, and
there is a number of queries from which own hardware is cheaper. What is not known is named, never
guessed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

HOURS_A_MONTH = 730.0
_SECONDS_A_MONTH = HOURS_A_MONTH * 3600
HOURLY_PRICE = "the price of an hour of your hardware"
"""What is unknown as long as nobody types it."""


@dataclass(frozen=True, slots=True)
class TypedPrice:
    """A price in USD that a user typed for a model: `option` is the one that its component has.

    `price` is for one unit billed, `price_in` and `price_out` for a million tokens of an LLM.
    """

    model: str
    option: str
    amount: float


@dataclass(frozen=True, slots=True)
class TypedCapacity:
    """Queries a second that one machine of one's own answers with a pipeline, as a user says."""

    pipeline: str
    queries_per_s: float


@dataclass(frozen=True, slots=True)
class CostTerms:
    """The load and the prices that a cost is reckoned for.

    `peak` is how many times the mean load comes in the busiest hours: own hardware is sized for
    them. `usd_per_hour` is the price of one machine like the one measured, None when not typed.
    """

    queries_per_month: int = 100_000
    peak: float = 1.0
    usd_per_hour: float | None = None
    prices: tuple[TypedPrice, ...] = ()
    capacities: tuple[TypedCapacity, ...] = ()


DEFAULT_TERMS = CostTerms()
"""A load to begin with, and nothing typed."""


@dataclass(frozen=True, slots=True)
class ProviderCost:
    """What one query takes of one provider on average.

    `usd` is the price of it, None when it cannot be told: `unknown` then says what is missing.
    `source` says where the price is from: the dated price list, the user, or a server of one's own
    that bills nothing. `queries` is how many queries were looked at.
    """

    model: str
    calls: float
    units: float
    unit: str
    usd: float | None
    as_of: str = ""
    source: Literal["price list", "typed", "own server", ""] = ""
    unknown: tuple[str, ...] = ()
    price_options: tuple[str, ...] = ()
    queries: int = 0


@dataclass(frozen=True, slots=True)
class Capacity:
    """Queries a second that one machine answers, and where that is known from.

    None when it is not known: `why` then says what is missing. `load` is a load study, `evaluation`
    the times of an evaluation, one query after the other. `needed` is false for a pipeline that
    leaves nothing to hardware of one's own.
    """

    queries_per_s: float | None
    source: Literal["load", "evaluation", "typed", ""] = ""
    why: str = ""
    needed: bool = True


NO_MACHINE = Capacity(None, needed=False)
"""Of a pipeline that leaves nothing to own hardware."""


@dataclass(frozen=True, slots=True)
class PipelineCost:
    """What a pipeline costs under these terms: providers, and machines of one's own.

    `candidates` is the mean number of documents that its stages were given a query.
    """

    pipeline: str
    terms: CostTerms
    providers: tuple[ProviderCost, ...] = ()
    capacity: Capacity = field(default_factory=lambda: Capacity(None))
    candidates: float | None = None

    @property
    def provider_usd(self) -> float | None:
        """USD a query that providers bill; 0 when none is asked, None when a price is unknown."""
        amounts = [provider.usd for provider in self.providers]
        return None if None in amounts else math.fsum(one for one in amounts if one is not None)

    @property
    def machines(self) -> int | None:
        """Machines of one's own that the busiest hours take; None when that is not known."""
        if not self.capacity.needed:
            return 0
        return machines_for(
            self.terms.queries_per_month, self.capacity.queries_per_s, self.terms.peak
        )

    @property
    def own_usd_per_month(self) -> float | None:
        """USD a month for own hardware; 0 when none is needed, None when it is not known.

        Also 0 as long as its price is not typed, for a pipeline that providers bill: see
        `left_out`.
        """
        machines, hourly = self.machines, self.terms.usd_per_hour
        if machines == 0 or self.left_out:
            return 0.0
        return None if machines is None or hourly is None else machines * hourly * HOURS_A_MONTH

    @property
    def usd_per_month(self) -> float | None:
        """USD a month in all, None when a part is unknown."""
        per_query, own = self.provider_usd, self.own_usd_per_month
        if per_query is None or own is None:
            return None
        return per_query * self.terms.queries_per_month + own

    @property
    def usd_per_thousand(self) -> float | None:
        """USD for 1,000 queries at this load, None when a part is unknown: see `unknown`."""
        month, queries = self.usd_per_month, self.terms.queries_per_month
        return None if month is None or queries < 1 else month / queries * 1000

    @property
    def unknown(self) -> tuple[str, ...]:
        """What is missing for a price, in words; () when it is known."""
        missing = [text for provider in self.providers for text in provider.unknown]
        if not self.left_out:
            if self.machines is None:
                missing.append(self.capacity.why or "how many queries a second one machine answers")
            if self.machines != 0 and self.terms.usd_per_hour is None:
                missing.append(HOURLY_PRICE)
        return tuple(dict.fromkeys(missing))

    @property
    def billed(self) -> bool:
        """Whether a provider bills anything, or may do so."""
        return any(provider.usd is None or provider.usd > 0 for provider in self.providers)

    @property
    def left_out(self) -> bool:
        """Whether hardware of one's own is not in the price, because nobody typed its price.

        Only beside what providers bill: the first stage of a hosted pipeline, which every other
        pipeline needs as well.
        """
        return self.billed and self.capacity.needed and self.terms.usd_per_hour is None

    @property
    def as_of(self) -> str:
        """The oldest date among the listed prices, "" without any."""
        return min((one.as_of for one in self.providers if one.as_of), default="")


def machines_for(
    queries_per_month: float, queries_per_s: float | None, peak: float = 1.0
) -> int | None:
    """Machines that keep up with the busiest hours of a month; at least 1 when any is needed.

    Args:
        queries_per_month: All queries.
        queries_per_s: What one machine answers; None when that is not known.
        peak: The busiest hours against the mean.
    """
    if queries_per_s is None or queries_per_s <= 0:
        return None
    # A hair below a whole number of machines is that number: division is not exact.
    return max(1, math.ceil(queries_per_month * peak / _SECONDS_A_MONTH / queries_per_s - 1e-9))


@dataclass(frozen=True, slots=True)
class BreakEven:
    """From how many queries a month own hardware is cheaper than a hosted pipeline.

    `first` is the smallest such number, `lasting` the one from which it always is: in between,
    one more machine may make own hardware dearer again. Both are None when it never is.
    """

    first: float | None
    lasting: float | None


def break_even(hosted: PipelineCost, own: PipelineCost) -> BreakEven | None:
    """When `own` becomes cheaper than `hosted`; None when a price or a capacity is unknown.

    What providers bill inside `own` counts as well; machines that `hosted` needs do not grow with
    the load here: only its own price of a query is compared, plus the machines that it needs now.
    """
    hourly, capacity = own.terms.usd_per_hour, own.capacity.queries_per_s
    hosted_usd, own_usd, fixed = hosted.provider_usd, own.provider_usd, hosted.own_usd_per_month
    if hourly is None or not capacity or not own.capacity.needed:
        return None
    if hosted_usd is None or own_usd is None or fixed is None:
        return None
    machine = hourly * HOURS_A_MONTH
    per_machine = capacity * _SECONDS_A_MONTH / own.terms.peak
    return _crossing(machine, per_machine, hosted_usd - own_usd, fixed)


def _crossing(machine: float, per_machine: float, saved: float, fixed: float) -> BreakEven:
    """Where a staircase of machines falls to a line: max(1, ceil(Q / per_machine)) * machine.

    Args:
        machine: USD a month of one machine.
        per_machine: Queries a month that it answers.
        saved: USD a query by which the line rises.
        fixed: USD a month at which the line begins.
    """
    gain = saved * per_machine - machine
    if gain < -fixed or (saved <= 0 and machine > fixed):
        return BreakEven(None, None)
    first = max(0.0, (machine - fixed) / saved) if machine > fixed else 0.0
    if gain < 0 or (gain == 0 and machine > fixed):
        return BreakEven(first, None)
    # The n-th machine makes it dearer again where n * machine > (n - 1) * saved * per_machine +
    # fixed, until the line has caught up within that step.
    dearest = max(1, math.ceil((machine - fixed) / gain - 1e-9)) if machine > fixed else 1
    return BreakEven(first, max(first, (dearest * machine - fixed) / saved))


COST = "cost"
"""The kind of these studies."""


@dataclass(frozen=True, slots=True)
class CostStudy:
    """What the pipelines of an experiment cost under the terms that a team settled on."""

    terms: CostTerms
    costs: tuple[PipelineCost, ...]

    def to_json(self) -> dict[str, Any]:
        """The study as it is kept."""
        written: dict[str, Any] = msgspec.to_builtins(self)
        return written

    @classmethod
    def from_json(cls, written: object) -> CostStudy:
        """The study that was kept. Raises msgspec.ValidationError for anything else."""
        return msgspec.convert(written, cls)
