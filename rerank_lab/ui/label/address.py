"""What the address of the Label page holds: the session, the judge, and which side of it."""

from __future__ import annotations

from enum import StrEnum

import streamlit as st

SESSION, JUDGE, VIEW, PART = "session", "judge", "view", "part"
"""URL parameters."""


class LabelPart(StrEnum):
    """What the page shows where no session is open."""

    SESSIONS = "Sessions"
    QUERIES = "Query sets"
    LLM_JUDGE = "LLM judge"
    FILES = "Import and export"


class LabelView(StrEnum):
    """The judge's screen, the lead's, or what judges differ on."""

    JUDGE = "judge"
    LEAD = "lead"
    SETTLE = "settle"


def opened(session_id: str, judge: str = "", view: LabelView = LabelView.JUDGE) -> None:
    """Show a session, "" for the list of all. From a callback, or before the page runs again."""
    if session_id:
        st.query_params.pop(PART, None)
    values = {SESSION: session_id, JUDGE: judge, VIEW: "" if view is LabelView.JUDGE else view}
    for name, value in values.items():
        if value:
            st.query_params[name] = value
        else:
            st.query_params.pop(name, None)
