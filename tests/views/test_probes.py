"""The line below the test of a provider."""

from __future__ import annotations

from rerank_lab.core.types import Trace
from rerank_lab.rerankers.hosted.probe import ProviderProbe
from rerank_lab.views.probes import probe_line


def test_the_round_trip_comes_first_then_what_is_known_of_the_call() -> None:
    own = Trace(calls=1, network_s=0.4, units=1, unit="search units", model_asked="m")
    found = ProviderProbe(True, True, 0.4249, own, "It works.")
    assert probe_line(found) == "0.42 s · m · 1 request · 1 search unit · price not known"


def test_a_model_that_tells_nothing_has_its_time_alone() -> None:
    assert probe_line(ProviderProbe(True, True, 12.0, Trace(), "It works.")) == "12.00 s"
