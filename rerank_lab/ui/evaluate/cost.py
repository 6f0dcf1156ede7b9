"""Evaluate's question "What it costs": the load, prices to type, and what comes of them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import streamlit as st

from rerank_lab.charts.cost import cost_chart
from rerank_lab.decision.cost import (
    DEFAULT_TERMS,
    CostStudy,
    CostTerms,
    PipelineCost,
    ProviderCost,
    TypedCapacity,
    TypedPrice,
)
from rerank_lab.evaluation.experiments import Evaluation
from rerank_lab.services import cost as costing
from rerank_lab.services.load import load_studies
from rerank_lab.ui.evaluate import study_files
from rerank_lab.ui.evaluate.on_screen import corpus_of
from rerank_lab.ui.shared import parts, resources
from rerank_lab.ui.shared.plots import PlainFigure
from rerank_lab.ui.shared.state import Screen
from rerank_lab.ui.shared.waiting import short_key
from rerank_lab.views import cost as views
from rerank_lab.views.evaluate import pipeline_labels

_MONTH, _PEAK, _HOUR = "queries_a_month", "peak", "usd_an_hour"
"""The parameters of the link for the load and the price of hardware."""


def draw(evaluation: Evaluation, _: Screen) -> None:
    """The terms at the top, the answer below them, prices to type last."""
    labels = pipeline_labels(evaluation.design.pipelines)[0]
    engine = resources.engine()
    study = costing.cost_study(evaluation.id, engine.home)
    before = DEFAULT_TERMS if study is None else study.terms
    terms = _load(evaluation, before)
    place = st.container()
    plain = _costs(evaluation, terms)
    prices, capacities = _typed(plain, labels, before)
    terms = CostTerms(terms.queries_per_month, terms.peak, terms.usd_per_hour, prices, capacities)
    costs = _costs(evaluation, terms) if prices or capacities else plain
    with place:
        _answer(costs, labels)
        study_files.draw("cost", evaluation.id, CostStudy(terms, tuple(costs)))
    if st.button(
        "Keep for the report", key=f"cost_keep_{evaluation.id}", icon=":material/save:",
        help="Choose and the decision report then use this load and these prices.",
    ):  # fmt: skip
        costing.keep(CostStudy(terms, tuple(costs)), evaluation.id, engine.home)
        st.caption(":material/check: Kept with this evaluation.")


def _costs(evaluation: Evaluation, terms: CostTerms) -> list[PipelineCost]:
    engine = resources.engine()
    by_spec = costing.pipeline_costs(
        evaluation,
        engine,
        terms,
        corpus=corpus_of(evaluation),
        load_studies=load_studies(evaluation.id, engine.home),
    )
    return list(by_spec.values())


def _load(evaluation: Evaluation, before: CostTerms) -> CostTerms:
    """The number boxes for the load and an hour of hardware; the link holds what they say."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        queries = st.number_input(
            "Queries a month",
            1,
            10_000_000_000,
            int(_linked(_MONTH, before.queries_per_month) or before.queries_per_month),
            key=f"cost_month_{evaluation.id}",
            width=180,
        )
        peak = st.number_input(
            "Busiest hour, times the mean",
            1.0,
            100.0,
            min(100.0, max(1.0, _linked(_PEAK, before.peak) or 1.0)),
            key=f"cost_peak_{evaluation.id}",
            width=200,
            help="Machines of your own are counted for the busiest hour.",
        )
        hourly = st.number_input(
            "USD for an hour of a machine",
            0.0,
            10_000.0,
            _linked(_HOUR, before.usd_per_hour),
            key=f"cost_hour_{evaluation.id}",
            width=220,
            placeholder="not known",
            help="Of one like the machine that was measured, all costs included.",
        )
    st.query_params[_MONTH] = str(queries)
    st.query_params[_PEAK] = f"{peak:g}"
    if hourly is None:
        st.query_params.pop(_HOUR, None)
    else:
        st.query_params[_HOUR] = f"{hourly:g}"
    return CostTerms(int(queries), float(peak), None if hourly is None else float(hourly))


def _linked(parameter: str, otherwise: float | None) -> float | None:
    """A number of the link; `otherwise` where it has none that can be used."""
    text = st.query_params.get(parameter, "")
    with suppress(ValueError):
        value = float(text)
        if 0 <= value <= 1e10:
            return value
    return otherwise


def _typed(
    costs: Sequence[PipelineCost], labels: dict[str, str], before: CostTerms
) -> tuple[tuple[TypedPrice, ...], tuple[TypedCapacity, ...]]:
    """Boxes for prices of providers and for what a machine answers, with what was kept before."""
    with st.expander("Type prices and throughput", icon=":material/edit:", key="cost_typed"):
        amounts = {(one.model, one.option): one.amount for one in before.prices}
        options = {
            (provider.model, option): provider
            for cost in costs
            for provider in cost.providers
            for option in provider.price_options
        }
        prices = [
            _price_box(provider, option, amounts.get((model, option)))
            for (model, option), provider in options.items()
        ]
        rates = {one.pipeline: one.queries_per_s for one in before.capacities}
        capacities = []
        for cost in costs:
            rate = st.number_input(
                f"{parts.literal(labels[cost.pipeline])}: queries a second of one machine",
                0.001,
                1e6,
                rates.get(cost.pipeline),
                key=f"cost_capacity_{short_key(cost.pipeline)}",
                placeholder="as measured",
            )
            if rate is not None:
                capacities.append(TypedCapacity(cost.pipeline, float(rate)))
    return tuple(price for price in prices if price is not None), tuple(capacities)


def _price_box(provider: ProviderCost, option: str, before: float | None) -> TypedPrice | None:
    """The box for one price; None as long as it is empty. Tokens are priced by the million."""
    by_million = option == "price" and provider.unit == "tokens"
    scale = 1e6 if by_million else 1.0
    unit = f"one {provider.unit.removesuffix('s')}"
    if by_million or option != "price":
        unit = {"price_in": "a million tokens read", "price_out": "a million tokens written"}.get(
            option, "a million tokens"
        )
    amount = st.number_input(
        f"{parts.literal(provider.model)}: USD for {unit}",
        0.0,
        100_000.0,
        None if before is None else before * scale,
        key=f"cost_price_{short_key(f'{provider.model} {option}')}",
        format="%.6g",
        placeholder="by the price list",
    )
    return None if amount is None else TypedPrice(provider.model, option, float(amount) / scale)


def _answer(costs: Sequence[PipelineCost], labels: dict[str, str]) -> None:
    st.markdown(f"**{parts.literal(views.cost_sentence(costs, labels))}**")
    for line in views.break_even_lines(costs, labels):
        st.markdown(f":material/balance: {parts.literal(line)}")
    rows = views.cost_rows(costs, labels)
    columns = zip(views.HEADINGS, zip(*rows, strict=True), strict=True)
    st.dataframe({heading: list(cells) for heading, cells in columns}, hide_index=True)
    for line in views.unknown_lines(costs, labels):
        st.caption(f":material/help: {parts.literal(line)}")
    for line in views.provider_lines(costs, labels):
        st.caption(f":material/cloud: {parts.literal(line)}.")
    if any(cost.usd_per_month for cost in costs):
        figure = cost_chart(views.cost_curves(costs, labels), parts.theme())
        st.plotly_chart(PlainFigure(figure), key="cost_chart", config={"displayModeBar": False})
