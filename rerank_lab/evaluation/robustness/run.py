"""Pipelines before and after each perturbation, query by query.

A changed query goes through the whole pipeline, by the engine that evaluations use. Changed
documents go to the reranking stages as given candidates, and are compared with the same stages over
the unchanged candidates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from rerank_lab.components.registry import expand
from rerank_lab.core.context import Context, Progress
from rerank_lab.core.errors import Cancelled, LabError
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Document, Qrels, Query, Ranking
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.languages import query_languages
from rerank_lab.evaluation.measures import query_measures
from rerank_lab.evaluation.robustness.documents import FILLER_TOKENS, first_tokens
from rerank_lab.evaluation.robustness.perturbations import (
    AlteredCandidates,
    DocumentPerturbation,
    Perturbation,
    QueryPerturbation,
    RerankingCase,
)
from rerank_lab.evaluation.robustness.study import (
    PerturbationEffect,
    PipelineRobustness,
    RobustnessStudy,
)
from rerank_lab.evaluation.robustness.trials import PerturbationTrial, effect_of
from rerank_lab.evaluation.statistics import Paired, holm
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.reranking import Stages
from rerank_lab.pipeline.results import Result

_HOPELESS_AFTER = 3
"""A pipeline that answers none of so many first queries is given up."""
_FILLER_TRIES = 20


@dataclass(frozen=True, slots=True)
class RobustnessDesign:
    """What to try.

    Attributes:
        pipelines: those to compare.
        queries: as they are asked before any change.
        qrels: their judgments.
        measure: by which rankings are compared.
        perturbations: the changes, in their order.
        candidates: how many candidates of the first stage are handed to rerankers at most.
        seed: of everything random.
    """

    pipelines: tuple[Pipeline, ...]
    queries: tuple[Query, ...]
    qrels: Qrels
    measure: str
    perturbations: tuple[Perturbation, ...]
    candidates: int
    seed: int

    @property
    def size(self) -> int:
        """How many rankings it takes at most."""
        of_queries = sum(isinstance(one, QueryPerturbation) for one in self.perturbations)
        rankings = sum(
            1 + of_queries + (2 + len(self.perturbations) - of_queries) * bool(one.spec.stages)
            for one in self.pipelines
        )
        return len(self.queries) * rankings


def study_robustness(
    design: RobustnessDesign, corpus: Corpus, ctx: Context, engine: Engine
) -> RobustnessStudy:
    """Run everything. A pipeline that fails is reported, and does not stop the others.

    Raises:
        Cancelled, DeadlineExceeded: nothing is kept but the scores of models.
    """
    run = _RobustnessRun(design, corpus, ctx, engine)
    pipelines = tuple(map(run.pipeline, design.pipelines))
    return RobustnessStudy(
        corpus.name,
        corpus.content_hash,
        design.measure,
        design.seed,
        tuple(query.id for query in design.queries),
        design.candidates,
        tuple(one.name for one in design.perturbations),
        _corrected(pipelines),
    )


def _corrected(pipelines: Sequence[PipelineRobustness]) -> tuple[PipelineRobustness, ...]:
    """With Holm's correction over all comparisons of their kind in the study."""
    effects = [effect for one in pipelines for effect in one.effects]
    measures = iter(_holm([effect.measure for effect in effects]))
    targets = iter(_holm([effect.target.ranks if effect.target else None for effect in effects]))
    biases = iter(_holm([effect.order_bias for effect in effects]))

    def corrected(effect: PerturbationEffect) -> PerturbationEffect:
        ranks = next(targets)
        return replace(
            effect,
            measure=next(measures),
            target=replace(effect.target, ranks=ranks) if effect.target and ranks else None,
            order_bias=next(biases),
        )

    return tuple(replace(one, effects=tuple(map(corrected, one.effects))) for one in pipelines)


def _holm(comparisons: Sequence[Paired | None]) -> list[Paired | None]:
    known = [one.p for one in comparisons if one is not None and one.p is not None]
    adjusted = iter(holm(known))
    return [
        one if one is None or one.p is None else replace(one, p_holm=next(adjusted))
        for one in comparisons
    ]


