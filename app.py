"""The app. Start it with `streamlit run app.py`, `make run` or `rerank-lab app`."""

from __future__ import annotations

import streamlit as st

app = st.App("pages/_frame.py")
