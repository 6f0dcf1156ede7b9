"""The Compare page."""

from __future__ import annotations

import streamlit as st

from rerank_lab.ui import state


def page() -> None:
    """Draw the page."""
    screen = state.screen()
    state.size_boxes()
    st.write(screen)
