"""Rerankers that see several documents at once: the listwise, pairwise and setwise bases.

Their results depend on what stands beside a document, so answers are kept per exact question: the
texts, in the order in which they were shown.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

from rerank_lab.components.base import Param
from rerank_lab.core.errors import BackendError, InvalidInput
from rerank_lab.core.types import Document, Query, Ranking, Status
from rerank_lab.core.work import Work
from rerank_lab.rerankers.base import Reranker
from rerank_lab.rerankers.parsing import Reading, describe
from rerank_lab.rerankers.sorting import bubble_top, heap_top

WINDOW = Param("window", 20, "Documents shown at once.", low=2, high=200, label="Window")
STEP = Param("step", 10, "How far the window moves up each time.", low=1, high=199, label="Step")
PASSES = Param("passes", 1, "How often the window walks over all.", low=1, high=10, label="Passes")
CHILDREN = Param(
    "children",
    3,
    "Documents set against one, each time.",
    low=1,
    high=25,
    label="Documents at a time",
)
KEEP = Param(
    "keep",
    10,
    "How many places are decided; below, the old order.",
    low=1,
    high=1000,
    label="Places decided",
)


class UnusableAnswer(BackendError):
    """The model answered, but not the question: no order can be read from its words."""

    kind = "unusable_answer"


def accepted(reading: Reading, model: str, hint: str, work: Work) -> list[int]:
    """The positions of a usable reading. Counts every fault; raises UnusableAnswer."""
    counts = {"answers": 1.0} | {fault.value: 1.0 for fault in reading.faults}
    counts |= {} if reading.usable else {"unusable": 1.0}
    work.add(counts=counts)
    if reading.usable:
        return list(reading.positions)
    what = describe(reading.faults)
    raise UnusableAnswer(f"{model} gave no usable answer: {what}.", hint=hint, details=what)


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
    order: list[int] = []
    for position in answer:
        if 0 <= position < n and position not in order:
            order.append(position)
    missing = [position for position in range(n) if position not in order]
    return order + missing, len(answer) - len(order) + len(missing)


def question_digest(fingerprint: str, question: Sequence[str]) -> str:
    """Stands for the texts of a question in the order in which they are shown, and who is asked."""
    digest = hashlib.sha256(fingerprint.encode())
    for text in question:
        digest.update(b"\x00" + text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


class _Comparative(Reranker):
    """Shared by the three: questions answered from the cache, asked once more when unusable."""

    loads_when_needed: ClassVar[bool] = True
    asks_again: ClassVar[bool] = True
    """False where the same question always gets the same answer."""
    marks_cut: ClassVar[bool] = False
    """True where `work.truncated` is filled with positions among the texts of a question."""

    def _ask(self, question: Sequence[str], ask: Callable[[], list[int]], work: Work) -> list[int]:
        """The answer to a question (its texts in order), from the cache or from the model."""
        work.checkpoint()
        cache, key = work.ctx.cache, question_digest(self.fingerprint(), question)
        known = cache.get_order(key) if cache else None
        if known is not None:
            work.add(cache_hits=1)
            self._mark(question, work, key)
            return known
        work.truncated.clear()
        self._ready(work)
        work.add(calls=1)
        try:
            answer = ask()
        except UnusableAnswer as error:
            if not self.asks_again:
                raise
            work.add(calls=1, retries=1)
            work.problem = error.details or error.message
            try:
                answer = ask()
            finally:
                work.problem = ""
        if cache:
            cache.put_order(key, answer)
            if work.truncated:
                cache.put_order(_cut_key(key), sorted(work.truncated))
        self._mark(question, work)
        return answer

    def _mark(self, question: Sequence[str], work: Work, key: str = "") -> None:
        """Note which texts of a question were cut; of an answer from the cache, by its key."""
        if self.marks_cut:
            cache = work.ctx.cache if key else None
            cut = (cache.get_order(_cut_key(key)) or []) if cache else work.truncated
            work.cut_texts |= {question[1 + position] for position in cut}

    def _answer(
        self, question: Sequence[str], ask: Callable[[], list[int]], work: Work
    ) -> list[int] | None:
        """Like `_ask`; None, counted and told, when no usable answer can be had."""
        try:
            return self._ask(question, ask, work)
        except UnusableAnswer as error:
            work.fallbacks += 1
            work.warn(error.message)
            return None

    @staticmethod
    def _earned(ranking: Ranking, work: Work) -> Ranking:
        """The ranking, without its scores where some stand for answers that never came."""
        return Ranking.from_order(ranking.query_id, ranking.doc_ids) if work.fallbacks else ranking

    @staticmethod
    def _status(work: Work, docs: Sequence[Document] = ()) -> Status:
        cut = sum(doc.content in work.cut_texts for doc in docs)
        work.add(truncated=cut)
        if work.fallbacks:
            return Status.FALLBACK
        if work.trace.repairs:
            return Status.REPAIRED
        if cut:
            return Status.TRUNCATED
        cached_only = work.trace.cache_hits and not work.trace.calls
        return Status.CACHED if cached_only else Status.OK


class ListwiseReranker(_Comparative):
    """Orders a window of documents at a time. Declare WINDOW, STEP and PASSES to offer them."""

    @abstractmethod
    def order(self, query: str, texts: Sequence[str], work: Work) -> list[int]:
        """Positions in `texts`, best first. Raise UnusableAnswer when none can be read."""

    def spans(self, n: int) -> list[tuple[int, int]]:
        """The windows over n documents in the order in which they are asked about."""
        size = int(self.options.get("window", WINDOW.default))
        step = int(self.options.get("step", STEP.default))
        return windows(n, size, step) * int(self.options.get("passes", PASSES.default))

    def _rank(self, query: Query, docs: Sequence[Document], work: Work) -> tuple[Ranking, Status]:
        current = list(docs)
        spans = self.spans(len(docs))
        for done, (start, end) in enumerate(spans, 1):
            if end - start < 2:
                continue
            texts = [doc.content for doc in current[start:end]]
            answer = self._answer(
                [query.text, *texts],
                lambda texts=texts: self.order(query.text, texts, work),  # type: ignore[misc]
                work,
            )
            if answer is None:
                continue
            positions, repairs = repaired(answer, len(texts))
            work.add(repairs=repairs)
            current[start:end] = [current[start + position] for position in positions]
            work.ctx.report("ordering", done, len(spans))
        ranking = Ranking.from_order(query.id, [doc.id for doc in current])
        return ranking, self._status(work, docs)


class PairwiseReranker(_Comparative):
    """Compares two documents at a time, always in both orders (Qin et al. 2024, PRP).

    Only agreement of both orders is a preference: one alone may be position bias. All pairs take
    n(n-1) calls; a document's score is then its number of wins (a draw counts half), on the scale
    "wins". Option `sort` may ask for "heapsort" or "bubblesort" instead: they decide the first
    `keep` places with fewer calls and give an order only.
    """

    @abstractmethod
    def prefer(self, query: str, first: str, second: str, work: Work) -> float:
        """From 0 (the second is better) over 0.5 (neither) to 1 (the first is better)."""

    def _rank(self, query: Query, docs: Sequence[Document], work: Work) -> tuple[Ranking, Status]:
        sort = str(self.options.get("sort", "allpairs"))
        if sort != "allpairs":
            return self._sorted(sort, query, docs, work), self._status(work, docs)
        wins = dict.fromkeys((doc.id for doc in docs), 0.0)
        pairs = [(a, b) for i, a in enumerate(docs) for b in docs[i + 1 :]]
        for done, (a, b) in enumerate(pairs, 1):
            agreed = self._agreed(query.text, a.content, b.content, work)
            wins[a.id] += agreed
            wins[b.id] += 1 - agreed
            work.ctx.report("comparing", done, len(pairs))
        ranking = Ranking.from_scores(query.id, wins, "wins", [doc.id for doc in docs])
        return self._earned(ranking, work), self._status(work, docs)

    def _sorted(self, sort: str, query: Query, docs: Sequence[Document], work: Work) -> Ranking:
        def best(group: list[Document]) -> int:
            leader = 0
            for i in range(1, len(group)):
                wins = self._agreed(query.text, group[i].content, group[leader].content, work)
                # A heap stirs its items, so a draw there goes to the one that came first.
                earlier = stirs and place[group[i].id] < place[group[leader].id]
                if wins == 1 or (wins == 0.5 and earlier):
                    leader = i
            return leader

        def placed(places: int) -> None:
            work.ctx.report("comparing", places, keep)

        stirs = sort == "heapsort"
        place = {doc.id: i for i, doc in enumerate(docs)}
        keep = min(int(self.options.get("keep", KEEP.default)), len(docs))
        top = heap_top if stirs else bubble_top
        order = top(docs, keep, 2, best, placed)
        return Ranking.from_order(query.id, [doc.id for doc in order])

    def _agreed(self, query: str, a: str, b: str, work: Work) -> float:
        """1 or 0 when both orders prefer a or b, else 0.5."""
        forward = self._preferred(query, a, b, work)
        backward = self._preferred(query, b, a, work)
        return forward if forward == 1 - backward else 0.5

    def _preferred(self, query: str, first: str, second: str, work: Work) -> float:
        def ask() -> list[int]:
            preference = self.prefer(query, first, second, work)
            return [0] if preference > 0.5 else [1] if preference < 0.5 else []

        answer = self._answer([query, first, second], ask, work)
        return 0.5 if not answer else float(answer[0] == 0)


class SetwiseReranker(_Comparative):
    """Picks the best of a few documents at a time; a bubble or heap sort makes that an order.

    Option `keep` (default 10) says how many places are decided; below them the old order stays
    (Zhuang et al. 2024, setwise prompting). Option `sort` is "bubblesort" (default) or "heapsort".
    """

    @abstractmethod
    def pick(self, query: str, texts: Sequence[str], work: Work) -> int:
        """The position in `texts` of the most relevant one. Raise UnusableAnswer when unclear."""

    def _rank(self, query: Query, docs: Sequence[Document], work: Work) -> tuple[Ranking, Status]:
        def best(group: list[Document]) -> int | None:
            answer = self._best([query.text, *(doc.content for doc in group)], work)
            return answer[0] if answer else None

        def placed(places: int) -> None:
            work.ctx.report("picking", places, keep)

        keep = min(int(self.options.get("keep", KEEP.default)), len(docs))
        children = int(self.options.get("children", CHILDREN.default))
        if self.sort_name() == "heapsort":
            order = heap_top(docs, keep, children, best, placed)
        else:
            order = bubble_top(docs, keep, children + 1, best, placed)
        return Ranking.from_order(query.id, [doc.id for doc in order]), self._status(work)

    def sort_name(self) -> str:
        """Which sort makes an order of the picks."""
        return str(self.options.get("sort", "bubblesort"))

    def _best(self, question: list[str], work: Work) -> list[int] | None:
        query, *texts = question

        def ask() -> list[int]:
            best = self.pick(query, texts, work)
            if not 0 <= best < len(texts):
                raise UnusableAnswer(
                    f"{self.info.name} picked document {best} of {len(texts)}.",
                    hint="The model does not follow the form; use a stronger one.",
                )
            return [best]

        return self._answer(question, ask, work)


def _cut_key(key: str) -> str:
    return hashlib.sha256(f"{key} cut".encode()).hexdigest()
