"""The lead's view: how far a session is, and what its labels say so far."""

from __future__ import annotations

import streamlit as st

from rerank_lab.services.labelling import LabelDesk
from rerank_lab.ui.shared import parts
from rerank_lab.views import label as views


def draw(desk: LabelDesk) -> None:
    """Draw the view."""
    labels = desk.labels
    progress = desk.progress()
    st.markdown(f"## {parts.literal(labels.title)}")
    st.progress(min(1.0, progress.grades / max(1, progress.planned)))
    st.markdown(parts.literal(views.progress_sentence(progress)))
