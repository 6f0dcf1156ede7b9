"""Arena: two pipelines answer one query, and somebody who sees no names says which is better."""

from __future__ import annotations

from rerank_lab.ui.arena import page as arena

arena.page()
