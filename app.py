"""The app. Start it with `streamlit run app.py`, `make run` or `rerank-lab app`."""

from __future__ import annotations

import sys

import streamlit as st

from rerank_lab.core.errors import LabError
from rerank_lab.server import in_app

try:
    api = in_app.start(st.get_option("server.address"))
except LabError as error:
    sys.exit(f"The API cannot be served: {error}")
if api is None:
    app = st.App("pages/_frame.py")
else:
    app = st.App("pages/_frame.py", routes=api.routes, lifespan=api.lifespan)
