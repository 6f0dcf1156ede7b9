"""How the stages of a pipeline run for one query, and what of them is kept for the next one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rerank_lab.components.base import Component, digest
from rerank_lab.components.model_languages import language_warnings, model_languages
from rerank_lab.components.registry import expand, fusions, leaves, source_kind
from rerank_lab.core.context import Context
from rerank_lab.core.errors import Cancelled, LabError
from rerank_lab.core.guard import lab_errors
from rerank_lab.core.spec import Node
from rerank_lab.core.types import Query, Ranking, Status, Trace
from rerank_lab.core.work import Work
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.languages import query_languages
from rerank_lab.fusion.base import Candidates
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.resolution import STAGE_DEPTH, deepened, fusion_of, split_at_top
from rerank_lab.pipeline.results import StageResult, gravest, ranking_of
from rerank_lab.rerankers.base import Reranker, blank_warning
from rerank_lab.retrievers.base import Retriever

CANDIDATES = Node("candidates")
"""What stands for the first stage, and names the corpus, where the candidates are given."""
EXCLUDED = "documents that this query excludes, such as itself, were left out"
"""What a first stage says that left out `Query.excluded`."""
RETRIEVAL_LANE = "light"
"""The lane of first stages: searching takes milliseconds, and must not wait behind a model."""


def rerank_candidates(
    nodes: Sequence[Node], query: Query, corpus: Corpus, ctx: Context, engine: Engine
) -> list[StageResult]:
    """Reranking stages alone; the corpus' documents, in their order, are the candidates.

    The first result stands for the candidates. Whole stages are not kept for a next time: a
    document's text says nothing of its metadata, which some rerankers read.
    """
    runner = StageRunner(query, corpus, ctx, engine, keeps_results=False)
    before: Ranking | None = Ranking.from_order(query.id, [doc.id for doc in corpus.documents])
    results = [StageResult(CANDIDATES, Status.OK, ranking=before)]
    for node in nodes:
        if before is None:
            results.append(StageResult(node, Status.SKIPPED))
            continue
        results.append(runner.stage(node, before, runner.start)[0])
        before = results[-1].ranking
    return results


@dataclass(slots=True)
class StageRunner:
    """One query on its way through one pipeline.

    A key stands for all that decides a result: corpus, query and every stage so far.
    """

    query: Query
    corpus: Corpus
    ctx: Context
    engine: Engine
    keeps_results: bool = True
    """Whether stage results are kept in the engine, and reused."""
    _prepared: dict[Node, tuple[Retriever, str]] = field(default_factory=dict)
    """First stages that were made for a key, with their fingerprints."""

    @property
    def start(self) -> str:
        """The key that every prefix begins with."""
        query = self.query
        return digest([self.corpus.content_hash, query.id, query.text, sorted(query.excluded)])

    @property
    def _excluded(self) -> set[str]:
        """The documents, or all their passages, that this query must not find."""
        corpus = self.corpus
        numbers = (n for doc_id in self.query.excluded for n in corpus.numbers_of(doc_id))
        units = {corpus.ids[number] for number in numbers}
        return units | {doc_id for doc_id in self.query.excluded if doc_id in corpus.by_id}

    def stage(self, node: Node, before: Ranking | None, key: str) -> tuple[StageResult, str]:
        """Run a stage, or take its kept result.

        Args:
            node: a canonical node.
            before: the ranking of the stage before; None for a first stage.
            key: the key of the prefix that ends before this stage.

        Returns:
            The result, failed or not, and the key of the prefix that ends with this stage.
        """
        prefix = key
        try:
            with lab_errors(f"The stage {node}"):
                self.ctx.checkpoint()
                key = self._key(key, node, before is None)
                recording = self.ctx.recording
                whole = recording is not None and recording.whole
                if not self.keeps_results or self.ctx.cache is None or whole:
                    return self._compute(node, before, prefix), key
                result, reused = self.engine.results.get(
                    key, lambda: self._compute(node, before, prefix), self.ctx
                )
        except LabError as error:
            status = Status.CANCELLED if isinstance(error, Cancelled) else Status.FAILED
            return StageResult(node, status, error=error), key
        return (replace(result, reused=True) if reused else result), key

    def fusion_candidates(self, node: Node, before: Ranking, key: str) -> Candidates:
        """What a fusion after the stage that gave `before` works on; it is not run itself.

        Raises the LabError of the source that failed.
        """
        head, rest, _ = self._split(node, before)
        return self._candidates(node, head, _sources_key(key, head, rest))[0]

    def _key(self, key: str, node: Node, first: bool) -> str:
        epochs: list[int] = []
        fingerprints: list[str] = []
        for leaf, kind in leaves(node, "retriever" if first else "reranker"):
            component: Retriever | Reranker
            if kind == "reranker":
                component = self.engine.reranker(leaf)
                component.prepare(self.ctx)
                fingerprints.append(component.fingerprint())
            else:
                component, fingerprint = self.engine.prepared(leaf, self.ctx)
                self._prepared[leaf] = (component, fingerprint)
                fingerprints.append(fingerprint)
            if component.epoch:
                epochs.append(component.epoch)
        fused = [fusion_of(fusion) for fusion in fusions(node)]
        epochs += [fusion.epoch for fusion in fused if fusion.epoch]
        fingerprints += [fusion.fingerprint() for fusion in fused]
        return digest([key, str(node), *epochs, *fingerprints])

    def _compute(self, node: Node, before: Ranking | None, prefix: str) -> StageResult:
        if before is None:
            return self._fuse(node) if node.sources else self._retrieve(node)
        if node.sources:
            return self._fuse_candidates(node, before, prefix)
        return self._rerank(node, before)

    def _retrieve(self, node: Node) -> StageResult:
        self.ctx.enter_lane(RETRIEVAL_LANE)
        retriever, opening = self.engine.opened(
            node, self.corpus, self.ctx, self._prepared.get(node)
        )
        depth = int(expand(node, "retriever")[1].get("k", retriever.depth))
        excluded = self._excluded if self.query.excluded else set()
        retrieved = retriever.search(self.query, depth + len(excluded), self.ctx)
        ranking, trace = retrieved.ranking, opening + retrieved.trace
        if excluded:
            if not excluded.isdisjoint(ranking.doc_ids):
                trace += Trace(warnings=(EXCLUDED,))
            ranking = ranking.without(excluded).top(depth)
        trace += self._language_trace(retriever)
        return StageResult(node, Status.OK, trace, ranking)

    def _fuse(self, node: Node) -> StageResult:
        results = (self.stage(source, None, self.start)[0] for source in node.sources)
        parts, rankings = zip(*((part, ranking_of(part)) for part in results), strict=True)
        start = time.perf_counter()
        ranking = fusion_of(node).fuse(rankings)
        own = Trace(compute_s=time.perf_counter() - start)
        trace = sum((part.trace for part in parts), own)
        return StageResult(node, Status.OK, trace, ranking, parts=parts)

    def _split(
        self, node: Node, before: Ranking
    ) -> tuple[Ranking, tuple[str, ...], tuple[str, ...]]:
        """The candidates that a stage reranks, the ids below them, and those without text.

        The last come after all others: no model reads them, and nothing is known in their favour.
        """
        blank_ids = tuple(d for d in before.doc_ids if self.corpus.by_id[d].blank)
        if blank_ids:
            before = before.among(set(before.doc_ids).difference(blank_ids))
        return (*split_at_top(node, before), blank_ids)

    def _rerank(self, node: Node, before: Ranking) -> StageResult:
        reranker = self.engine.reranker(node)
        self.ctx.enter_lane(reranker.lane)
        self.corpus.prefetch(before.doc_ids)
        head, rest, blank_ids = self._split(node, before)
        docs = [self.corpus.by_id[doc_id] for doc_id in head.doc_ids]
        ctx = self.ctx.for_remote_stage() if reranker.calls_out else self.ctx
        reranked = reranker.rerank(self.query, docs, ctx, head)
        below = () if reranker.may_drop else (*rest, *blank_ids)
        ranking = reranked.ranking.followed_by(below)
        trace = reranked.trace + _blank_trace(blank_ids) + self._language_trace(reranker)
        return StageResult(node, reranked.status, trace, ranking)

    def rescored(self, node: Node, before: Ranking, scored: StageResult) -> StageResult:
        """What a pointwise stage gives for `before`, from scores that it gave earlier.

        No model is asked: a score does not depend on the other candidates.

        Args:
            node: a canonical node.
            before: the ranking of the stage before.
            scored: a result of the stage that holds a score of every candidate with text.
        """
        head, rest, blank_ids = self._split(node, before)
        ranking = Ranking.from_order(self.query.id, ())
        if len(head):
            wanted = set(head.doc_ids)
            scores = {
                hit.doc_id: hit.score
                for hit in ranking_of(scored)
                if hit.doc_id in wanted and hit.score is not None
            }
            scale = ranking_of(scored).scale
            ranking = Ranking.from_scores(self.query.id, scores, scale, previous=head.doc_ids)
        trace = Trace(documents=len(head), cache_hits=len(head)) + _blank_trace(blank_ids)
        cut = scored.status is Status.TRUNCATED
        status = Status.TRUNCATED if cut else Status.CACHED
        return StageResult(node, status, trace, ranking.followed_by((*rest, *blank_ids)))

    def _language_trace(self, component: Component) -> Trace:
        """Warns of a model that was not made for the language of the corpus or of the query."""
        model = str(component.options.get("model", ""))
        if not model_languages(model):
            return Trace()
        handed_over = self.corpus.name == CANDIDATES.name
        texts = "the text of the documents" if handed_over else "the corpus"
        languages, guessed = self.corpus.languages, self.corpus.languages_guessed
        warnings = (
            *language_warnings(model, languages, texts, guessed=guessed),
            *language_warnings(model, query_languages(self.query.text), "the query", guessed=True),
        )
        return Trace(warnings=warnings) if warnings else Trace()

    def _fuse_candidates(self, node: Node, before: Ranking, prefix: str) -> StageResult:
        """Several rerankers, or scores of first stages, over the same candidates."""
        head, rest, blank_ids = self._split(node, before)
        candidates, parts = self._candidates(node, head, _sources_key(prefix, head, rest))
        work, start = Work(self.ctx, head), time.perf_counter()
        fused = fusion_of(node).rerank(candidates, work)
        work.add(compute_s=time.perf_counter() - start)
        fused_ids = set(fused.doc_ids)
        missed = [doc_id for doc_id in head.doc_ids if doc_id not in fused_ids]
        ranking = fused.followed_by([*missed, *rest, *blank_ids])
        trace = sum((part.trace for part in parts), work.trace + _blank_trace(blank_ids))
        return StageResult(node, gravest(parts), trace, ranking, parts=parts)

    def _candidates(
        self, node: Node, head: Ranking, key: str
    ) -> tuple[Candidates, tuple[StageResult, ...]]:
        """The documents of `head` with what each source makes of them, and the sources' results."""
        parts: list[StageResult] = []
        rankings: list[Ranking] = []
        for source in node.sources:
            if source_kind(source) == "reranker":
                part, _ = self.stage(source, head, key)
                ranking, _ = split_at_top(source, ranking_of(part))
            else:
                part, _ = self.stage(deepened(source, STAGE_DEPTH), None, self.start)
                ranking = ranking_of(part).among(head.doc_ids)
            parts.append(part)
            rankings.append(ranking)
        docs = tuple(self.corpus.by_id[doc_id] for doc_id in head.doc_ids)
        return Candidates(self.query, docs, head, tuple(rankings)), tuple(parts)


def _blank_trace(blank_ids: Sequence[str]) -> Trace:
    return Trace(warnings=(blank_warning(len(blank_ids)),)) if blank_ids else Trace()


def _sources_key(key: str, head: Ranking, rest: Sequence[str]) -> str:
    """The key under which the sources of a stage work: on all candidates, or on the first ones."""
    return digest([key, len(head)]) if rest else key
