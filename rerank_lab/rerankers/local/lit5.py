"""LiT5: T5 models that read every passage by itself and judge all of them in one decoder.

Tamber et al. 2023, "Scaling Down, LiTting Up: Efficient Zero-Shot Listwise Reranking with Seq2seq
Encoder-Decoder Models", arXiv:2312.16098; words, lengths and scores as in the authors' code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from rerank_lab.components.base import Info, Param
from rerank_lab.core.context import Context
from rerank_lab.core.errors import LabError
from rerank_lab.core.work import Work
from rerank_lab.models import ModelOptions
from rerank_lab.models.torch.fusion_in_decoder import FusionInDecoder, open_fusion_in_decoder
from rerank_lab.rerankers.comparative import PASSES, STEP, WINDOW, ListwiseReranker, accepted
from rerank_lab.rerankers.joint_scoring import JointScoringReranker
from rerank_lab.rerankers.local.base import UsesModel
from rerank_lab.rerankers.local.prompted import prompted_params
from rerank_lab.rerankers.parsing import read_order

_WORDS_DIGEST = "lit5-1"
"""Raise it when the words around query and passage change: answers kept from before then miss."""
_ANSWER_TOKENS = 19
"""LiT5-Score answers within 20 tokens, the decoder's start among them."""
_ID = re.compile(r"\[(\s*\d+\s*)\]")


def _params(model: str, *more: Param) -> tuple[Param, ...]:
    return tuple(
        replace(
            param,
            default=150,
            help="Tokens read of each passage, the query and the words around them included; "
            "150 is what LiT5 was trained with, 0 the model's own limit.",
        )
        if param.name == "max_length"
        else param
        for param in prompted_params(model, *more)
    )


def _without_ids(text: str) -> str:
    """Identifiers belong to the template: a `[3]` in a text becomes `(3)`."""
    return _ID.sub(r"(\1)", text)


class LiT5(UsesModel[FusionInDecoder], ListwiseReranker):
    """LiT5-Distill: the decoder says an order, `[2] > [1] > [3]`, of a window of passages.

    Answers are read as strictly as those of any other language model, repairs are counted, and a
    window without a usable answer keeps its order.
    """

    asks_again: ClassVar[bool] = False
    marks_cut: ClassVar[bool] = True
    info: ClassVar[Info] = Info(
        name="lit5",
        kind="reranker",
        family="seq2seq",
        summary="A T5 model reads passages one by one and says the order of a window of them.",
        scale="order",
        params=_params("lit5-distill-base", WINDOW, STEP, PASSES),
    )

    def problems(self) -> list[LabError]:
        """Also a window and a step that do not fit together."""
        try:
            self.spans(0)
        except LabError as error:
            return [*super().problems(), error]
        return super().problems()

    def weights_digest(self) -> str:
        """With the digest of the words around query and documents."""
        return f"{super().weights_digest()}:{_WORDS_DIGEST}"

    def _open(self, model: str, ctx: Context, options: ModelOptions) -> FusionInDecoder:
        return open_fusion_in_decoder(model, ctx, options)

    def order(self, query: str, texts: Sequence[str], work: Work) -> list[int]:
        """Indexes of the texts in the order that the model says."""
        question = _without_ids(query)
        passages = [
            f"Search Query: {question} Passage: [{i}] {_without_ids(text)} Relevance Ranking: "
            for i, text in enumerate(texts, 1)
        ]
        # No token of an order is shorter than a character.
        longest = len(" > ".join(f"[{i}]" for i in range(1, len(texts) + 1)))
        with self._used(work) as usage:
            answer = self.opened.answer(passages, longest, work.ctx, usage)
        work.truncated |= usage.truncated
        reading = read_order(answer.text, len(texts), answer.cut_short)
        hint = "Use a model that was trained as LiT5-Distill, or a smaller window."
        return accepted(reading, self.model, hint, work)


class LiT5Score(UsesModel[FusionInDecoder], JointScoringReranker):
    """LiT5-Score: how much the decoder attends to each passage while it answers the query.

    All candidates are read in one go. Their scores, on the scale "attention", depend on what stands
    beside them, and compare within one query only.
    """

    info: ClassVar[Info] = Info(
        name="lit5-score",
        kind="reranker",
        family="seq2seq",
        summary="A T5 model reads all passages; what it attends to while it answers is the score.",
        scale="attention",
        params=_params("lit5-score-base"),
    )

    def weights_digest(self) -> str:
        """With the digest of the words around query and documents."""
        return f"{super().weights_digest()}:{_WORDS_DIGEST}"

    def _open(self, model: str, ctx: Context, options: ModelOptions) -> FusionInDecoder:
        return open_fusion_in_decoder(model, ctx, options, attentions=True)

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        """The attention to each text, which depends on the others."""
        question = f"question: {query}"
        passages = [f"{question} context: {text}" for text in texts]
        with self._used(work) as usage:
            scores = self.opened.attention(passages, question, _ANSWER_TOKENS, work.ctx, usage)
        work.truncated |= usage.truncated
        return scores
