"""Learning to rank: named features, the learners, kept models, and the stage that uses one.

Training from judgments is in `rerank_lab.learning`.
"""

from __future__ import annotations

NO_MODEL = "This learned fusion has no model yet."
"""The one problem of a pipeline that is to be trained."""
