"""What a pipeline costs at a load, and from where own hardware is cheaper."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_lab.decision.cost import (
    HOURS_A_MONTH,
    NO_MACHINE,
    Capacity,
    CostTerms,
    PipelineCost,
    ProviderCost,
    break_even,
    machines_for,
)

MONTH_S = HOURS_A_MONTH * 3600


def hosted(usd: float | None) -> PipelineCost:
    unknown = () if usd is not None else ("the price of rerank-x",)
    provider = ProviderCost("rerank-x", 1, 1, "search units", usd, "2026-06-01", unknown=unknown)
    return PipelineCost("bm25 >> hosted", CostTerms(), (provider,), NO_MACHINE)


def own(per_hour: float | None, queries_per_s: float | None, **terms: float) -> PipelineCost:
    load = CostTerms(usd_per_hour=per_hour, **terms)  # type: ignore[arg-type]
    return PipelineCost("bm25 >> own", load, (), Capacity(queries_per_s, "typed"))


def test_a_provider_costs_by_the_query_and_a_machine_by_the_month() -> None:
    assert hosted(0.002).usd_per_thousand == pytest.approx(2.0)
    assert own(1.0, 10.0, queries_per_month=1_000_000).usd_per_month == pytest.approx(730)
    assert own(1.0, 10.0, queries_per_month=1_000_000).usd_per_thousand == pytest.approx(0.73)
    busy = own(1.0, 10.0, queries_per_month=100_000_000, peak=2.0)
    assert busy.machines == math.ceil(2 * 1e8 / MONTH_S / 10)
    assert own(1.0, 10.0, queries_per_month=10).machines == 1
    assert machines_for(10 * MONTH_S, 10.0) == 1


def test_what_is_unknown_is_named_and_not_guessed() -> None:
    assert hosted(None).usd_per_thousand is None
    assert hosted(None).unknown == ("the price of rerank-x",)
    assert own(None, 10.0).usd_per_thousand is None
    assert own(None, 10.0).unknown == ("the price of an hour of your hardware",)
    assert "one machine" in own(1.0, None).unknown[0]
    assert break_even(hosted(None), own(1.0, 10.0)) is None
    assert break_even(hosted(0.002), own(None, 10.0)) is None


def test_own_hardware_is_cheaper_from_the_month_s_price_of_a_machine_on() -> None:
    crossing = break_even(hosted(0.002), own(1.0, 10.0))
    assert crossing is not None
    assert crossing.first == crossing.lasting == pytest.approx(730 / 0.002)
    slow = break_even(hosted(0.0001), own(1.0, 0.5))
    assert slow is not None
    assert slow.first is None
    assert slow.lasting is None


@settings(max_examples=50)
@given(
    st.floats(0.00001, 0.01),
    st.floats(0.1, 20),
    st.floats(0.01, 50),
    st.floats(1, 5),
)
def test_break_even_is_where_a_search_by_hand_finds_it(
    usd: float, per_hour: float, queries_per_s: float, peak: float
) -> None:
    crossing = break_even(hosted(usd), own(per_hour, queries_per_s, peak=peak))
    assert crossing is not None
    machine, per_machine = per_hour * HOURS_A_MONTH, queries_per_s * MONTH_S / peak

    def cheaper(queries: float) -> bool:
        machines = machines_for(queries, queries_per_s, peak)
        assert machines is not None
        return machines * machine <= usd * queries * (1 + 1e-6)

    starts = [per_machine * n for n in range(1, 400)]
    worst = [queries * (1 + 1e-7) for queries in starts]  # just after one more machine
    if crossing.first is None:
        assert not any(map(cheaper, starts)) or usd * per_machine == pytest.approx(machine)
        return
    assert cheaper(crossing.first)
    assert not cheaper(crossing.first * 0.999)
    if crossing.lasting is None:
        assert usd * per_machine <= machine * (1 + 1e-9)
        return
    assert all(cheaper(queries) for queries in worst if queries > crossing.lasting * 1.001)
    if crossing.lasting > crossing.first * 1.01:
        # Its last dear stretch begins with a machine more, however shortly before.
        machines = machines_for(crossing.lasting * (1 - 1e-9), queries_per_s, peak) or 1
        begin = max(crossing.lasting * 0.9999, (machines - 1) * per_machine * (1 + 1e-9))
        assert not cheaper(begin) or begin > crossing.lasting * (1 - 1e-5)