@dataclass(slots=True)
class _Trials:
    """What came of one perturbation so far."""

    trials: list[PerturbationTrial] = field(default_factory=list)
    unchanged: int = 0
    failed: int = 0


@dataclass(slots=True)
class _RobustnessRun:
    """A study in progress."""

    design: RobustnessDesign
    corpus: Corpus
    ctx: Context
    engine: Engine
    _done: int = 0
    _problem: str = ""

    def pipeline(self, pipeline: Pipeline) -> PipelineRobustness:
        """Every query and perturbation through one pipeline."""
        outcomes = {one.name: _Trials() for one in self.design.perturbations}
        stages, untried = _stages_of(pipeline)
        self._problem, answered = "", 0
        for place, query in enumerate(self.design.queries):
            before = self._whole(pipeline, query)
            if before.ranking is None or not before.status.answered:
                for outcome in outcomes.values():
                    outcome.failed += 1
                if not answered and place + 1 >= _HOPELESS_AFTER:
                    break
                continue
            answered += 1
            self._changed_queries(pipeline, query, before.ranking, outcomes)
            if stages is not None:
                self._changed_documents(pipeline, stages, query, outcomes)
        effects = tuple(
            effect_of(one, (of := outcomes[one.name]).trials, of.unchanged, of.failed)
            for one in self.design.perturbations
            if stages is not None or isinstance(one, QueryPerturbation)
        )
        return PipelineRobustness(str(pipeline), effects, answered, self._problem, untried)

    def _changed_queries(
        self,
        pipeline: Pipeline,
        query: Query,
        before: Ranking,
        outcomes: Mapping[str, _Trials],
    ) -> None:
        for one in self.design.perturbations:
            if not isinstance(one, QueryPerturbation):
                continue
            outcome = outcomes[one.name]
            text = one.rewrite(query.text, self._language(query), self._chance(one, query))
            if text == query.text:
                outcome.unchanged += 1
                continue
            result = self._whole(pipeline, replace(query, text=text))
            if result.ranking is None or not result.status.answered:
                outcome.failed += 1
                continue
            texts = self._texts(before.doc_ids[:10] + result.ranking.doc_ids[:10])
            outcome.trials.append(
                PerturbationTrial(
                    query,
                    text,
                    before,
                    result.ranking,
                    self._value(query, before),
                    self._value(query, result.ranking),
                    texts,
                    texts,
                )
            )

    def _changed_documents(
        self, pipeline: Pipeline, stages: Stages, query: Query, outcomes: Mapping[str, _Trials]
    ) -> None:
        changes = [
            one for one in self.design.perturbations if isinstance(one, DocumentPerturbation)
        ]
        handed_over = self._candidates(pipeline, query) if changes else ()
        before = self._reranked(stages, query, handed_over) if handed_over else None
        if before is None:
            for one in changes:
                outcomes[one.name].failed += 1
            return
        grades = self.design.qrels.get(query.id, {})
        filler = self._filler(query, handed_over)
        case = RerankingCase(query, handed_over, before.doc_ids, grades, filler)
        for one in changes:
            outcome = outcomes[one.name]
            altered = one.alter(case, self._chance(one, query))
            if altered is None:
                outcome.unchanged += 1
                continue
            after = self._reranked(stages, query, altered.documents)
            if after is None:
                outcome.failed += 1
            else:
                outcome.trials.append(self._trial(case, altered, before, after))

    def _trial(
        self, case: RerankingCase, altered: AlteredCandidates, before: Ranking, after: Ranking
    ) -> PerturbationTrial:
        after = after.without(altered.copies)
        documents = [one for one in altered.documents if one.id not in altered.copies]
        parents = {one.id: one.document_id for one in case.candidates}
        return PerturbationTrial(
            case.query,
            case.query.text,
            before,
            after,
            self._value(case.query, before.folded(parents)[0]),
            self._value(case.query, after.folded(parents)[0]),
            {one.id: one.content for one in case.candidates},
            {one.id: one.content for one in documents},
            altered.target,
            tuple(one.id for one in documents),
        )

    def _whole(self, pipeline: Pipeline, query: Query) -> Result:
        """A query through all stages, by the engine of evaluations."""
        self._step()
        ctx = replace(self.ctx, progress=self._nested)
        return self._checked(pipeline.run(query, self.corpus, ctx, self.engine))

    def _reranked(
        self, stages: Stages, query: Query, documents: Sequence[Document]
    ) -> Ranking | None:
        """The order of given candidates; None where the stages fail or only fall back."""
        self._step()
        ctx = replace(self.ctx, progress=self._nested)
        result = self._checked(stages.rerank(query, documents, ctx, self.engine))
        return result.ranking if result.status.answered else None

    def _checked(self, result: Result) -> Result:
        """The result; why there is none is kept. Raises Cancelled where it was cancelled."""
        if isinstance(result.error, Cancelled):
            raise result.error
        if result.error is not None:
            self._problem = result.error.message
        elif not result.status.answered:
            self._problem = "It gave no order of its own."
        return result

    def _candidates(self, pipeline: Pipeline, query: Query) -> tuple[Document, ...]:
        """What the first stage hands over, as far as the first reranker reads."""
        self._step()
        source = Pipeline(PipelineSpec((pipeline.spec.source,)))
        ranking = source.run(query, self.corpus, self.ctx, self.engine).stages[0].ranking
        if ranking is None:
            return ()
        options = expand(pipeline.spec.stages[0], "reranker")[1]
        limit = min(self.design.candidates, int(options.get("top", self.design.candidates)))
        documents = (self.corpus.by_id[doc_id] for doc_id in ranking.doc_ids[:limit])
        return tuple(document for document in documents if not document.blank)

    def _filler(self, query: Query, candidates: Sequence[Document]) -> str:
        """The beginning of a document that is no candidate and not judged relevant, "" for none."""
        grades = self.design.qrels.get(query.id, {})
        chance = Random(f"{self.design.seed}/filler/{query.id}")
        near = {document.document_id for document in candidates}
        pool = self.corpus.examples
        for document in chance.sample(pool, min(_FILLER_TRIES, len(pool))):
            known = grades.get(document.document_id, 0) > 0 or document.document_id in near
            if not known and not document.blank:
                return first_tokens(document.text, FILLER_TOKENS)
        return ""

    def _texts(self, doc_ids: Sequence[str]) -> dict[str, str]:
        return {doc_id: self.corpus.whole_document(doc_id).content for doc_id in doc_ids}

    def _value(self, query: Query, ranking: Ranking) -> float | None:
        grades = self.design.qrels.get(query.id, {})
        return query_measures(grades, ranking, [self.design.measure]).get(self.design.measure)

    def _language(self, query: Query) -> str:
        """Of the query, where that can be told; else the commonest of the corpus."""
        languages = query_languages(query.text) or self.corpus.languages
        return max(languages, key=lambda code: languages[code], default="")

    def _chance(self, one: Perturbation, query: Query) -> Random:
        """The same for all pipelines, so that they are asked the same."""
        return Random(f"{self.design.seed}/{one.name}/{query.id}")

    def _step(self) -> None:
        self.ctx.checkpoint()
        self.ctx.report("trying changes", self._done, self.design.size)
        self._done += 1

    def _nested(self, now: Progress) -> None:
        self.ctx.report(f"trying changes: {now.message}", self._done, self.design.size)


def _stages_of(pipeline: Pipeline) -> tuple[Stages | None, str]:
    """The rerankers of a pipeline alone, or why they cannot be given candidates."""
    if not pipeline.spec.stages:
        return None, "It has no reranker that candidates could be handed to."
    try:
        return Stages(pipeline), ""
    except LabError as error:
        return None, f"Its rerankers need the whole corpus. {error.message}"
