"""Listwise reranking by a language model: sliding windows in four forms, and a tournament."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, ClassVar

from rerank_lab.components.base import Info, Param
from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, LabError
from rerank_lab.core.similarity import kendall_tau
from rerank_lab.core.types import Document, Query, Ranking, Status
from rerank_lab.core.work import Work
from rerank_lab.remote.access import replayed
from rerank_lab.remote.responses import Completion
from rerank_lab.rerankers.comparative import PASSES, STEP, WINDOW, ListwiseReranker, windows
from rerank_lab.rerankers.llm.base import ComparativeLLMReranker, lettered, numbered
from rerank_lab.rerankers.llm.chat import chat_provider, no_probabilities
from rerank_lab.rerankers.llm.options import llm_info
from rerank_lab.rerankers.llm.prompts import Messages
from rerank_lab.rerankers.llm.tournament import Stage, dealt, stages
from rerank_lab.rerankers.parsing import Fault, Reading, read_order, read_selection

FORMS = ("rankgpt", "rankllm", "first", "json", "tourrank")
_LETTERS = 26


class Listwise(ComparativeLLMReranker, ListwiseReranker):
    """Orders windows of documents, from the bottom up (Sun et al. 2023, RankGPT).

    Forms: "rankgpt" (a turn for each passage), "rankllm" (one turn), "json" (held to a schema),
    "first" (the probabilities of the labels as first token, Gangi Reddy et al. 2024) and
    "tourrank" (a tournament whose points order the documents, Chen et al. 2024; `passes` rounds).
    With `shuffles`, the documents are put in so many seeded orders first, and the mean rank counts
    (Tang et al. 2024); how far answers follow the order shown is told as position bias.
    """

    info: ClassVar[Info] = llm_info(
        "listwise",
        "A language model orders windows of documents.",
        "order",
        Param("form", "rankgpt", "How the question is put.", choices=FORMS, label="Form"),
        WINDOW,
        STEP,
        PASSES,
        Param(
            "shuffles",
            0,
            "Seeded orders to average over; 0 keeps the given one.",
            0,
            50,
            label="Shuffled orders",
        ),
    )

    @property
    def form(self) -> str:
        """How the question is put."""
        return str(self.options["form"])

    @property
    def kind(self) -> str:
        """The kind of prompt that its questions need."""
        return {"first": "first", "tourrank": "select"}.get(self.form, "listwise")

    @property
    def default_prompt(self) -> str:
        """The prompt of its form."""
        return self.form

    @property
    def window(self) -> int:
        """Documents shown at once: as asked for, or fewer where FIRST cannot tell more apart."""
        return min(int(self.options["window"]), self._tellable() or WINDOW_LIMIT)

    def _problems(self, ctx: Context) -> list[LabError]:
        problems = super()._problems(ctx)
        try:
            self.spans(0)
        except LabError as error:
            problems.append(error)
        return problems

    def spans(self, n: int) -> list[tuple[int, int]]:
        """[start, end) of the windows over n documents, in the order in which they are asked."""
        size, step = self.window, int(self.options["step"])
        if size < int(self.options["window"]):
            step = min(step, size - 1)
        return windows(n, size, step) * int(self.options["passes"])

    def groups(self, n: int) -> list[tuple[int, int, int]]:
        """What n documents take, as (documents shown, fewest, most questions of that size)."""
        repeats = max(1, int(self.options["shuffles"]))
        if self.form == "tourrank":
            repeats *= int(self.options["passes"])
            sizes = [size for stage in self._stages(n) for size in stage.sizes]
        else:
            sizes = [end - start for start, end in self.spans(n)]
        return [(size, repeats, repeats) for size in sizes if size > 1]

    def answer_tokens(self, size: int) -> int:
        # "[12] > " is five tokens or so; the rest is room for a few words around the list.
        """The longest answer that is waited for, in tokens, reasoning apart."""
        return 1 if self.form == "first" else 8 * size + 64

    def order(self, query: str, texts: Sequence[str], work: Work) -> list[int]:
        """Ask for the order of one window; positions, the best first."""
        prepared = [self._prepared(text)[0] for text in texts]
        if self.form == "first":
            return self._first(query, prepared, work)
        messages = self._messages(query, numbered(prepared), {}, work.problem)
        answer = self._ordering_answer(messages, len(texts), work)
        return self._read(read_order(answer.text, len(texts), answer.truncated), answer, work)

    def _ordering_answer(self, messages: Messages, n: int, work: Work) -> Completion:
        if self.form != "json":
            return self._chat(messages, n, work)
        try:
            return self._chat(messages, n, work, schema=_schema(n))
        except BackendError:
            if not replayed(work.ctx):
                raise
        # A recording of before the identifiers were listed in the schema.
        return self._chat(messages, n, work, schema=_schema(0))

    def _first(self, query: str, prepared: Sequence[str], work: Work) -> list[int]:
        passages = lettered(prepared)
        messages = self._messages(query, passages, {}, work.problem)
        answer = self._chat(
            messages, len(prepared), work, top_logprobs=200 if self.local else self._tellable()
        )
        if answer.first_token is None:
            raise no_probabilities(str(self.options["base_url"]), "token probabilities")
        order = label_order(answer.first_token, [label for label, _ in passages])
        missing = (Fault.MISSING,) if len(order) < len(prepared) else ()
        reading = Reading(tuple(order), missing if order else (Fault.WRONG_FORMAT,))
        return self._read(reading, answer, work)

    def _ranked(self, query: Query, docs: Sequence[Document], work: Work) -> tuple[Ranking, Status]:
        if self.window < int(self.options["window"]):
            work.warn(
                f"The window is {self.window} instead of {self.options['window']}: no more labels "
                "can be told apart by the probabilities that are given."
            )
        if not int(self.options["shuffles"]):
            return self._once(query, docs, work)
        return self._shuffled(query, docs, work)

    def _once(self, query: Query, docs: Sequence[Document], work: Work) -> tuple[Ranking, Status]:
        if self.form == "tourrank":
            return self._tournament(query, docs, work)
        return ListwiseReranker._rank(self, query, docs, work)

    def _shuffled(
        self, query: Query, docs: Sequence[Document], work: Work
    ) -> tuple[Ranking, Status]:
        """Mean rank over seeded orders. An order in which an answer failed does not count."""
        rng = random.Random(int(self.options["seed"]))
        places = {doc.id: 0 for doc in docs}
        taken = 0
        for _ in range(int(self.options["shuffles"])):
            order = rng.sample(list(docs), len(docs))
            fallbacks = work.fallbacks
            ranking, _status = self._once(query, order, work)
            if work.fallbacks > fallbacks:
                continue
            taken += 1
            for doc_id, rank in ranking.ranks.items():
                places[doc_id] += rank
            if len(docs) > 1:
                bias = kendall_tau([doc.id for doc in order], ranking.doc_ids)
                work.add(counts={"shuffled_orders": 1.0, "position_bias_sum": bias or 0.0})
        before = {doc.id: i for i, doc in enumerate(docs)}
        final = sorted(places, key=lambda doc_id: (places[doc_id], before[doc_id]))
        status = self._status(work)
        if taken and status is Status.FALLBACK:
            work.warn(f"{taken} of {self.options['shuffles']} shuffled orders were answered.")
        return Ranking.from_order(query.id, final), status

    def _tournament(
        self, query: Query, docs: Sequence[Document], work: Work
    ) -> tuple[Ranking, Status]:
        """Points for every stage survived, summed over rounds, ties by the order from before."""
        points = [0] * len(docs)
        rounds = int(self.options["passes"])
        for turn in range(rounds):
            rng = random.Random(f"{self.options['seed']} {turn}")
            left = list(range(len(docs)))
            for stage in self._stages(len(docs)):
                groups = dealt(left, stage, rng)
                survivors = [
                    self._survivors(query.text, docs, group, keep, work)
                    for group, keep in zip(groups, stage.keeps, strict=True)
                ]
                left = sorted(position for group in survivors for position in group)
                for position in left:
                    points[position] += 1
            work.ctx.report("tournament round", turn + 1, rounds)
        scores = {doc.id: float(points[i]) for i, doc in enumerate(docs)}
        ranking = Ranking.from_scores(query.id, scores, "points", [doc.id for doc in docs])
        return self._earned(ranking, work), self._status(work)

    def _survivors(
        self, query: str, docs: Sequence[Document], group: list[int], keep: int, work: Work
    ) -> list[int]:
        """Those of a group that go on; the first by the order from before where no answer helps."""
        if keep >= len(group):
            return group
        texts = [docs[position].content for position in group]
        question = [query, f"the best {keep}", *texts]
        answer = self._answer(question, lambda: self._select(query, texts, keep, work), work)
        named = [group[i] for i in answer or []]
        others = sorted(position for position in group if position not in named)
        if answer is not None and len(named) < keep:
            work.add(repairs=keep - len(named))
        return [*named, *others][:keep]

    def _select(self, query: str, texts: Sequence[str], keep: int, work: Work) -> list[int]:
        prepared = [self._prepared(text)[0] for text in texts]
        messages = self._messages(query, numbered(prepared), {"keep": str(keep)}, work.problem)
        answer = self._chat(messages, len(texts), work)
        reading = read_selection(answer.text, len(texts), keep, answer.truncated)
        if Fault.WRONG_FORMAT in reading.faults and reading.usable:
            work.add(repairs=1)
        return self._read(reading, answer, work)

    def _stages(self, n: int) -> list[Stage]:
        return stages(n, int(self.options["window"]))

    def _tellable(self) -> int:
        """How many labels FIRST can tell apart here; 0 when another form is used."""
        if self.form != "first":
            return 0
        if self.local:
            return _LETTERS
        known = chat_provider(str(self.options["base_url"]), str(self.options["key_variable"]))
        return min(_LETTERS, known.top_logprobs)


WINDOW_LIMIT = int(WINDOW.high or 0)


def _schema(n: int) -> dict[str, Any]:
    """A JSON schema that admits at most n of the identifiers 1 to n; any numbers, if n is 0."""
    numbers: dict[str, Any] = {"type": "integer"}
    listed: dict[str, Any] = {"type": "array", "items": numbers}
    if n:
        numbers["enum"] = list(range(1, n + 1))
        listed["maxItems"] = n
    return {
        "name": "ranking",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"ranking": listed},
            "required": ["ranking"],
            "additionalProperties": False,
        },
    }


def label_order(first: Sequence[tuple[str, float]], labels: Sequence[str]) -> list[int]:
    """Positions of the labels among the alternatives of a token, the likeliest first.

    The same label may stand there with a blank or bracket; its best form counts.
    """
    place = {label: i for i, label in enumerate(labels)}
    best: dict[int, float] = {}
    for token, logprob in first:
        position = place.get(token.strip(" []().:\"'\n▁Ġ"))
        if position is not None:
            best[position] = max(logprob, best.get(position, logprob))
    return sorted(best, key=lambda position: (-best[position], position))


def position_bias(counts: Any) -> float | None:
    """Mean Kendall tau between orders shown and orders answered, from a trace's counts.

    0 when answers do not depend on what was shown first, 1 when they repeat it; None without
    shuffles.
    """
    shuffles = counts.get("shuffled_orders", 0)
    return counts["position_bias_sum"] / shuffles if shuffles else None
