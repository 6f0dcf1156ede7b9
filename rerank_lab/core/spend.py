"""What hosted calls cost: an estimate before them, a meter that stops before a limit is passed."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from rerank_lab.core.errors import SpendLimit


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """What requests would take before they are sent.

    `amount` is in `currency` by prices of the day `as_of`; None when it cannot be told, and
    `unknown` then names what is missing, such as "the price of gpt-x". `price_options` are the
    options of the reranker by which a user can state the price.
    """

    calls: int
    units: float
    unit: str
    amount: float | None
    currency: str = "USD"
    as_of: str = ""
    unknown: tuple[str, ...] = ()
    price_options: tuple[str, ...] = ("price",)

    def times(self, queries: int) -> CostEstimate:
        """The estimate of so many queries like this one."""
        amount = None if self.amount is None else self.amount * queries
        return replace(self, calls=self.calls * queries, units=self.units * queries, amount=amount)


class SpendMeter:
    """Money spent in one session, shared by its threads. `limit` is in `currency`.

    Every call reserves its estimate first, so that calls in flight side by side cannot pass the
    limit together, and settles what was really billed afterwards.
    """

    def __init__(self, limit: float | None = None, currency: str = "USD") -> None:
        self.limit = limit
        self.currency = currency
        self._spent = 0.0
        self._reserved = 0.0
        self._lock = threading.Lock()

    @property
    def spent(self) -> float:
        """What was billed so far, by the prices of the catalogue."""
        with self._lock:
            return self._spent

    @property
    def left(self) -> float | None:
        """What may still be spent, calls in flight taken off; None without a limit."""
        with self._lock:
            return None if self.limit is None else self.limit - self._spent - self._reserved

    def reserve(self, estimate: CostEstimate, what: str) -> float:
        """Set the estimate aside and return it. Raises SpendLimit when it would pass the limit.

        With a limit set, a call of unknown price or another currency is refused as well.
        """
        if self.limit is not None:
            self._refuse_unknown(estimate, what)
        amount = estimate.amount or 0.0
        with self._lock:
            taken = self._spent + self._reserved
            if self.limit is not None and taken + amount > self.limit:
                raise SpendLimit(
                    f"{what} would cost about {amount:.6g} {self.currency}; {taken:.6g} of the "
                    f"limit of {self.limit:.6g} {self.currency} are spent or in flight.",
                    hint="Raise the spend limit, rerank fewer candidates, or run fewer queries.",
                )
            self._reserved += amount
        return amount

    def settle(self, reserved: float, billed: float) -> None:
        """Give back what `reserve` returned and count what the call was billed."""
        with self._lock:
            self._reserved = max(0.0, self._reserved - reserved)
            self._spent += billed

    def _refuse_unknown(self, estimate: CostEstimate, what: str) -> None:
        if estimate.amount is None:
            missing = " and ".join(estimate.unknown) or f"the price of {what}"
            options = " and ".join(f"{name}=..." for name in estimate.price_options)
            raise SpendLimit(
                f"{missing[:1].upper()}{missing[1:]} is not known, so the spend limit cannot be "
                "kept.",
                hint=f"State it with {options} (0 where nothing is billed), or take the limit "
                "away.",
            )
        if estimate.currency != self.currency and estimate.amount:
            raise SpendLimit(
                f"{what} is billed in {estimate.currency}, the spend limit is in {self.currency}.",
                hint=f"Set a limit in {estimate.currency}, or take the limit away.",
            )
