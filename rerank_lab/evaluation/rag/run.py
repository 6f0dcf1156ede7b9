"""Contexts of pipelines with their reranking and without, query by query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from rerank_lab.core.context import Context, Progress
from rerank_lab.core.errors import BackendError, Cancelled, LabError
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Document, Qrels, Query, Ranking
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.evaluation.rag.contexts import TOKENIZER, QueryContext, context_of
from rerank_lab.evaluation.rag.figures import Contexts, context_differences, context_figures
from rerank_lab.evaluation.rag.study import PipelineContexts, RagStudy, TemptingExample
from rerank_lab.evaluation.statistics import Paired, holm
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.reranking import Stages

_EXAMPLES = 5
_EXAMPLE_CHARS = 400
_HOPELESS_AFTER = 3
"""A pipeline that answers none of so many first queries is given up."""
REORDER = "long-context-reorder"


@dataclass(frozen=True, slots=True)
class RagDesign:
    """What to look at.

    Attributes:
        pipelines: specs, also of runs of other systems that `rankings` holds.
        rankings: by query and spec, what is known already and need not be run.
        documents: how many a context holds at most.
        budget: tokens that it holds at most, 0 for no bound.
    """

    pipelines: tuple[str, ...]
    queries: tuple[Query, ...]
    qrels: Qrels
    documents: int
    budget: int
    rankings: Mapping[tuple[str, str], Ranking]


@dataclass(frozen=True, slots=True)
class PipelineRankings:
    """What one pipeline put first for each query.

    Attributes:
        contexts: by query id.
        rankings: of documents, by query id.
        problem: why it did not answer a query, the last time; "" when it answered all.
    """

    contexts: Contexts
    rankings: Mapping[str, Ranking]
    problem: str


@dataclass(slots=True)
class RagRun:
    """A study in progress."""

    design: RagDesign
    corpus: Corpus
    ctx: Context
    engine: Engine
    _done: int = 0
    _known: dict[str, PipelineRankings] = field(default_factory=dict)

    def study(self) -> RagStudy:
        """Every pipeline with its reranking and without.

        Raises:
            Cancelled, DeadlineExceeded: nothing is kept but the scores of models.
        """
        design = self.design
        pipelines = _corrected([self._pipeline(spec) for spec in design.pipelines])
        return RagStudy(
            self.corpus.name,
            self.corpus.content_hash,
            design.documents,
            design.budget,
            TOKENIZER,
            len(design.queries),
            sum(bool(design.qrels.get(query.id)) for query in design.queries),
            pipelines,
        )

    def _pipeline(self, spec: str) -> PipelineContexts:
        whole = self.contexts(spec)
        source = first_stage_of(spec)
        first = self.contexts(source) if source else PipelineRankings({}, {}, "")
        return PipelineContexts(
            spec,
            context_figures(*self._judged(whole.contexts)),
            context_figures(*self._judged(first.contexts)),
            context_differences(first.contexts, whole.contexts),
            self._examples(whole),
            problem=whole.problem,
        )

    def contexts(self, spec: str) -> PipelineRankings:
        """The contexts of a pipeline; queries that it does not answer itself are missing."""
        if spec not in self._known:
            self._known[spec] = self._contexts(spec)
        return self._known[spec]

    def _contexts(self, spec: str) -> PipelineRankings:
        contexts: dict[str, QueryContext] = {}
        rankings: dict[str, Ranking] = {}
        problem = ""
        for place, query in enumerate(self.design.queries):
            if place >= _HOPELESS_AFTER and not contexts:
                break
            self._step()
            try:
                ranking, texts = self._ranked(spec, query)
            except LabError as error:
                if isinstance(error, Cancelled):
                    raise
                problem = error.message
                continue
            rankings[query.id] = ranking
            contexts[query.id] = context_of(
                ranking,
                texts,
                self.design.qrels.get(query.id, {}),
                self.design.documents,
                self.design.budget,
            )
        return PipelineRankings(contexts, rankings, problem)

    def _ranked(self, spec: str, query: Query) -> tuple[Ranking, Mapping[str, Document]]:
        """The ranking of a query and what stands for its first documents.

        Raises:
            LabError: there is none that the pipeline gave itself.
        """
        known = self.design.rankings.get((query.id, spec))
        if known is not None and not self.corpus.parent_of:
            return known, self.corpus.by_id
        ctx = replace(self.ctx, progress=self._nested)
        result = Pipeline(spec).run(query, self.corpus, ctx, self.engine)
        if result.error is not None:
            raise result.error
        if result.ranking is None or not result.status.answered:
            raise BackendError("It gave no order of its own.", hint="Try it on Compare.")
        head = result.ranking.doc_ids[: self.design.documents]
        texts = {doc_id: self.corpus.by_id[result.passages.get(doc_id, doc_id)] for doc_id in head}
        return result.ranking, texts

    def _judged(self, contexts: Contexts) -> tuple[list[QueryContext], list[QueryContext]]:
        """The contexts of judged queries, as they are and reordered for a long context."""
        judged = [one for one in contexts.values() if one.grades]
        return judged, [self._reordered(one) for one in judged]

    def _reordered(self, context: QueryContext) -> QueryContext:
        by_id = {document.id: document for document in context.documents}
        query = Query(context.query_id, "the order of the documents decides")
        result = Stages(f"{REORDER}(top={max(1, len(by_id))})").rerank(
            query, context.documents, self.ctx, self.engine
        )
        order = result.ranking.doc_ids if result.ranking is not None else tuple(by_id)
        return replace(context, documents=tuple(by_id[doc_id] for doc_id in order))

    def _examples(self, whole: PipelineRankings) -> tuple[TemptingExample, ...]:
        """Queries whose context begins with a wrong document, those without a right one first."""
        texts = {query.id: query.text for query in self.design.queries}
        examples = []
        for query_id, context in whole.contexts.items():
            wrong = context.tempting
            if wrong is None or not context.can_tempt:
                continue
            ranking = whole.rankings[query_id]
            right = [doc_id for doc_id in ranking.doc_ids if context.grades.get(doc_id, 0) > 0]
            best = right[0] if right else ""
            examples.append(
                TemptingExample(
                    query_id,
                    texts[query_id],
                    wrong.document_id,
                    wrong.content[:_EXAMPLE_CHARS],
                    context.documents.index(wrong) + 1,
                    best,
                    ranking.ranks.get(best),
                )
            )
        examples.sort(key=lambda one: (-(one.right_rank or len(texts) + 10_000), one.query_id))
        return tuple(examples[:_EXAMPLES])

    def _step(self) -> None:
        self.ctx.checkpoint()
        self.ctx.report("making contexts", self._done, self._size)
        self._done += 1

    @property
    def _size(self) -> int:
        first_stages = {first_stage_of(spec) for spec in self.design.pipelines} - {""}
        return len(self.design.queries) * len(first_stages.union(self.design.pipelines))

    def _nested(self, now: Progress) -> None:
        self.ctx.report(f"making contexts: {now.message}", self._done, self._size)


def first_stage_of(spec: str) -> str:
    """The first stage of a pipeline with rerankers, "" for one without, and for a foreign run."""
    try:
        parsed = Pipeline(spec).spec
    except LabError:
        return ""
    return str(PipelineSpec((parsed.source,))) if parsed.stages else ""


def _corrected(pipelines: Sequence[PipelineContexts]) -> tuple[PipelineContexts, ...]:
    """With Holm's correction over all comparisons of contexts in the study."""
    every = [one for pipeline in pipelines for one in pipeline.differences.values()]
    adjusted = iter(holm([one.p for one in every if one.p is not None]))

    def corrected(one: Paired) -> Paired:
        return one if one.p is None else replace(one, p_holm=next(adjusted))

    return tuple(
        replace(
            pipeline,
            differences={name: corrected(one) for name, one in pipeline.differences.items()},
        )
        for pipeline in pipelines
    )
