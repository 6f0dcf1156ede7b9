"""The boxes that name a language model: where it runs, how it is reached, what it costs."""

from __future__ import annotations

import streamlit as st

from rerank_lab.judging.llm_judge.asking import JudgeModel
from rerank_lab.ui.shared import spending

_ENDPOINT, _LOCAL = "An endpoint", "This machine"


def model_boxes(name: str) -> JudgeModel | None:
    """The model that the boxes name; None, with what is missing on screen, for none.

    Args:
        name: begins the keys of the widgets.
    """
    with st.container(horizontal=True, vertical_alignment="top", key=f"{name}_model"):
        place = st.segmented_control(
            "Runs on", (_ENDPOINT, _LOCAL), default=_ENDPOINT, required=True,
            key=f"{name}_place",
        )  # fmt: skip
        local = place == _LOCAL
        model = st.text_input(
            "Model", key=f"{name}_model_name",
            placeholder="Catalogue name, folder or hub id" if local else "gpt-4.1-mini",
        )  # fmt: skip
        base_url = "" if local else st.text_input(
            "Base URL", key=f"{name}_base_url", placeholder="OpenAI's own",
            help="Address of an OpenAI-compatible endpoint. Keys are those of the Models page.",
        )  # fmt: skip
    prices = (-1.0, -1.0)
    if not local:
        with st.expander("Prices and spend limit", key=f"{name}_prices"):
            prices = _prices(name)
            spending.field()
    if not model.strip():
        st.caption("Name a model first.")
        return None
    backend = "local" if local else "endpoint"
    return JudgeModel(
        model.strip(), base_url=base_url.strip(), backend=backend,
        price_in=prices[0], price_out=prices[1],
    )  # fmt: skip


def _prices(name: str) -> tuple[float, float]:
    """USD for a million tokens read and written; -1 for the price list."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        boxes = [
            st.number_input(
                f"USD for a million tokens {what}", 0.0, 10_000.0, None, key=f"{name}_price_{what}",
                placeholder="By the price list", width=240,
            )
            for what in ("read", "written")
        ]  # fmt: skip
    read, written = (-1.0 if box is None else float(box) for box in boxes)
    return read, written
