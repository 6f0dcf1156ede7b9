"""The test of a provider by one small request, in a line."""

from __future__ import annotations

from rerank_lab.rerankers.hosted.probe import ProviderProbe
from rerank_lab.views.hosted import facts_of


def probe_line(probe: ProviderProbe) -> str:
    """`0.42 s · m · 1 request · 1 search unit`: the round trip, and what is known of the call."""
    facts = (f"{probe.seconds:.2f} s", facts_of(probe.trace))
    return " · ".join(fact for fact in facts if fact)
