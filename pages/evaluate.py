"""Evaluate: a query set through several pipelines."""

from __future__ import annotations

from rerank_lab.ui import evaluate

evaluate.page()
