"""Documents longer than a model reads: which parts of one it is handed, and what becomes its score.

Passages and their scores (max, first, mean): Dai and Callan 2019, "Deeper Text Understanding for IR
with Contextual Neural Language Modeling", arXiv:1905.09217. Head and tail together: Sun et al.
2019, "How to Fine-Tune BERT for Text Classification", arXiv:1905.05583, here half of the room each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rerank_lab.components.base import Param
from rerank_lab.core.input_coverage import InputCoverage
from rerank_lab.core.types import Document, Span, Spans
from rerank_lab.corpora.passages import PassageOptions, passage_spans
from rerank_lab.corpora.tokens import token_spans
from rerank_lab.models.input_coverage import head_coverage
from rerank_lab.models.token_budget import TokenBudget

HEAD, HEAD_TAIL, MAX, FIRST, MEAN = "head", "head+tail", "max", "first", "mean"
POLICIES = (HEAD, HEAD_TAIL, MAX, FIRST, MEAN)
LONG = Param(
    "long",
    HEAD,
    "What is read of a document that does not fit: its head; head+tail, half each; or passages "
    "with an eighth of overlap, whose max, first or mean score counts.",
    choices=POLICIES,
    label="Long documents",
)
_SPLITTING = "1"
"""Raise it when documents are cut at other places: scores kept from before then miss."""

_SMALLEST = PassageOptions(8, 0).max_tokens
_LARGEST = 100_000
_OVERLAP = 8
"""Neighbouring passages share one token in so many."""
_TITLE_SHARE = 3
"""A title that takes more than one token in so many of the room is not repeated."""
_LONGEST_WORD = 24
"""Characters kept together, where the room allows: scripts without spaces have longer runs."""
_TRIES = 6


@dataclass(frozen=True, slots=True)
class ModelInput:
    """The texts that a model is handed of one document.

    `spans` are the characters of the document's `content` that each text holds, its passage last;
    `partial` when some are in no text.
    """

    texts: tuple[str, ...]
    spans: tuple[tuple[Span, ...], ...]
    partial: bool

    def in_content(self, spans_of_texts: Sequence[Spans]) -> Spans:
        """Where stretches of the texts stand in the document's `content`, in order and merged.

        Args:
            spans_of_texts: For each of `texts`, stretches of it; what lies behind its end is cut.
        """
        moved: list[Span] = []
        for text, held, spans in zip(self.texts, self.spans, spans_of_texts, strict=True):
            # What stands before the passage, a title or a head, is at the same place in both.
            start, end = held[-1]
            passage = len(text) - (end - start)
            for a, b in spans:
                moved.append((a, min(b, passage)))
                moved.append(
                    (max(a, passage) + start - passage, min(b, len(text)) + start - passage)
                )
        return _merged([span for span in moved if span[0] < span[1]])


@dataclass(frozen=True, slots=True)
class LongDocuments:
    """A policy for documents that do not fit: one of `POLICIES`, the option `long`."""

    policy: str = HEAD

    def model_input(self, document: Document, budget: TokenBudget | None) -> ModelInput:
        """What to hand over. A document that fits is handed over as it is, whatever the policy.

        So is one beside a query that leaves less room than a passage needs: the model cuts it.
        """
        content = document.content
        if budget is None or budget.limit < _SMALLEST or self.policy == HEAD:
            return _whole(content)
        tokens = budget.spans(content)
        if len(tokens) <= budget.limit:
            return _whole(content)
        if self.policy == HEAD_TAIL:
            return _head_and_tail(content, tokens, budget)
        passages = _passages(document, budget)
        if self.policy == FIRST:
            partial = passages[0][1][-1][1] < len(content)
            passages = passages[:1]
        else:
            partial = False
        return ModelInput(tuple(t for t, _ in passages), tuple(s for _, s in passages), partial)

    def aggregate(self, scores: Sequence[float]) -> float:
        """The document's score from those of its texts, at least one."""
        if self.policy == MEAN:
            return sum(scores) / len(scores)
        return max(scores) if self.policy == MAX else scores[0]

    def coverage(self, document: Document, budget: TokenBudget | None) -> InputCoverage:
        """What the model is handed and reads, as far as its tokenizer tells."""
        content = document.content
        length = len(content)
        if budget is None:
            return InputCoverage(((0, length),), length)
        model_input = self.model_input(document, budget)
        if model_input.texts == (content,):
            return head_coverage(content, budget)
        spans = _merged([span for spans in model_input.spans for span in spans])
        in_passages = self.policy not in (HEAD, HEAD_TAIL)
        passages = tuple(parts[-1] for parts in model_input.spans) if in_passages else ()
        decided = 0 if self.policy == FIRST and passages else None
        return InputCoverage(spans, length, passages, decided, budget.estimated)

    def cache_unit(self, document: Document) -> str:
        """What a document's score is kept under, beside model and query."""
        if self.policy == HEAD:
            return document.content_hash
        # Passages repeat the title, so it matters where it ends.
        return f"{document.content_hash} {self.policy} {len(document.title)} {_SPLITTING}"


