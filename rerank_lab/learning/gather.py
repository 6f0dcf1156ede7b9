"""Run the sources for every query and read the features: the slow part, kept by the score cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rerank_lab.core.context import Context, Progress
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.guard import lab_errors
from rerank_lab.core.types import Query, Ranking
from rerank_lab.fusion.learned.features import Matrix
from rerank_lab.learning.plan import Plan
from rerank_lab.learning.requirements import MIN_QUERIES
from rerank_lab.pipeline.engine import Engine


@dataclass(frozen=True, slots=True)
class Example:
    """One query's candidates in the order of `before`: features by row, grades (unjudged is 0).

    `unjudged` counts candidates that nobody judged.
    """

    query: Query
    before: Ranking
    matrix: Matrix
    grades: tuple[int, ...]
    unjudged: int

    @property
    def teaches(self) -> bool:
        """Whether there are candidates of more than one grade to tell apart."""
        return len(set(self.grades)) > 1


def gather(plan: Plan, ctx: Context, engine: Engine, total: int) -> list[Example]:
    """The examples of every query, in order. Progress counts queries, of `total` steps in all.

    Raises the error of the first source that fails; scores computed by then are kept. Raises
    InvalidInput when too few queries have a relevant candidate.
    """
    examples: list[Example] = []
    for query in plan.queries:
        ctx.checkpoint()

        def nested(now: Progress) -> None:
            ctx.report(f"reading signals: {now.message}", len(examples), total)

        query_context = replace(ctx, progress=nested)
        with lab_errors(f"Reading the signals of query {query.id!r}"):
            examples.append(_example(plan, query, query_context, engine))
        ctx.report("reading signals", len(examples), total)
    teaching = sum(example.teaches for example in examples)
    if teaching < MIN_QUERIES:
        raise InvalidInput(
            f"Only {teaching:,} of {len(examples):,} queries have a relevant document among their "
            f"candidates; learning needs {MIN_QUERIES} such queries.",
            hint="Use a first stage that finds more, more candidates, or more judged queries.",
        )
    return examples


def _example(plan: Plan, query: Query, ctx: Context, engine: Engine) -> Example:
    candidates = plan.pipeline.candidates(query, plan.corpus, ctx, engine)
    judged = plan.qrels[query.id]
    grades = [judged.get(doc.document_id) for doc in candidates.docs]
    return Example(
        query,
        candidates.before,
        plan.features.matrix(candidates),
        tuple(max(0, grade or 0) for grade in grades),
        sum(grade is None for grade in grades),
    )


def stacked(examples: Sequence[Example]) -> tuple[Matrix, list[int], list[int]]:
    """Rows of all queries, their grades, and how many rows each query has."""
    examples = [example for example in examples if len(example.grades)]
    matrix = np.concatenate([example.matrix for example in examples])
    grades = [grade for example in examples for grade in example.grades]
    return matrix, grades, [len(example.grades) for example in examples]
