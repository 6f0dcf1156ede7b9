"""Train: several signals into one order, learned from judgments."""

from __future__ import annotations

from rerank_lab.ui import train

train.page()
