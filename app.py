"""The app. Start it with `streamlit run app.py`, `make run` or `rerank-lab app`."""

from __future__ import annotations

import streamlit as st

from rerank_lab.ui.application import app_settings

app = st.App("pages/_frame.py", **app_settings())
