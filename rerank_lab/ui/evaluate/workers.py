"""How many queries an evaluation works on at a time."""

from __future__ import annotations

import streamlit as st

from rerank_lab.core.errors import InvalidInput
from rerank_lab.services.workers import ONE, WorkersChoice, preset_workers
from rerank_lab.ui.shared import parts
from rerank_lab.views.evaluate_lines import workers_words

_THREADS = (ONE, WorkersChoice(4), WorkersChoice(8), WorkersChoice(16))


def workers_box() -> WorkersChoice:
    """Ask who works; what the environment sets is offered as well, and comes first."""
    try:
        preset = preset_workers()
    except InvalidInput as error:
        parts.error_card(error, key="workers_setting")
        preset = ONE
    options = dict.fromkeys(sorted({preset, *_THREADS}, key=lambda one: (one.on_ray, one.count)))
    choices = list(options)
    chosen = st.selectbox(
        "At a time",
        choices,
        index=choices.index(preset),
        format_func=workers_words,
        key="at_a_time",
        width=130,
        help="More than one query at a time is of use where a provider or a server answers. Ranks "
        "and scores are the same; times are then those of a busy machine.",
    )
    return chosen or preset
