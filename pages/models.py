"""Models: what can run here and now, and what to do about the rest."""

from __future__ import annotations

from rerank_lab.ui.models import page as models

models.page()
