"""Train: several signals into one order, learned from judgments."""

from __future__ import annotations

from rerank_lab.ui.train import page as train

train.page()
