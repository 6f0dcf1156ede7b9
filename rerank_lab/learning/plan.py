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
from rerank_lab.fusion.learned.store import require_free_name
from rerank_lab.learning.requirements import require_queries
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline

_EXAMPLE = "bm25 >> ltr(bm25,dense,overlap)"


@dataclass(frozen=True, slots=True)
class Plan:
    """`pipeline` ends with the fusion to be trained; `queries` are judged, with something relevant.

    `folds` is how many parts the queries are split into for validation. `replace` lets the model
    take the place of one of the same name.
    """

    name: str
    corpus: Corpus
    pipeline: Pipeline
    queries: tuple[Query, ...]
    qrels: Qrels
    features: Features
    settings: LearnerSettings
    folds: int
    replace: bool = False

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
    replace: bool = False,
    engine: Engine | None = None,
) -> Plan:
    """Check everything before any work.

    Args:
        spec: ends with the fusion to be trained.
        queries: in place of the corpus' own, as `qrels` are. Those without a relevant judged
            document have nothing to teach and are left out.
        folds: how many parts the queries are split into for validation.
        language: whose stemmer the word features use.
        replace: take the place of a model of that name.

    Raises:
        InvalidInput: The name is taken, the pipeline has nothing to train, or too little is judged.
        MissingExtra: The learner is not installed.
        LabError: Whatever stops a source here.
    """
    if not replace:
        require_free_name(checked_name(name))
    judged = corpus.qrels if qrels is None else qrels
    untrained = _untrained(Pipeline(spec))
    useful = require_queries(corpus.queries if queries is None else queries, judged, folds)
    _require_learner(settings)
    for problem in untrained.check(corpus, engine):
        if not isinstance(problem, NoModelYet):
            raise problem
    sources = tuple(map(str, untrained.spec.nodes[-1].sources))
    return Plan(
        checked_name(name),
        corpus,
        untrained,
        useful,
        {query.id: judged[query.id] for query in useful},
        Features(sources, numeric_columns(corpus.documents), language),
        settings,
        folds,
        replace,
    )


def _untrained(pipeline: Pipeline) -> Pipeline:
    """The pipeline without a model in its last stage.

    Raises InvalidInput when that is no learned fusion behind a first stage.
    """
    *before, last = pipeline.spec.nodes
    if last.name != "ltr" or not before:
        raise InvalidInput(
            f"{pipeline} does not end with a learned fusion behind a first stage.",
            hint=f"Write it like this: {_EXAMPLE}",
        )
    return Pipeline(PipelineSpec((*before, last.with_options(model=""))))


def _require_learner(settings: LearnerSettings) -> None:
    """Raise InvalidInput for an unknown learner, MissingExtra for one that is not installed."""
    if settings.learner not in LEARNERS:
        raise InvalidInput(
            f"There is no learner {settings.learner!r}.", hint=f"Choose {' or '.join(LEARNERS)}."
        )
    load_library(settings.learner)
