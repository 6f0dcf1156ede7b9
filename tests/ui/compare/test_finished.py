"""Views of finished comparisons: the same as made anew, and made anew whenever anything differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from rerank_lab.core.errors import Cancelled
from rerank_lab.ui.compare.finished import view_of
from rerank_lab.views.compare import CompareOptions, PipelineOutcome, compare
from rerank_lab.views.topic import Topic
from tests.ui import pages
from tests.views.made import QUERY, corpus, ids, outcome_of, result

SPECS = ("bm25", "bm25 >> identity")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()


def _outcomes() -> list[PipelineOutcome]:
    rankings = ([ids(1, 2)], [ids(1, 2), ids(2, 1)])
    return [outcome_of(s, result(s, r)) for s, r in zip(SPECS, rankings, strict=True)]


def test_a_finished_comparison_is_made_once_and_says_what_it_would_say_anew() -> None:
    topic, outcomes, options = Topic(QUERY, corpus()), _outcomes(), CompareOptions(show=5)
    shown = view_of(topic, outcomes, options)
    assert shown == compare(topic, outcomes, options)
    again = [replace(outcome) for outcome in outcomes]  # as each run of the page makes them
    assert view_of(Topic(QUERY, topic.corpus), again, CompareOptions(show=5)) is shown


def test_what_differs_in_anything_is_made_anew() -> None:
    topic, outcomes, options = Topic(QUERY, corpus()), _outcomes(), CompareOptions(show=5)
    shown = view_of(topic, outcomes, options)
    others = [
        view_of(topic, outcomes, replace(options, pin="d01")),
        view_of(topic, outcomes, replace(options, show=1)),
        view_of(topic, outcomes, replace(options, rarity=lambda _: 1.0)),
        view_of(topic, outcomes[::-1], options),
        view_of(topic, _outcomes(), options),
        view_of(Topic(QUERY, corpus()), outcomes, options),
        view_of(Topic(replace(QUERY, text="another"), topic.corpus), outcomes, options),
    ]
    assert all(other is not shown for other in others)
    assert len({id(other) for other in others}) == len(others)


def test_what_is_still_at_work_or_failed_is_not_kept() -> None:
    topic, options = Topic(QUERY, corpus()), CompareOptions()
    for open_end in ({"result": None}, {"error": Cancelled()}):
        outcomes = [replace(_outcomes()[0], **open_end), _outcomes()[1]]
        assert view_of(topic, outcomes, options) is not view_of(topic, outcomes, options)