def estimated_token_budget(room: int) -> TokenBudget:
    """For a model whose tokenizer is not here: a token for every three bytes of a word.

    Begun ones count. English has fewer tokens, so that what is handed over fits.
    """
    return TokenBudget(room, _estimated_spans, estimated=True)


def _estimated_spans(text: str) -> list[Span]:
    spans: list[Span] = []
    for start, end in token_spans(text):
        size = len(text[start:end].encode("utf-8", "surrogatepass"))
        spans += [(start, end)] * -(-size // 3)
    return spans


def _whole(content: str) -> ModelInput:
    return ModelInput((content,), (((0, len(content)),),), False)


def _head_and_tail(content: str, tokens: Sequence[Span], budget: TokenBudget) -> ModelInput:
    """Half of the room for each end, cut between words."""
    placed = _at_words(content, tokens, budget.limit)
    room = budget.limit
    text, end, start = "", 0, len(content)
    for _ in range(_TRIES):
        head, tail = (room + 1) // 2, room // 2
        end = placed[head][0]
        # A tail must not begin with a word whose beginning is in the head's last place.
        after = next((a for a, _ in placed[len(placed) - tail :] if a > placed[-tail - 1][0]), None)
        start = len(content) if after is None else max(end, after)
        text = f"{content[:end].rstrip()} {content[start:]}"
        excess = len(budget.spans(text)) - budget.limit
        if excess <= 0 or room - excess < 2:
            break
        room -= excess
    return ModelInput((text,), (((0, end), (start, len(content))),), True)


def _passages(document: Document, budget: TokenBudget) -> list[tuple[str, tuple[Span, ...]]]:
    """Overlapping passages, each under the document's title, with the characters they hold."""
    lead = f"{document.title} " if document.title else ""
    taken = len(budget.spans(lead)) if lead else 0
    if taken * _TITLE_SHARE > budget.limit or budget.limit - taken < _SMALLEST:
        lead, taken = "", 0
    content = document.content
    body, begin = content[len(lead) :], len(lead)
    size = min(budget.limit - taken, _LARGEST)
    placed = _at_words(body, budget.spans(body), size)
    cuts: list[Span] = []
    for _ in range(_TRIES):
        options = PassageOptions(size, size // _OVERLAP)
        cuts = [(a, b) for a, b in passage_spans(body, options, placed) if b > a]
        # A text that begins within another's tokens can be cut into more tokens than before.
        longest = max(len(budget.spans(lead + body[a:b])) for a, b in cuts)
        if longest <= budget.limit or size - (longest - budget.limit) < _SMALLEST:
            break
        size -= longest - budget.limit
    titled = ((0, len(document.title)),) if lead else ()
    return [
        (lead + body[a:b], ((0, begin + b),) if a == 0 else (*titled, (begin + a, begin + b)))
        for a, b in cuts
    ]


def _at_words(text: str, tokens: Sequence[Span], room: int) -> list[Span]:
    """The tokens without white space around them, each beginning where its word does.

    Cuts are made where tokens begin: now between words, and never within a character.
    """
    longest = min(_LONGEST_WORD, room // 4)
    placed: list[Span] = []
    word = 0
    for start, end in tokens:
        inner = text[start:end]
        start += len(inner) - len(inner.lstrip()) if inner.strip() else 0
        within = 0 < start < len(text) and text[start - 1].isalnum() and text[start].isalnum()
        if not (placed and within and start - word <= longest):
            word = max(start, word)
        placed.append((word, max(word, end)))
    return placed


def _merged(spans: Sequence[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > start:
            merged.append((start, end))
    return tuple(merged)
