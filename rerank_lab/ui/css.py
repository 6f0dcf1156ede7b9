"""The app's style sheet: only for `.st-key-*` containers and our own `rl-` classes."""

from __future__ import annotations

from functools import cache

_RULES = """
.st-key-url_state, .st-key-query_bar_away { display: none; }
"""


@cache
def stylesheet() -> str:
    return f"<style>{_RULES}</style>"
