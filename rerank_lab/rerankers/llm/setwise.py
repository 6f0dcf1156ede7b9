"""Setwise reranking by a language model: which of these few passages is the most relevant?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rerank_lab.components.base import Info, Param
from rerank_lab.core.types import Document, Query, Ranking, Status
from rerank_lab.core.work import Work
from rerank_lab.rerankers.comparative import CHILDREN, KEEP, SetwiseReranker
from rerank_lab.rerankers.llm.base import ComparativeLLMReranker, lettered
from rerank_lab.rerankers.llm.chat import no_probabilities
from rerank_lab.rerankers.llm.listwise import label_order
from rerank_lab.rerankers.llm.options import llm_info
from rerank_lab.rerankers.parsing import Fault, Reading, read_label
from rerank_lab.rerankers.sorting import bubble_groups, heap_groups

SORTS = ("heapsort", "bubblesort", "likelihood")


class Setwise(ComparativeLLMReranker, SetwiseReranker):
    """Sorts by asking for the best of `children` + 1 passages at a time (Zhuang et al. 2024).

    Sort "likelihood" is the heap sort with the label's probability as first token in place of a
    written answer: one token a call, and nothing to be misread.
    """

    info: ClassVar[Info] = llm_info(
        "setwise",
        "A language model picks the best of a few documents, again and again.",
        "order",
        Param("sort", "heapsort", "How picks become an order.", choices=SORTS, label="Sort"),
        CHILDREN,
        KEEP,
    )

    @property
    def kind(self) -> str:
        """The kind of prompt that its questions need."""
        return "setwise"

    @property
    def default_prompt(self) -> str:
        """The prompt of its form."""
        return "setwise"

    @property
    def by_likelihood(self) -> bool:
        """Whether the label's probability decides, not the answer."""
        return self.options["sort"] == "likelihood"

    def sort_name(self) -> str:
        """The sort that picks drive."""
        return "heapsort" if self.by_likelihood else str(self.options["sort"])

    def groups(self, n: int) -> list[tuple[int, int, int]]:
        """What n documents take, as (documents shown, fewest, most questions of that size)."""
        keep, children = int(self.options["keep"]), int(self.options["children"])
        if self.sort_name() == "heapsort":
            fewest, most = heap_groups(n, keep, children)
        else:
            fewest, most = bubble_groups(n, keep, children + 1)
        return [(min(n, children + 1), fewest, most)]

    def answer_tokens(self, size: int) -> int:
        """The longest answer that is waited for, in tokens, reasoning apart."""
        return 1 if self.by_likelihood else 16

    def pick(self, query: str, texts: Sequence[str], work: Work) -> int:
        """Ask for the best of a few texts; its position."""
        passages = lettered([self._prepared(text)[0] for text in texts])
        messages = self._messages(query, passages, {}, work.problem)
        if not self.by_likelihood:
            answer = self._chat(messages, len(texts), work)
            return self._read(read_label(answer.text, len(texts), answer.truncated), answer, work)[
                0
            ]
        answer = self._chat(messages, len(texts), work, top_logprobs=20)
        if answer.first_token is None:
            raise no_probabilities(str(self.options["base_url"]), "token probabilities")
        best = label_order(answer.first_token, [label for label, _ in passages])[:1]
        return self._read(
            Reading(tuple(best), () if best else (Fault.WRONG_FORMAT,)), answer, work
        )[0]

    def _ranked(self, query: Query, docs: Sequence[Document], work: Work) -> tuple[Ranking, Status]:
        return SetwiseReranker._rank(self, query, docs, work)
