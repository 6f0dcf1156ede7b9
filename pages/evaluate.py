"""Evaluate: a query set through several pipelines."""

from __future__ import annotations

from rerank_lab.ui.evaluate import page as evaluate

evaluate.page()
