"""The app. Start it with `streamlit run app.py`, `make run` or `rerank-lab app`."""

from __future__ import annotations

import os
import sys

import streamlit as st

from rerank_lab.core.context import LaneSlots
from rerank_lab.core.errors import LabError
from rerank_lab.server import in_app
from rerank_lab.services.roles import ROLES_VARIABLE, read_roles
from rerank_lab.ui import first_imports


def show_refusal(error: Exception) -> bool:
    """Show what a visitor may not do as a card, in place of Streamlit's own box."""
    from rerank_lab.ui.shared import visitor

    return visitor.show_refusal(error)


def request_slots() -> LaneSlots:
    """What a request of the API works in, so that it takes turns with the jobs of the pages."""
    from rerank_lab.ui.shared import resources

    return resources.guests().slots()


try:
    read_roles(os.environ.get(ROLES_VARIABLE, ""))
    api = in_app.start(st.get_option("server.address"), slots=request_slots)
except LabError as error:
    sys.exit(f"The app cannot start: {error}")
first_imports.begin()
app = st.App(
    "pages/_frame.py",
    routes=api.routes if api is not None else None,
    lifespan=api.lifespan if api is not None else None,
    on_script_error=show_refusal,
)
