"""Label: judge what is relevant."""

from __future__ import annotations

from rerank_lab.ui.label import page as label

label.page()
