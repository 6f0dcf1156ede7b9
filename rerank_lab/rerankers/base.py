"""The contract of a reranker, and everything that no family should write for itself.

A family writes ONE method: `score` (pointwise), `prefer` (pairwise), `pick` (setwise) or `order`
(listwise). The bases own loading, cache, batches, windows, timing, cancel, deadline, checking of
what the model returned, and stable sorting. The result is always a permutation of what came in.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from rerank_lab.components.base import Component, Param, digest
from rerank_lab.core.context import Context, ScoreStore, StoredScore
from rerank_lab.core.errors import BackendError, ContractViolation, LabError
from rerank_lab.core.spec import Literal
from rerank_lab.core.types import Document, Query, Ranking, Status, Trace
from rerank_lab.models.token_budget import TokenBudget
from rerank_lab.rerankers import long_documents as long

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


@dataclass(frozen=True, slots=True)
class Reranked:
    """A permutation of the documents given, what it took, and how it came about."""

    ranking: Ranking
    trace: Trace
    status: Status


@dataclass(slots=True)
class Work:
    """One call's context and counts, handed to the family's method. One thread uses it."""

    ctx: Context
    before: Ranking | None = None
    """The candidates as the stage before ranked and scored them, when there was one."""
    trace: Trace = field(default_factory=Trace)
    truncated: set[int] = field(default_factory=set)
    """Indexes, into the texts handed over, of those that the model saw only a part of."""
    cut_texts: set[str] = field(default_factory=set)
    """Such texts themselves, where several are shown at once and in changing company."""
    problem: str = ""
    """When a question is asked again: why the first answer could not be used."""
    fallbacks: int = 0
    """Questions left without a usable answer, where the order from before was kept."""

    def checkpoint(self) -> None:
        """Call between batches: raises when the caller cancelled or the deadline has passed."""
        self.ctx.checkpoint()

    def add(self, **counts: Any) -> None:
        """Add to the trace: `work.add(tokens_in=812, queue_s=0.02)`."""
        self.trace = self.trace + Trace(**counts)

    def warn(self, text: str) -> None:
        self.add(warnings=(text,))

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the seconds spent inside to `part`, such as "queue_s" or "network_s"."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(**{part: time.perf_counter() - start})


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

    def rerank(
        self,
        query: Query,
        docs: Sequence[Document],
        ctx: Context,
        before: Ranking | None = None,
    ) -> Reranked:
        """Order `docs` for `query`. An empty list gives an empty ranking.

        `before` is the ranking that `docs` come from, for those who read its scores.

        Raises LabError when the model cannot answer; never returns a part of the documents.
        """
        ids = [doc.id for doc in docs]
        if len(set(ids)) != len(ids):
            raise ContractViolation(
                f"{self.info.name} was handed the same document id twice.",
                hint="Give each document an id of its own.",
            )
        work = Work(ctx, before)
        work.checkpoint()
        if not docs:
            return Reranked(Ranking.from_order(query.id, ()), work.trace, Status.OK)
        if not self.loads_when_needed:
            self._ready(work)
        start, waited = time.perf_counter(), work.trace.total_s
        ranking, status = self._rank(query, docs, work)
        other_s = work.trace.total_s - waited
        work.add(compute_s=max(0.0, time.perf_counter() - start - other_s), documents=len(docs))
        kept = set(ranking.doc_ids)
        if not (kept <= set(ids) if self.may_drop else kept == set(ids)):
            raise ContractViolation(
                f"{self.info.name} did not return a permutation of the documents it was given.",
                hint="The component has a defect; choose another reranker and report this one.",
            )
        return Reranked(ranking, work.trace, status)

    def input_coverage(
        self, query: str, document: Document, ctx: Context
    ) -> long.InputCoverage | None:
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


class PointwiseReranker(Reranker):
    """Scores each document by itself, so cached scores can be reused at any depth."""

    loads_when_needed: ClassVar[bool] = True
    batch_size: ClassVar[int | None] = 32
    """Texts handed over at once; None hands over all (the model then makes its own batches)."""

    @abstractmethod
    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        """One finite score a text, higher is better, on the scale that `info` names."""

    def token_budget(self, query: str) -> TokenBudget | None:
        """How much of a text the model reads beside this query, by its tokenizer alone.

        None when it reads texts whole, or nobody knows. Raises LabError when it cannot be told.
        """
        return None

    @property
    def scores_alone(self) -> bool:
        """True when a text's score does not depend on the others, so that it can be kept."""
        return True

    @property
    def policy(self) -> str:
        """What becomes of documents that do not fit: one of `long.POLICIES`."""
        return str(self.options.get(long.LONG.name, long.HEAD))

    def input_coverage(
        self, query: str, document: Document, ctx: Context
    ) -> long.InputCoverage | None:
        try:
            found = long.input_coverage(document, self.token_budget(query), self.policy)
            if self.policy == long.MAX and found.passages and ctx.cache:
                return replace(found, decided=self._decided(query, document, ctx.cache))
        except LabError:
            return None
        return found

    def _rank(self, query: Query, docs: Sequence[Document], work: Work) -> tuple[Ranking, Status]:
        units = {self.unit(doc): doc for doc in docs}
        keys = {unit: self.cache_key(query.text, unit) for unit in units}
        cache = work.ctx.cache
        found = cache.get_many(list(keys.values())) if cache else {}
        missing = [unit for unit, key in keys.items() if key not in found]
        fresh, known = self._score_documents(query.text, [units[unit] for unit in missing], work)
        new = {keys[unit]: stored for unit, stored in zip(missing, fresh, strict=True)}
        if cache and new:
            cache.put_many(new)
        found = found | new
        by_id = {doc.id: found[keys[self.unit(doc)]] for doc in docs}
        cut = sum(stored.truncated for stored in by_id.values())
        scored = len(missing) - known
        work.add(cache_hits=len(units) - scored, truncated=cut)
        ranking = Ranking.from_scores(
            query.id,
            {doc_id: stored.score for doc_id, stored in by_id.items()},
            self.info.scale,
            previous=[doc.id for doc in docs],
        )
        if cut:
            return ranking, Status.TRUNCATED
        return ranking, Status.OK if scored else Status.CACHED

    def unit(self, document: Document) -> str:
        """What a document's score is kept under, beside model and query."""
        if self.policy == long.HEAD:
            return document.content_hash
        # Passages repeat the title, so it matters where it ends.
        return f"{document.content_hash} {self.policy} {len(document.title)} {long.CUTTING}"

    def cuts(self, query: str, docs: Sequence[Document], work: Work) -> list[long.Cut]:
        """The texts to score of each document."""
        budget = None if self.policy == long.HEAD else self.token_budget(query)
        if budget is None and self.policy != long.HEAD:
            work.warn(f"How much {self.name} reads is not known: no document was cut for it.")
        made = []
        for doc in docs:
            work.checkpoint()
            made.append(long.cut(doc, budget, self.policy))
        return made

    def _score_documents(
        self, query: str, docs: Sequence[Document], work: Work
    ) -> tuple[list[StoredScore], int]:
        """A score for each document, and how many of them took no new score of any text.

        Texts are kept by themselves, so that policies share the passages that they both score.
        """
        if docs and self.policy != long.HEAD:
            self._ready(work)
        cuts = self.cuts(query, docs, work)
        keys = {text: self._text_key(query, text) for cut in cuts for text in cut.texts}
        cache = work.ctx.cache if self.policy != long.HEAD and self.scores_alone else None
        found = cache.get_many(list(keys.values())) if cache else {}
        missing = [text for text, key in keys.items() if key not in found]
        fresh = self._score_all(query, missing, work)
        new = {keys[text]: stored for text, stored in zip(missing, fresh, strict=True)}
        if cache and new:
            cache.put_many(new)
        found = found | new
        long_ones = [cut for cut in cuts if len(cut.texts) > 1 or cut.partial]
        passages = {keys[text] for cut in long_ones for text in cut.texts} & set(new)
        if passages and self.policy != long.HEAD_TAIL:
            work.add(counts={"passages": len(passages), "long_documents": len(long_ones)})
        stored = [self._folded(cut, [found[keys[text]] for text in cut.texts]) for cut in cuts]
        return stored, sum(not any(keys[text] in new for text in cut.texts) for cut in cuts)

    def _folded(self, cut: long.Cut, parts: Sequence[StoredScore]) -> StoredScore:
        score = long.folded(self.policy, [part.score for part in parts])
        return StoredScore(score, cut.partial or any(part.truncated for part in parts))

    def _decided(self, query: str, document: Document, cache: ScoreStore) -> int | None:
        """The passage with the best score, when the scores of all are known."""
        texts = long.cut(document, self.token_budget(query), self.policy).texts
        keys = [self._text_key(query, text) for text in texts]
        found = cache.get_many(keys)
        scores = [found[key].score for key in keys if key in found]
        return scores.index(max(scores)) if len(scores) == len(keys) else None

    def _score_all(self, query: str, texts: Sequence[str], work: Work) -> list[StoredScore]:
        if texts:
            self._ready(work)
        size = self.batch_size or max(1, len(texts))
        stored: list[StoredScore] = []
        for start in range(0, len(texts), size):
            work.checkpoint()
            batch = texts[start : start + size]
            work.truncated.clear()
            scores = [float(score) for score in self.score(query, batch, work)]
            self._check(scores, len(batch))
            stored += [StoredScore(s, i in work.truncated) for i, s in enumerate(scores)]
            work.ctx.report("scoring", len(stored), len(texts))
        work.add(calls=math.ceil(len(texts) / size))
        return stored

    def cache_key(self, query: str, content_hash: str) -> str:
        """Where the score of a text is kept: the same under every policy for long documents."""
        options = self.identifying_options(long.LONG.name)
        model = digest([self.info.name, options, self.weights_digest()])
        parts = (model, query, content_hash)
        return hashlib.sha256("\x00".join(parts).encode("utf-8", "surrogatepass")).hexdigest()

    def _text_key(self, query: str, text: str) -> str:
        return self.cache_key(query, Document("", text).content_hash)
