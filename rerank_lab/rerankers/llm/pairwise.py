"""Pairwise reranking by a language model: which of these two passages is more relevant?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rerank_lab.components.base import Info, Param
from rerank_lab.core.types import Document, Query, Ranking, Status
from rerank_lab.core.work import Work
from rerank_lab.rerankers.comparative import KEEP, PairwiseReranker
from rerank_lab.rerankers.llm.base import ComparativeLLMReranker, lettered
from rerank_lab.rerankers.llm.options import llm_info
from rerank_lab.rerankers.parsing import read_label
from rerank_lab.rerankers.sorting import bubble_groups, heap_groups

SORTS = ("heapsort", "bubblesort", "allpairs")


class Pairwise(ComparativeLLMReranker, PairwiseReranker):
    """Asks about two passages in both orders; only agreement counts (Qin et al. 2024, PRP).

    All pairs of n documents take n(n-1) calls and give wins as scores; the sorts decide the first
    `keep` places with far fewer and give an order only.
    """

    info: ClassVar[Info] = llm_info(
        "pairwise",
        "A language model compares documents two at a time, in both orders.",
        "order",
        Param("sort", "heapsort", "How preferences become an order.", choices=SORTS, label="Sort"),
        KEEP,
    )

    @property
    def kind(self) -> str:
        """The kind of prompt that its questions need."""
        return "pairwise"

    @property
    def default_prompt(self) -> str:
        """The prompt of its form."""
        return "pairwise"

    def groups(self, n: int) -> list[tuple[int, int, int]]:
        """What n documents take, as (documents shown, fewest, most questions of that size)."""
        keep = int(self.options["keep"])
        if self.options["sort"] == "allpairs":
            return [(2, n * (n - 1), n * (n - 1))]
        if self.options["sort"] == "bubblesort":
            fewest, most = bubble_groups(n, keep, 2)
            return [(2, 2 * fewest, 2 * most)]
        # A heap's group is an item with its one or two children: a comparison with each.
        fewest, most = heap_groups(n, keep, 2)
        return [(2, 2 * fewest, 4 * most)]

    def prefer(self, query: str, first: str, second: str, work: Work) -> float:
        """1 when the first text is preferred, 0 when the second is."""
        passages = lettered([self._prepared(first)[0], self._prepared(second)[0]])
        answer = self._chat(self._messages(query, passages, {}, work.problem), 2, work)
        return 1.0 - self._read(read_label(answer.text, 2, answer.truncated), answer, work)[0]

    def _ranked(self, query: Query, docs: Sequence[Document], work: Work) -> tuple[Ranking, Status]:
        return PairwiseReranker._rank(self, query, docs, work)
