"""Learning to rank from judgments: gather the signals, validate by query, train, keep.

made = train(plan(corpus, "bm25 >> ltr(bm25,dense,overlap)", "my-model"))
made.validation.mean("model"), made.validation.mean("before")
"""

from __future__ import annotations

from rerank_lab.learning.plan import Plan, plan
from rerank_lab.learning.requirements import MIN_QUERIES
from rerank_lab.learning.run import train
from rerank_lab.learning.validate import cross_validate

__all__ = ["MIN_QUERIES", "Plan", "cross_validate", "plan", "train"]
