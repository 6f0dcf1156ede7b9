"""What this browser session may spend on hosted calls: one meter for its pages, and its limit."""

from __future__ import annotations

import streamlit as st

from rerank_lab.core.spend import SpendMeter
from rerank_lab.ui.shared import parts
from rerank_lab.views import spending as views

_METER, _FIELD = "spend_meter", "spend_limit"


def meter() -> SpendMeter:
    """The meter of this session, for `Context(spend=...)`: its jobs count on it together."""
    session_meter: SpendMeter = st.session_state.setdefault(_METER, SpendMeter())
    return session_meter


def field() -> None:
    """The limit and what was spent so far."""
    now = meter()
    # Not as `value`: an emptied box would then go back to it.
    st.session_state.setdefault(_FIELD, now.limit)
    with st.container(horizontal=True, vertical_alignment="bottom", key="spending"):
        st.number_input(
            f"Spend limit of this session ({now.currency})",
            min_value=0.0,
            value=None,
            step=0.5,
            format="%0.2f",
            placeholder="No limit",
            key=_FIELD,
            on_change=_set,
            width=240,
            help="A request that could pass it is not sent. With a limit, a model of unknown "
            "price is refused until the option price says what a unit costs.",
        )
        st.caption(parts.literal(views.spent_words(now)))


def _set() -> None:
    value = st.session_state.get(_FIELD)
    meter().limit = None if value is None else float(value)
