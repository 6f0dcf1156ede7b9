"""What a session spent, in words."""

from __future__ import annotations

from rerank_lab.core.spend import SpendMeter
from rerank_lab.views.hosted import money


def spent_words(meter: SpendMeter) -> str:
    """`$0.021 spent so far`, and what the limit leaves where there is one."""
    spent = f"{money(meter.spent, meter.currency)} spent so far, by the dated prices"
    left = meter.left
    if left is None:
        return f"{spent}."
    return f"{spent}; {money(max(0.0, left), meter.currency)} of the limit left."
