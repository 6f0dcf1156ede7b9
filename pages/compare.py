"""Compare: one query answered by several pipelines, side by side."""

from __future__ import annotations

from rerank_lab.ui.compare import page as compare

compare.page()
