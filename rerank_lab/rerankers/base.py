"""The contract of a reranker, and everything that no family should write for itself.

A family writes ONE method: `score` (pointwise or joint), `prefer` (pairwise), `pick` (setwise) or
`order` (listwise). The bases own loading, cache, batches, windows, timing, cancel, deadline,
checks of what the model returned, and stable sorting. The result is always a permutation of what
came in.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from rerank_lab.components.base import Component, Param, digest
from rerank_lab.core.context import Context, ScoreStore, StoredScore
from rerank_lab.core.errors import BackendError, ContractViolation, LabError
from rerank_lab.core.input_coverage import InputCoverage
from rerank_lab.core.spec import Literal
from rerank_lab.core.types import Document, Query, Ranking, Status, Trace
from rerank_lab.core.work import Work
from rerank_lab.models.token_budget import TokenBudget, long_query_warning
from rerank_lab.rerankers.long_documents import (
    HEAD,
    HEAD_TAIL,
    LONG,
    MAX,
    LongDocuments,
    ModelInput,
)
from rerank_lab.rerankers.score_cache import cached_scores

TOP = Param(
    "top",
    100,
    "How many candidates are reranked; those below keep their order.",
    low=1,
    high=10_000,
    unit="documents",
    label="Candidates to rerank",
)
"""Every reranker has this option. It is read by the pipeline, not by the reranker."""


def blank_warning(documents: int) -> str:
    """What is said of candidates without text."""
    one = documents == 1
    return (
        f"{documents} {'candidate has' if one else 'candidates have'} no text and "
        f"{'comes' if one else 'come'} last, without a score."
    )


@dataclass(frozen=True, slots=True)
class Reranked:
    """A permutation of the documents given, what it took, and how it came about."""

    ranking: Ranking
    trace: Trace
    status: Status


class Reranker(Component, ABC):
    """One reranker with its options. Instant to construct; `load` is heavy and idempotent."""

    loads_when_needed: ClassVar[bool] = False
    """True for bases that call `_ready` themselves, once an answer is not in the cache."""
    may_drop: ClassVar[bool] = False
    """True for one that leaves out documents on purpose, those below its `top` among them."""

    def __init__(self, **options: Literal) -> None:
        super().__init__(**options)
        self._loading = threading.Lock()
        self._loaded = False

    def load(self, ctx: Context) -> None:
        """Make the model ready. Raises ModelUnavailable with what to do when it cannot be had."""
        with self._loading:
            if not self._loaded:
                self._load(ctx)
                self._loaded = True

    def close(self) -> None:
        """Free what `load` holds; a later call loads again."""
        with self._loading:
            if self._loaded:
                self._close()
                self._loaded = False

    def token_budget(self, query: str) -> TokenBudget | None:
        """How much of a text the model reads beside this query, by its tokenizer alone.

        None when it reads texts whole, or nobody knows. Raises LabError when it cannot be told.
        """
        return None

    def missing_key(self, ctx: Context) -> LabError | None:
        """Why it would be refused for want of a key, before anything is sent; None when not."""
        return None

    def rerank(
        self,
        query: Query,
        docs: Sequence[Document],
        ctx: Context,
        before: Ranking | None = None,
    ) -> Reranked:
        """Order `docs` for `query`. An empty list gives an empty ranking.

        `before` is the ranking that `docs` come from, for those who read its scores. Documents
        without text are shown to no model: they come last, in their order, without a score.

        Raises LabError when the model cannot answer; never returns a part of the documents.
        """
        if len({doc.id for doc in docs}) != len(docs):
            raise ContractViolation(
                f"{self.info.name} was handed the same document id twice.",
                hint="Give each document an id of its own.",
            )
        work = Work(ctx, before, Trace(documents=len(docs)))
        work.checkpoint()
        blank_ids = [doc.id for doc in docs if doc.blank]
        if blank_ids:
            work.warn(blank_warning(len(blank_ids)))
            docs = [doc for doc in docs if not doc.blank]
        below = () if self.may_drop else blank_ids
        if not docs:
            return Reranked(Ranking.from_order(query.id, below), work.trace, Status.OK)
        if not self.loads_when_needed:
            self._ready(work)
        start, waited = time.perf_counter(), work.trace.total_s
        ranking, status = self._rank(query, docs, work)
        other_s = work.trace.total_s - waited
        work.add(compute_s=max(0.0, time.perf_counter() - start - other_s))
        ids, ranked = {doc.id for doc in docs}, set(ranking.doc_ids)
        if not (ranked <= ids if self.may_drop else ranked == ids):
            raise ContractViolation(
                f"{self.info.name} did not return a permutation of the documents it was given.",
                hint="The component has a defect; choose another reranker and report this one.",
            )
        return Reranked(ranking.followed_by(below), work.trace, status)

    @property
    def scores_alone(self) -> bool:
        """True when a document's score is the same whatever documents stand beside it."""
        return False

    def score_of_text(self, query: str, text: str, ctx: Context) -> float | None:
        """What the model makes of one text, also of one without words; nothing is kept.

        None for rerankers that score no text by itself. Raises whatever the model raises.
        """
        return None

    def input_coverage(self, query: str, document: Document, ctx: Context) -> InputCoverage | None:
        """What the model reads of a document beside this query; None when that is not known.

        Cheap: nothing is scored, no model is loaded or fetched.
        """
        return None

    def _ready(self, work: Work) -> None:
        """Load the model if that has not been done, and note how long it took."""
        if not self._loaded:
            work.ctx.report("loading model")
            with work.timed("load_s"):
                self.load(work.ctx)

    @abstractmethod
    def _rank(
        self, query: Query, docs: Sequence[Document], work: Work
    ) -> tuple[Ranking, Status]: ...

    def _load(self, ctx: Context) -> None:
        """Override when there is a model to load."""

    def _close(self) -> None:
        """Override when `_load` holds memory."""

    def _check(self, scores: Sequence[float], expected: int) -> None:
        if len(scores) != expected:
            raise ContractViolation(
                f"{self.info.name} returned {len(scores)} scores for {expected} documents.",
                hint="The component has a defect; choose another reranker and report this one.",
            )
        bad = sum(not math.isfinite(score) for score in scores)
        if bad:
            raise BackendError(
                f"{self.name} gave {bad} of {expected} documents a score that is not a number.",
                hint="The model or its number format is faulty here: try another backend or dtype.",
            )


