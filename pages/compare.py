"""Compare: one query answered by several pipelines, side by side."""

from __future__ import annotations

from rerank_lab.ui import compare

compare.page()
