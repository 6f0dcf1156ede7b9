"""Serve: the chosen pipeline behind an API, and how to call it."""

from __future__ import annotations

from rerank_lab.ui.serve import page as serve

serve.page()