class ScoringReranker(Reranker):
    """Gives each document a score. A family writes `score`; what it sees beside a text is its own.

    How long documents are handed over is a `LongDocuments` policy; which scores are kept, and
    under which keys, is decided by `scores_jointly`. Families extend `PointwiseReranker`, or
    `JointScoringReranker` where a score depends on the other documents.
    """

    loads_when_needed: ClassVar[bool] = True
    batch_size: ClassVar[int | None] = 32
    """Texts handed over at once; None hands over all (the model then makes its own batches)."""

    @abstractmethod
    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        """One finite score a text, higher is better, on the scale that `info` names.

        Args:
            query: The query's text.
            texts: Distinct texts, at most `batch_size` of them.
            work: Counts go to `work.add`; positions of texts that were cut to `work.truncated`.

        Returns:
            Scores of shape `[n_texts]`, in the order of `texts`.
        """

    def cuts_query(self, query: str) -> bool:
        """True when the query alone is longer than all that the model reads, so far as is known."""
        return False

    @property
    def scores_jointly(self) -> bool:
        """True when a score holds only among these texts in this order."""
        return False

    @property
    def scores_alone(self) -> bool:
        """Unless scores are joint."""
        return not self.scores_jointly

    def score_of_text(self, query: str, text: str, ctx: Context) -> float | None:
        """As the base says: straight from `score`."""
        return float(self.score(query, [text], Work(ctx))[0]) if self.scores_alone else None

    @property
    def long_documents(self) -> LongDocuments:
        """What becomes of documents that do not fit, by the option `long`."""
        return LongDocuments(str(self.options.get(LONG.name, HEAD)))

    def input_coverage(self, query: str, document: Document, ctx: Context) -> InputCoverage | None:
        """What the model reads of a document, by its tokenizer and the option `long`."""
        try:
            coverage = self.long_documents.coverage(document, self.token_budget(query))
            if self.long_documents.policy == MAX and coverage.passages and ctx.cache:
                best = self._best_passage(query, document, ctx.cache)
                return replace(coverage, decided=best)
        except LabError:
            return None
        return coverage

    def _rank(self, query: Query, docs: Sequence[Document], work: Work) -> tuple[Ranking, Status]:
        by_unit = {self.long_documents.cache_unit(doc): doc for doc in docs}
        keys = self._unit_keys(query.text, list(by_unit))
        computed = 0

        if self.cuts_query(query.text):
            work.warn(long_query_warning(self.name))

        def compute(missing: Sequence[str]) -> list[StoredScore]:
            nonlocal computed
            scores, computed = self._score_documents(
                query.text, [by_unit[unit] for unit in missing], work
            )
            return scores

        by_key = cached_scores(work.ctx.cache, keys, compute, all_or_none=self.scores_jointly)
        stored = {doc.id: by_key[self.long_documents.cache_unit(doc)] for doc in docs}
        truncated = sum(score.truncated for score in stored.values())
        work.add(
            cache_hits=len(by_unit) - computed,
            truncated=truncated,
            relevant_spans={
                doc_id: score.relevant_spans
                for doc_id, score in stored.items()
                if score.relevant_spans
            },
        )
        ranking = Ranking.from_scores(
            query.id,
            {doc_id: score.score for doc_id, score in stored.items()},
            self.info.scale,
            previous=[doc.id for doc in docs],
        )
        if truncated:
            return ranking, Status.TRUNCATED
        return ranking, Status.OK if computed else Status.CACHED

    def model_inputs(self, query: str, docs: Sequence[Document], work: Work) -> list[ModelInput]:
        """The texts to score of each document, in the order of `docs`."""
        policy = self.long_documents
        budget = None if policy.policy == HEAD else self.token_budget(query)
        if budget is None and policy.policy != HEAD:
            work.warn(f"How much {self.name} reads is not known: no document was cut for it.")
        inputs = []
        for doc in docs:
            work.checkpoint()
            inputs.append(policy.model_input(doc, budget))
        return inputs

    def cache_key(self, query: str, unit: str) -> str:
        """Where the score of a document or text is kept: SHA-256 of model, query and unit.

        The policy for long documents is no part of the model: policies share passages.
        """
        return self._cache_keys(query, [unit])[unit]

    def _cache_keys(self, query: str, units: Sequence[str]) -> dict[str, str]:
        """Unit -> `cache_key`."""
        options = self.identifying_options(LONG.name)
        model = digest([self.identity, options, self.weights_digest()])
        begun = hashlib.sha256(f"{model}\x00{query}\x00".encode("utf-8", "surrogatepass"))
        keys: dict[str, str] = {}
        for unit in units:
            whole = begun.copy()
            whole.update(unit.encode("utf-8", "surrogatepass"))
            keys[unit] = whole.hexdigest()
        return keys

    def _unit_keys(self, query: str, units: Sequence[str]) -> dict[str, str]:
        """The cache key of each unit; where scores are joint, one for its place in this list."""
        if not self.scores_jointly:
            return self._cache_keys(query, units)
        company = hashlib.sha256("".join(units).encode()).hexdigest()
        places = [f"{company} {i}" for i in range(len(units))]
        return dict(zip(units, self._cache_keys(query, places).values(), strict=True))

    def _score_documents(
        self, query: str, docs: Sequence[Document], work: Work
    ) -> tuple[list[StoredScore], int]:
        """A score for each document, and for how many of them the model read a text now.

        Texts are kept by themselves, so that policies share the passages that they both score.
        """
        policy = self.long_documents
        whole = policy.policy == HEAD
        if docs and not whole:
            self._ready(work)
        inputs = self.model_inputs(query, docs, work)
        cache = None if whole or self.scores_jointly else work.ctx.cache
        texts = dict.fromkeys(text for one in inputs for text in one.texts)
        keys = self._text_keys(query, list(texts)) if cache else {text: text for text in texts}
        computed: set[str] = set()

        def compute(missing: Sequence[str]) -> list[StoredScore]:
            computed.update(missing)
            return self._score_texts(query, missing, work)

        scores = cached_scores(cache, keys, compute)
        in_parts = [one for one in inputs if len(one.texts) > 1 or one.partial]
        passages = {text for one in in_parts for text in one.texts} & computed
        if passages and policy.policy != HEAD_TAIL:
            work.add(counts={"passages": len(passages), "long_documents": len(in_parts)})
        stored = [self._aggregate(one, [scores[text] for text in one.texts]) for one in inputs]
        return stored, sum(not computed.isdisjoint(one.texts) for one in inputs)

    def _aggregate(self, model_input: ModelInput, scores: Sequence[StoredScore]) -> StoredScore:
        score = self.long_documents.aggregate([one.score for one in scores])
        truncated = model_input.partial or any(one.truncated for one in scores)
        spans = model_input.in_content([one.relevant_spans for one in scores])
        return StoredScore(score, truncated, spans)

    def _best_passage(self, query: str, document: Document, cache: ScoreStore) -> int | None:
        """The passage with the best score, when the scores of all are known."""
        texts = self.long_documents.model_input(document, self.token_budget(query)).texts
        by_text = self._text_keys(query, texts)
        keys = [by_text[text] for text in texts]
        known = cache.get_many(keys)
        scores = [known[key].score for key in keys if key in known]
        return scores.index(max(scores)) if len(scores) == len(keys) else None

    def _score_texts(self, query: str, texts: Sequence[str], work: Work) -> list[StoredScore]:
        if texts:
            self._ready(work)
        size = self.batch_size or max(1, len(texts))
        stored: list[StoredScore] = []
        for start in range(0, len(texts), size):
            work.checkpoint()
            batch = texts[start : start + size]
            work.truncated.clear()
            work.relevant_spans.clear()
            scores = [float(score) for score in self.score(query, batch, work)]
            self._check(scores, len(batch))
            stored += [
                StoredScore(score, i in work.truncated, work.relevant_spans.get(i, ()))
                for i, score in enumerate(scores)
            ]
            work.ctx.report("scoring", len(stored), len(texts))
        work.add(calls=math.ceil(len(texts) / size))
        return stored

    def _text_keys(self, query: str, texts: Sequence[str]) -> dict[str, str]:
        units = [Document("", text).content_hash for text in texts]
        by_unit = self._cache_keys(query, units)
        return {text: by_unit[unit] for text, unit in zip(texts, units, strict=True)}


class PointwiseReranker(ScoringReranker):
    """Scores each document by itself, so cached scores can be reused at any depth."""
