"""What pipelines cost, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rerank_lab.charts.cost import cost_chart
from rerank_lab.charts.figures import LIGHT
from rerank_lab.decision.cost import Capacity, CostTerms, PipelineCost, ProviderCost
from rerank_lab.views.cost import (
    HEADINGS,
    break_even_lines,
    cost_curves,
    cost_rows,
    cost_sentence,
    provider_lines,
    unknown_lines,
)
from tests.charts.validated import validated

TERMS = CostTerms(queries_per_month=1_000_000, usd_per_hour=0.5)
LABELS = {"own": "L12", "hosted": "Cohere"}
PROVIDER = ProviderCost(
    "rerank-v3.5", 1, 1, "search units", 0.002, "2026-04-01", "price list", queries=12
)
OWN = PipelineCost("own", TERMS, (), Capacity(4.0, "load"), 100)
HOSTED = PipelineCost("hosted", TERMS, (PROVIDER,), Capacity(500.0, "evaluation"), 100)


def test_the_sentence_names_the_least_known_price_and_what_is_missing_else() -> None:
    assert cost_sentence([OWN, HOSTED], LABELS) == (
        "At 1,000,000 queries a month, L12 costs $0.36 for 1,000 queries, $365.00 a month, "
        "the least of those whose price is known."
    )
    bare = replace(OWN, terms=CostTerms())
    sentence = cost_sentence([bare], LABELS)
    assert sentence == "No price is known yet. Missing: the price of an hour of your hardware."
    assert unknown_lines([bare], LABELS)[0].startswith("L12: not known: the price of an hour")


def test_a_hosted_price_says_what_it_leaves_out() -> None:
    bare = replace(HOSTED, terms=CostTerms())
    assert bare.usd_per_thousand == 2.0
    assert "without the hardware of your own" in unknown_lines([bare], LABELS)[0]
    assert HOSTED.usd_per_thousand == pytest.approx(2.365)  # with its first stage's machine
    (line,) = provider_lines([HOSTED], LABELS)
    assert "$0.002 by the price of 2026-04-01" in line


def test_break_even_is_told_in_queries_a_month() -> None:
    (line,) = break_even_lines([OWN, HOSTED], LABELS)
    assert line == (
        "L12 on your hardware is cheaper than Cohere at any load, as both need a machine."
    )
    serverless = replace(HOSTED, capacity=Capacity(None, needed=False))
    (line,) = break_even_lines([OWN, serverless], LABELS)
    assert "from 183,000 queries a month on" in line
    slow = replace(OWN, capacity=Capacity(0.01, "load"))
    assert "never becomes cheaper" in break_even_lines([slow, serverless], LABELS)[0]


def test_rows_and_chart_hold_every_known_price() -> None:
    rows = cost_rows([OWN, replace(HOSTED, providers=(replace(PROVIDER, usd=None),))], LABELS)
    assert all(len(row) == len(HEADINGS) for row in rows)
    assert rows[0][1:3] == ("$0.36", "$365.00")
    assert rows[1][1] == "unknown"
    figure = validated(cost_chart(cost_curves([OWN, HOSTED], LABELS), LIGHT))
    assert [trace.name for trace in figure.data] == ["L12", "Cohere"]
    assert len(set(figure.data[0].y)) > 1  # machines are added as queries grow
