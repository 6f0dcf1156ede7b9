"""What is to be trained: checked as a whole before any work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Qrels, Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.fusion.learned.features import Features, numeric_columns
from rerank_lab.fusion.learned.fusion import NoModelYet
from rerank_lab.fusion.learned.learners import load_library
from rerank_lab.fusion.learned.model import checked_name
from rerank_lab.fusion.learned.settings import DEFAULT_SETTINGS, LEARNERS, LearnerSettings
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline

MIN_QUERIES = 10
"""With fewer queries to learn from, folds of a few queries each say nothing."""
_EXAMPLE = "bm25 >> ltr(bm25,dense,overlap)"


@dataclass(frozen=True, slots=True)
class Plan:
    """`pipeline` ends with the fusion to be trained; `queries` are judged, with something relevant.

    `folds` is how many parts the queries are split into for validation.
    """

    name: str
    corpus: Corpus
    pipeline: Pipeline
    queries: tuple[Query, ...]
    qrels: Qrels
    features: Features
    settings: LearnerSettings
    folds: int

    @property
    def before(self) -> Pipeline:
        """The stages in front of the fusion."""
        return Pipeline(PipelineSpec(self.pipeline.spec.nodes[:-1]))


def plan(
    corpus: Corpus,
    spec: str | PipelineSpec,
    name: str,
    *,
    queries: Sequence[Query] | None = None,
    qrels: Qrels | None = None,
    settings: LearnerSettings = DEFAULT_SETTINGS,
    folds: int = 5,
    language: str = "english",
    engine: Engine | None = None,
) -> Plan:
    """Check everything. Raises InvalidInput, MissingExtra and whatever stops a source here.

    Queries and judgments default to the corpus' own. Queries without a relevant judged document
    have nothing to teach and are left out.
    """
    pipeline = Pipeline(spec)
    node = pipeline.spec.nodes[-1]
    if node.name != "ltr" or len(pipeline.spec.nodes) < 2:
        raise InvalidInput(
            f"{pipeline} does not end with a learned fusion behind a first stage.",
            hint=f"Write it like this: {_EXAMPLE}",
        )
    judged = corpus.qrels if qrels is None else qrels
    all_queries = corpus.queries if queries is None else queries
    useful = usable(all_queries, judged)
    _check_numbers(len(useful), sum(bool(judged.get(q.id)) for q in all_queries), folds, settings)
    load_library(settings.learner)
    template = node.with_options(model="")
    untrained = Pipeline(PipelineSpec((*pipeline.spec.nodes[:-1], template)))
    for problem in untrained.check(corpus, engine):
        if not isinstance(problem, NoModelYet):
            raise problem
    columns = numeric_columns(corpus.documents)
    sources = tuple(str(source) for source in untrained.spec.nodes[-1].sources)
    return Plan(
        checked_name(name),
        corpus,
        untrained,
        useful,
        {query.id: judged[query.id] for query in useful},
        Features(sources, columns, language),
        settings,
        folds,
    )


def usable(queries: Sequence[Query], qrels: Qrels) -> tuple[Query, ...]:
    """The queries with at least one relevant document."""
    return tuple(q for q in queries if any(grade > 0 for grade in qrels.get(q.id, {}).values()))


def _check_numbers(useful: int, judged: int, folds: int, settings: LearnerSettings) -> None:
    if settings.learner not in LEARNERS:
        raise InvalidInput(
            f"There is no learner {settings.learner!r}.", hint=f"Choose {' or '.join(LEARNERS)}."
        )
    if useful < MIN_QUERIES:
        raise InvalidInput(
            f"Only {useful:,} of {judged:,} judged queries have a relevant document; learning "
            f"needs {MIN_QUERIES} such queries at the very least, and 50 or more to be of use.",
            hint="Judge more queries, or choose a corpus that has judgments.",
        )
    if not 2 <= folds <= useful:
        raise InvalidInput(
            f"{folds} folds are not possible with {useful:,} queries.",
            hint=f"Choose 2 to {min(10, useful)} folds.",
        )
