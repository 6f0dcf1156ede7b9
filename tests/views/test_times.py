from __future__ import annotations

import pytest

from rerank_lab.core.types import Status, Trace
from rerank_lab.views.times import cold_words, tags, warm_words, warmth

COLD = Trace(load_s=0.6, build_s=15.2, queue_s=0.0001, compute_s=0.012)


def test_a_cold_time_says_what_it_was_spent_on() -> None:
    assert cold_words(COLD) == "15.2 s building the index, 0.60 s loading, 12 ms answering"
    (tag,) = tags(COLD, cached=False)
    assert tag.name == "cold"
    assert tag.why.startswith("15.2 s building the index, 0.60 s loading")
    assert warm_words(COLD, cached=False) == "12 ms once ready"


def test_building_alone_makes_a_time_cold() -> None:
    built = Trace(build_s=3.0, compute_s=0.1)
    assert warmth(Status.OK, built, reused=False) == "cold"
    assert [tag.name for tag in tags(built, cached=False)] == ["cold"]


@pytest.mark.parametrize(
    ("trace", "cached", "named"),
    [
        (Trace(load_s=0.001, compute_s=0.5), False, []),
        (Trace(load_s=0.0004, compute_s=0.001), False, []),
        (Trace(load_s=2.0), True, ["cached"]),
    ],
)
def test_a_warm_or_cached_time_is_not_called_cold(
    trace: Trace, cached: bool, named: list[str]
) -> None:
    assert [tag.name for tag in tags(trace, cached=cached)] == named
    assert warm_words(trace, cached=cached) == ""
