"""What the team can accept, as widgets whose values stand in the link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from rerank_lab.decision.cost import CostTerms
from rerank_lab.ui.shared import parts
from rerank_lab.views.choose import (
    ANY,
    LICENCES,
    MEMORY_LIMITS,
    P95_LIMITS,
    LimitChoices,
    language_choices,
)


def measure_select(measures: Sequence[str]) -> str:
    """The measure that quality is taken from: one of the evaluation's."""
    return st.selectbox("Quality by", measures, key="quality", bind="query-params", width=180)


def draw(measure: str, kept_terms: CostTerms) -> LimitChoices:
    """Draw them; returns what they say.

    Args:
        measure: What quality is, chosen elsewhere.
        kept_terms: The load and the prices to begin with.
    """
    st.markdown("**What you can accept**")
    p95 = _slider(
        "p95, at most", P95_LIMITS, "p95", "95 of 100 queries are answered within this time."
    )
    price = st.number_input(
        "1,000 queries, at most (USD)",
        min_value=0.0,
        value=None,
        step=0.5,
        key="price",
        bind="query-params",
        placeholder="any price",
    )
    month, hour = _prices(kept_terms)
    licence = st.selectbox(
        "Licence of the models", tuple(LICENCES), key="licence", bind="query-params"
    )
    languages = st.multiselect(
        "Languages that models must know",
        tuple(language_choices()),
        key="languages",
        bind="query-params",
        placeholder="any",
    )
    local = st.toggle("Texts stay in the house", key="local", bind="query-params")
    no_gpu = st.toggle("Runs without a GPU", key="no_gpu", bind="query-params")
    memory = _slider(
        "Memory, at most",
        MEMORY_LIMITS,
        "memory",
        "Where it was measured, the peak of a process with the pipeline; else the size of its "
        "models' files, and an index and the work itself come on top.",
    )
    return LimitChoices(
        measure, _margin(measure), p95, price, str(licence), tuple(languages), local, no_gpu,
        memory, month, hour, kept_terms,
    )  # fmt: skip


def _slider(label: str, limits: Mapping[str, object], key: str, about: str) -> str:
    """A slider over limits, the widest at its end."""
    return str(
        st.select_slider(label, tuple(limits), value=ANY, key=key, bind="query-params", help=about)
    )


def _margin(measure: str) -> float:
    return st.number_input(
        "A difference that does not matter",
        min_value=0.0,
        max_value=1.0,
        value=0.02,
        step=0.005,
        format="%.3f",
        key="margin",
        bind="query-params",
        help=f"In {parts.literal(measure)}. Among pipelines shown to be as good up to this, the "
        "faster and cheaper one is taken.",
    )


def _prices(kept_terms: CostTerms) -> tuple[int, float | None]:
    """The load, and the price of a machine: what a price of 1,000 queries is reckoned from."""
    with st.expander("Load and prices", icon=":material/payments:"):
        month = st.number_input(
            "Queries a month",
            min_value=1,
            max_value=1_000_000_000_000,
            value=max(1, kept_terms.queries_per_month),
            step=10_000,
            key="month",
            bind="query-params",
        )
        hour = st.number_input(
            "Your hardware, USD an hour",
            min_value=0.0,
            value=kept_terms.usd_per_hour,
            step=0.1,
            key="hour",
            bind="query-params",
            placeholder="not known",
            help="The price of one machine like this one. Without it the price of pipelines that "
            "run on own hardware is not known.",
        )
    return int(month), hour
