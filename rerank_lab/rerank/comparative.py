"""Rerankers that see several documents at once: the listwise, pairwise and setwise bases.

Their results depend on what stands beside a document, so answers are kept per exact question: the
texts, in the order in which they were shown.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import cast

from rerank_lab.errors import BackendError, InvalidInput
from rerank_lab.registry import Param
from rerank_lab.rerank.base import Reranker, Work
from rerank_lab.types import Document, Query, Ranking, Status

WINDOW = Param("window", 20, "Documents shown at once.", low=2, high=200, label="Window")
STEP = Param("step", 10, "How far the window moves up each time.", low=1, high=199, label="Step")
CHILDREN = Param("children", 3, "Documents set against one, each time.", low=1, high=25)


class UnusableAnswer(BackendError):
    """The model answered, but not the question: no order can be read from its words."""

    kind = "unusable_answer"


def windows(n: int, size: int, step: int) -> list[tuple[int, int]]:
    """Windows [start, end) over n documents, from the bottom up, the last one at the very top.

    Every document is in at least one window for every n, and each window overlaps the one before
    it, so that a good document can climb all the way (Sun et al. 2023, RankGPT, whose own walk
    leaves out the top documents for some n).
    """
    if not 0 < step < max(size, 2):
        raise InvalidInput(
            f"A step of {step} does not fit a window of {size}.",
            hint="The step must be at least 1 and smaller than the window.",
        )
    if n <= 0:
        return []
    spans = [(max(0, n - size), n)]
    while spans[-1][0] > 0:
        start = max(0, spans[-1][0] - step)
        spans.append((start, min(n, start + size)))
    return spans


def repaired(answer: Sequence[int], n: int) -> tuple[list[int], int]:
    """A permutation of range(n) from any answer, and how many repairs that took.

    Unknown and repeated positions are dropped, missing ones follow in their old order.
    """
    kept: list[int] = []
    for position in answer:
        if 0 <= position < n and position not in kept:
            kept.append(position)
    missing = [position for position in range(n) if position not in kept]
    return kept + missing, len(answer) - len(kept) + len(missing)


class _Comparative(Reranker):
    """Shared by the three: questions answered from the cache, asked once more when unusable."""

    def _ask(self, question: Sequence[str], ask: Callable[[], list[int]], work: Work) -> list[int]:
        """The answer to a question (its texts in order), from the cache or from the model."""
        work.checkpoint()
        digest = hashlib.sha256(self.fingerprint().encode())
        for text in question:
            digest.update(b"\x00" + text.encode("utf-8", "surrogatepass"))
        cache, key = work.ctx.cache, digest.hexdigest()
        known = cache.get_order(key) if cache else None
        if known is not None:
            work.add(cache_hits=1)
            return known
        work.add(calls=1)
        try:
            answer = ask()
        except UnusableAnswer:
            work.add(calls=1, retries=1)
            answer = ask()
        if cache:
            cache.put_order(key, answer)
        return answer

    @staticmethod
    def _status(work: Work, fallbacks: int) -> Status:
        if fallbacks:
            return Status.FALLBACK
        if work.trace.repairs:
            return Status.REPAIRED
        cached_only = work.trace.cache_hits and not work.trace.calls
        return Status.CACHED if cached_only else Status.OK


class ListwiseReranker(_Comparative):
    """Orders a window of documents at a time. Declare the params WINDOW and STEP to offer them."""

    @abstractmethod
    def order(self, query: str, texts: Sequence[str], work: Work) -> list[int]:
        """Positions in `texts`, best first. Raise UnusableAnswer when none can be read."""

    def _rank(self, query: Query, docs: Sequence[Document], work: Work) -> tuple[Ranking, Status]:
        size = int(self.options.get("window", WINDOW.default))
        step = int(self.options.get("step", STEP.default))
        current, fallbacks = list(docs), 0
        spans = windows(len(docs), size, step)
        for done, (start, end) in enumerate(spans, 1):
            texts = [doc.content for doc in current[start:end]]
            try:
                answer = self._ask(
                    [query.text, *texts],
                    lambda texts=texts: self.order(query.text, texts, work),  # type: ignore[misc]
                    work,
                )
            except UnusableAnswer as error:
                fallbacks += 1
                work.warn(error.message)
                continue
            positions, repairs = repaired(answer, len(texts))
            work.add(repairs=repairs)
            current[start:end] = [current[start + position] for position in positions]
            work.ctx.report("ordering", done, len(spans))
        ranking = Ranking.from_order(query.id, [doc.id for doc in current])
        return ranking, self._status(work, fallbacks)


class PairwiseReranker(_Comparative):
    """Compares two documents at a time, in both orders, every pair: n(n-1) calls.

    The score of a document is its number of wins (a draw counts half), on the scale "wins"
    (Qin et al. 2024, Pairwise Ranking Prompting, all pairs).
    """

    @abstractmethod
    def prefer(self, query: str, first: str, second: str, work: Work) -> float:
        """From 0 (the second is better) over 0.5 (neither) to 1 (the first is better)."""

    def _rank(self, query: Query, docs: Sequence[Document], work: Work) -> tuple[Ranking, Status]:
        wins = dict.fromkeys((doc.id for doc in docs), 0.0)
        pairs = [(a, b) for i, a in enumerate(docs) for b in docs[i + 1 :]]
        for done, (a, b) in enumerate(pairs, 1):
            forward = self._preferred(query.text, a.content, b.content, work)
            backward = self._preferred(query.text, b.content, a.content, work)
            # Only agreement of both orders is a win: one alone may be position bias.
            agreed = forward if forward == 1 - backward else 0.5
            wins[a.id] += agreed
            wins[b.id] += 1 - agreed
            work.ctx.report("comparing", done, len(pairs))
        previous = [doc.id for doc in docs]
        return Ranking.from_scores(query.id, wins, "wins", previous), self._status(work, 0)

    def _preferred(self, query: str, first: str, second: str, work: Work) -> float:
        def ask() -> list[int]:
            preference = self.prefer(query, first, second, work)
            return [0] if preference > 0.5 else [1] if preference < 0.5 else []

        answer = self._ask([query, first, second], ask, work)
        return 0.5 if not answer else float(answer[0] == 0)


class SetwiseReranker(_Comparative):
    """Picks the best of a few documents at a time; a bubble sort finds the top ones in order.

    Option `keep` (default 10) says how many places are decided; below them the old order stays
    (Zhuang et al. 2024, setwise prompting).
    """

    @abstractmethod
    def pick(self, query: str, texts: Sequence[str], work: Work) -> int:
        """The position in `texts` of the most relevant one. Raise UnusableAnswer when unclear."""

    def _rank(self, query: Query, docs: Sequence[Document], work: Work) -> tuple[Ranking, Status]:
        keep = min(int(self.options.get("keep", 10)), len(docs))
        size = int(self.options.get("children", cast(int, CHILDREN.default))) + 1
        current, fallbacks = list(docs), 0
        for place in range(keep):
            end = len(current)
            while end > place + 1:
                start = max(place, end - size)
                group = current[start:end]
                try:
                    best = self._best([query.text, *(doc.content for doc in group)], work)
                except UnusableAnswer as error:
                    fallbacks += 1
                    work.warn(error.message)
                    best = 0
                current.insert(start, current.pop(start + best))
                end = start + 1
            work.ctx.report("picking", place + 1, keep)
        ranking = Ranking.from_order(query.id, [doc.id for doc in current])
        return ranking, self._status(work, fallbacks)

    def _best(self, question: list[str], work: Work) -> int:
        query, *texts = question
        best = self._ask(question, lambda: [self.pick(query, texts, work)], work)[0]
        if not 0 <= best < len(texts):
            raise UnusableAnswer(
                f"{self.info.name} picked document {best} of {len(texts)}.",
                hint="The model does not follow the form; use a stronger one.",
            )
        return best
