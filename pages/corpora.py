"""Corpora: bring documents, look at them, get them ready to be searched."""

from __future__ import annotations

from rerank_lab.ui.corpora import page as corpora

corpora.page()
