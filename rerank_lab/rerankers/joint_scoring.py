"""The base of rerankers that score all documents in one go: each score depends on its company."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from rerank_lab.core.context import StoredScore
from rerank_lab.core.types import Document, Query, Ranking, Status
from rerank_lab.rerankers.base import Reranker, Work
from rerank_lab.rerankers.comparative import question_digest


class TogetherReranker(Reranker):
    """Scores documents that are shown together (listwise, with scores).

    Scores are kept for exactly these documents in this order, never for a document alone. A text
    that several documents share is shown once, and they share its score.
    """

    loads_when_needed: ClassVar[bool] = True

    @abstractmethod
    def score_together(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        """One finite score a text, higher is better. Note cut texts in `work.truncated`."""

    def _rank(self, query: Query, docs: Sequence[Document], work: Work) -> tuple[Ranking, Status]:
        texts = list(dict.fromkeys(doc.content for doc in docs))
        asked = question_digest(self.fingerprint(), [query.text, *texts])
        keys = [hashlib.sha256(f"{asked} {i}".encode()).hexdigest() for i in range(len(texts))]
        cache = work.ctx.cache
        found = cache.get_many(keys) if cache else {}
        known = len(found) == len(keys)
        if not known:
            found = dict(zip(keys, self._fresh(query.text, texts, work), strict=True))
            if cache:
                cache.put_many(found)
        by_text = dict(zip(texts, (found[key] for key in keys), strict=True))
        cut = sum(by_text[doc.content].truncated for doc in docs)
        work.add(cache_hits=int(known), truncated=cut)
        ranking = Ranking.from_scores(
            query.id,
            {doc.id: by_text[doc.content].score for doc in docs},
            self.info.scale,
            previous=[doc.id for doc in docs],
        )
        if cut:
            return ranking, Status.TRUNCATED
        return ranking, Status.CACHED if known else Status.OK

    def _fresh(self, query: str, texts: Sequence[str], work: Work) -> list[StoredScore]:
        work.checkpoint()
        self._ready(work)
        work.truncated.clear()
        scores = [float(score) for score in self.score_together(query, texts, work)]
        self._check(scores, len(texts))
        work.add(calls=1)
        return [StoredScore(score, i in work.truncated) for i, score in enumerate(scores)]
