"""The choice of a language model for a question on Evaluate, with what it would take."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from rerank_lab.core.spend import CostEstimate
from rerank_lab.judging.llm_judge.asking import JudgeModel
from rerank_lab.ui.shared import parts
from rerank_lab.views.hosted import estimates_words


def language_model(
    name: str, label: str, purpose: str, estimate: Callable[[JudgeModel], CostEstimate | None]
) -> JudgeModel | None:
    """The language model that is to be asked; None for none.

    Args:
        name: begins the keys of its widgets.
        label: of the switch.
        purpose: what it is asked for, as help of the switch.
        estimate: what that takes of a model.

    Raises:
        InvalidInput: the model cannot be used as it is named.
    """
    if not st.toggle(label, key=f"{name}_asks", help=purpose):
        return None
    with st.container(horizontal=True, key=f"{name}_model"):
        model = st.text_input("Model", key=f"{name}_model_name", placeholder="gpt-4.1-mini")
        base_url = st.text_input(
            "Base URL",
            key=f"{name}_base_url",
            placeholder="OpenAI's own",
            help="Address of an OpenAI-compatible endpoint. Keys are those of the Models page.",
        )
    if not model.strip():
        st.caption("Name a model, or switch it off.")
        return None
    chosen = JudgeModel(model.strip(), base_url=base_url.strip())
    cost = estimate(chosen)
    if cost is not None:
        words = parts.literal(estimates_words((cost,)))
        st.caption(f":material/cloud: {parts.literal(model)} is asked for up to {words}.")
    return chosen
