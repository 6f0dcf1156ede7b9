"""The frame around every page: navigation, the state kept in the URL, sidebar, running jobs."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from rerank_lab.ui import frame

HERE = Path(__file__).parent
PAGES = (
    ("compare.py", "Compare", ":material/compare_arrows:", "One query, several pipelines."),
    ("evaluate.py", "Evaluate", ":material/monitoring:", "A query set through pipelines."),
    ("calibrate.py", "Calibrate", ":material/speed:", "What a score is worth."),
    ("train.py", "Train", ":material/model_training:", "Several signals into one order."),
    ("corpora.py", "Corpora", ":material/library_books:", "Bring and look at documents."),
    ("models.py", "Models", ":material/memory:", "What can run here and now."),
)

st.set_page_config(page_title="Rerank Lab", page_icon=frame.ICON, layout="wide")
pages = [
    st.Page(HERE / file, title=title, icon=icon, help=about, default=file == "compare.py")
    for file, title, icon, about in PAGES
    if (HERE / file).exists()
]
page = st.navigation(pages, position="top")
frame.draw(page.title)
page.run()
frame.finish()
