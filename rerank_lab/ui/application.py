"""What the app is started with: the routes of the API, and what happens when a page fails."""

from __future__ import annotations

import os
import sys
from typing import Any

import streamlit as st

from rerank_lab.core.context import LaneSlots
from rerank_lab.core.errors import LabError
from rerank_lab.server import in_app
from rerank_lab.services.roles import ROLES_VARIABLE, read_roles
from rerank_lab.ui import first_imports


def app_settings() -> dict[str, Any]:
    """The arguments of `st.App` beside its first page.

    Roles are checked, the API is started where it is asked for, and what pages need is imported.

    Raises:
        SystemExit: with what is wrong in the settings of this machine.
    """
    try:
        read_roles(os.environ.get(ROLES_VARIABLE, ""))
        api = in_app.start(st.get_option("server.address"), slots=_request_slots)
    except LabError as error:
        sys.exit(f"The app cannot start: {error}")
    first_imports.begin()
    return {
        "routes": api.routes if api is not None else None,
        "lifespan": api.lifespan if api is not None else None,
        "on_script_error": _show_refusal,
    }


def _show_refusal(error: Exception) -> bool:
    """Show what a visitor may not do as a card, in place of Streamlit's own box."""
    from rerank_lab.ui.shared import visitor

    return visitor.show_refusal(error)


def _request_slots() -> LaneSlots:
    """What a request of the API works in, so that it takes turns with the jobs of the pages."""
    from rerank_lab.ui.shared import resources

    return resources.guests().slots()
