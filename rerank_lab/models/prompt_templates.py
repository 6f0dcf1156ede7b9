"""How language models used as rerankers read their query and document: templates as published.

A template is a row of parts. Each part is turned into tokens by itself, because that is how these
models were trained; the parts that hold a document are cut when the whole does not fit, and what
follows them (the question, the end of the turn) never is.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rerank_lab.core.errors import InvalidInput

BOS = "{bos}"
EOS = "{eos}"
"""Parts that stand for the tokenizer's own first and last token, where it has one."""


@dataclass(frozen=True, slots=True)
class Template:
    """`parts` hold {query}, {document}, {instruction} and, for pairs, {other}.

    The score is the logit of the token `true`, less that of `false` where one is named; without
    `true` it is the output of a classification head. `instructed` replaces `parts` when an
    instruction is given to a template that has none by default. `hints` are words in the names of
    the models that were trained with it.
    """

    parts: tuple[str, ...]
    true: str = ""
    false: str = ""
    instruction: str = ""
    instructed: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()

    @property
    def takes_instruction(self) -> bool:
        """Whether an instruction has a place in it."""
        return any("{instruction}" in part for part in (*self.parts, *self.instructed))

    def filled(self, values: Mapping[str, str]) -> list[tuple[str, bool, bool]]:
        """(text, holds a document, holds the query) of each part, `values` put in once each."""
        instruction = values.get("instruction") or self.instruction
        everything = {**values, "instruction": instruction}
        parts = self.instructed if instruction and self.instructed else self.parts
        return [
            (
                _SLOT.sub(lambda m: everything[m[1]], part),
                "{document}" in part or "{other}" in part,
                "{query}" in part,
            )
            for part in parts
        ]

    def digest(self) -> str:
        """Changes with any word of the template, so that old scores are not taken for new ones."""
        parts: dict[str, Any] = asdict(self)
        del parts["hints"]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


_QUERY_SHARE = 0.75
"""Of the tokens for query and document, what a very long query may take."""
_SLOT = re.compile(r"\{(query|document|other|instruction)\}")

_MXBAI_BEFORE = (
    "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    "<|im_end|>\n<|im_start|>user\n"
)
_MXBAI_TASK = (
    "You are a search relevance expert who evaluates how well documents match search queries. "
    "For each query-document pair, carefully analyze the semantic relationship between them, then "
    "provide your binary relevance judgment (0 for not relevant, 1 for relevant).\nRelevance:"
)
_MXBAI_AFTER = (
    "\n",
    "document: {document}",
    "\n",
    _MXBAI_TASK,
    "<|im_end|>\n<|im_start|>assistant\n",
)

DECODERS: Mapping[str, Template] = {
    # Zhang et al. 2025, "Qwen3 Embedding", arXiv:2506.05176, and the model card.
    "qwen3": Template(
        (
            "<|im_start|>system\nJudge whether the Document meets the requirements based on the "
            'Query and the Instruct provided. Note that the answer can only be "yes" or "no".'
            "<|im_end|>\n<|im_start|>user\n",
            "<Instruct>: {instruction}\n<Query>: {query}\n<Document>: {document}",
            "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
        ),
        "yes",
        "no",
        "Given a web search query, retrieve relevant passages that answer the query",
        hints=("qwen3-reranker",),
    ),
    # The publisher's package mxbai-rerank 0.1.6, mxbai_rerank_v2.py.
    "mxbai-v2": Template(
        (_MXBAI_BEFORE, "query: {query}", *_MXBAI_AFTER),
        "1",
        "0",
        instructed=(
            _MXBAI_BEFORE,
            "instruction: {instruction}\nquery: {query}",
            *_MXBAI_AFTER,
        ),
        hints=("mxbai-rerank-base-v2", "mxbai-rerank-large-v2"),
    ),
    # The code beside zerank-1-small's weights: a chat whose system's turn is the query and whose
    # user's turn the document, the logit of Yes at its end (there divided by 5 and squashed). That
    # zerank-2 gives that raw logit is its card's word; its template has not been seen.
    "zerank": Template(
        (
            "<|im_start|>system\n{query}<|im_end|>\n<|im_start|>user\n",
            "{document}",
            "<|im_end|>\n<|im_start|>assistant\n",
        ),
        "Yes",
        hints=("zerank",),
    ),
    # FlagEmbedding's decoder_only/base.py and the model card, which agree.
    "bge-gemma": Template(
        (
            BOS,
            "A: {query}",
            "\n",
            "B: {document}",
            "\n",
            "Given a query A and a passage B, determine whether the passage contains an answer to "
            "the query by providing a prediction of either 'Yes' or 'No'.",
        ),
        "Yes",
        hints=("reranker-v2-gemma",),
    ),
    # Ma et al. 2023, "Fine-Tuning LLaMA for Multi-Stage Text Retrieval", arXiv:2310.08319.
    "rankllama": Template(
        (BOS, "query: {query}", BOS, "document: {document}"), hints=("rankllama",)
    ),
}

SEQ2SEQ: Mapping[str, Template] = {
    # Nogueira et al. 2020, arXiv:2003.06713.
    "monot5": Template(
        ("Query: {query} Document: {document}", "Relevant:", EOS),
        "true",
        "false",
        hints=("monot5",),
    ),
    # Bonifacio et al. 2021, "mMARCO", arXiv:2108.13897.
    "mt5": Template(
        ("Query: {query} Document: {document}", "Relevant:", EOS),
        "yes",
        "no",
        hints=("mt5",),
    ),
    # Zhuang et al. 2022, arXiv:2210.10634: the logit of a token that is otherwise unused.
    "rankt5": Template(
        ("Query: {query} Document: {document}", EOS), "<extra_id_10>", hints=("rankt5",)
    ),
}

# Pradeep et al. 2021, "The Expando-Mono-Duo Design Pattern", arXiv:2101.05667.
DUOT5 = Template(
    ("Query: {query}", "Document0: {document}", "Document1: {other}", "Relevant:", EOS),
    "true",
    "false",
)


def choose(option: str, model: str, templates: Mapping[str, Template]) -> str:
    """The template's name: `option`, or where that is "auto" by the model's name, else ""."""
    if option != "auto":
        return option
    name = model.lower()
    return next((k for k, t in templates.items() if any(hint in name for hint in t.hints)), "")


def split_limit(parts: Sequence[tuple[int, bool, bool]], limit: int) -> tuple[int, int]:
    """Tokens that the query's own parts may take, and those left to the parts with a document.

    `parts` are (tokens, holds a document, holds the query). Raises InvalidInput when the template
    alone is longer than `limit`.
    """
    fixed = sum(size for size, doc, query in parts if not doc and not query)
    free = limit - fixed
    if free < len([1 for _, doc, query in parts if doc or query]):
        raise InvalidInput(
            f"The model's template alone takes {fixed} of {limit} tokens.",
            hint="Choose a larger max_length, or 0 for the model's own limit.",
        )
    query_limit = int(free * _QUERY_SHARE)
    query_sizes = [size for size, doc, query in parts if query and not doc]
    return query_limit, free - sum(share_tokens(query_sizes, query_limit))


def share_tokens(sizes: Sequence[int], limit: int) -> list[int]:
    """How many tokens of each may stay so that all fit: short ones leave theirs to the rest."""
    shares = [0] * len(sizes)
    left = max(0, limit)
    for place, index in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        shares[index] = min(sizes[index], left // (len(sizes) - place))
        left -= shares[index]
    return shares
