"""Choose: which pipeline to take, by what a team can accept."""

from __future__ import annotations

from rerank_lab.ui.choose import page as choose

choose.page()
