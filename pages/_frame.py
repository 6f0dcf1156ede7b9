"""The frame around every page: navigation, the state kept in the URL, sidebar, running jobs."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from rerank_lab.ui import first_imports

first_imports.finish()

from rerank_lab.ui.shared import frame, navigation, state, visitor  # noqa: E402  after what it needs

HERE = Path(__file__).parent
PAGES = (
    ("compare.py", "Compare", ":material/compare_arrows:", "One query, several pipelines."),
    ("evaluate.py", "Evaluate", ":material/monitoring:", "A query set through pipelines."),
    ("choose.py", "Choose", ":material/fact_check:", "Which pipeline to take."),
    ("label.py", "Label", ":material/grading:", "Judge what is relevant."),
    ("arena.py", "Arena", ":material/swords:", "Blind votes on what two pipelines answer."),
    ("calibrate.py", "Calibrate", ":material/speed:", "What a score is worth."),
    ("train.py", "Train", ":material/model_training:", "Several signals into one order."),
    ("corpora.py", "Corpora", ":material/library_books:", "Bring and look at documents."),
    ("models.py", "Models", ":material/memory:", "What can run here and now."),
)

# Narrower than Streamlit's own, so that all pages are named in full on a screen of 800 pixels.
st.set_page_config(
    page_title="Rerank Lab", page_icon=frame.ICON, layout="wide", initial_sidebar_state=220
)
if not visitor.admitted():
    st.stop()
home, *others = [
    st.Page(HERE / file, title=title, icon=icon, help=about, default=file == "compare.py",
            url_path="home" if file == "compare.py" else None)
    for file, title, icon, about in PAGES
]  # fmt: skip
# People who have seen /evaluate type /compare, though Compare answers at the root.
# Reached from Choose and from the side: ten names would not fit on a screen of 800 pixels.
serve = st.Page(HERE / "serve.py", title="Serve", icon=":material/api:", visibility="hidden",
                url_path="serve")  # fmt: skip
typed = st.Page(lambda: None, title="Compare", url_path="compare", visibility="hidden")
presenting = state.presenting()
page = st.navigation([home, *others, serve, typed], position="hidden" if presenting else "top")
if page.url_path == typed.url_path:
    st.switch_page(home, query_params={k: st.query_params.get_all(k) for k in st.query_params})
if presenting and page.title != navigation.COMPARE:
    # Only Compare is presented; every other page is left as it is.
    st.session_state["present"] = ""
    st.rerun()
frame.draw(page.title, presenting=presenting)
page.run()
frame.finish(page.title, presenting=presenting)
