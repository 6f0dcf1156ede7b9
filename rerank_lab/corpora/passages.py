"""Long documents cut into overlapping passages, at sentence ends where there are any.

A passage scores for its document: rankings are folded to the best passage of each parent (the
MaxP of Dai & Callan, "Deeper Text Understanding for IR", SIGIR 2019).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Document
from rerank_lab.corpora.tokens import token_spans

SPAN = "passage_span"
"""The `meta` key of a passage's place in its document: [start, end) in characters."""
_ENDERS = frozenset(".!?…。！？؟।॥")
_CLOSERS = frozenset("\"'”’»)]」』）")
_ENDERS_WITHOUT_SPACE = frozenset("。！？")


@dataclass(frozen=True, slots=True)
class PassageOptions:
    """Tokens by our own count (`tokens.py`), of the text alone: a title comes on top.

    `overlap` tokens are shared by neighbouring passages; at most half of `max_tokens`.
    """

    max_tokens: int = 256
    overlap: int = 32

    def __post_init__(self) -> None:
        if not 8 <= self.max_tokens <= 100_000 or not 0 <= self.overlap <= self.max_tokens // 2:
            raise InvalidInput(
                f"Passages of {self.max_tokens} tokens cannot overlap by {self.overlap}.",
                hint="Use 8 to 100,000 tokens, and an overlap of at most half of that.",
            )


def cut_passages(
    documents: Iterable[Document], options: PassageOptions | None = None
) -> list[Document]:
    """Documents over the budget as passages `<id>#p1`, ...; the others as they are, in order.

    Every passage has its document's title and meta, names it as `parent`, and says which
    characters of it it holds. Raises InvalidInput when a passage id is already a document's.
    """
    options = options or PassageOptions()
    groups = [passages_of(document, options) for document in documents]
    passages = [passage for group in groups for passage in group]
    if len(passages) > len(groups):
        ids: set[str] = set()
        for passage in passages:
            if passage.id in ids:
                raise id_clash(passage.id)
            ids.add(passage.id)
    return passages


def passages_of(document: Document, options: PassageOptions) -> list[Document]:
    """The passages of one document, or itself where it is short enough or a passage already."""
    spans = passage_spans(document.text, options)
    if len(spans) == 1 or document.parent:
        return [document]
    return [_passage(document, number, span) for number, span in enumerate(spans, 1)]


def id_clash(passage_id: str) -> InvalidInput:
    """The error for a passage whose id another document has."""
    return InvalidInput(
        f"The id {passage_id!r} belongs to a document and to a passage of another.",
        hint="Give documents ids that do not end in #p and a number.",
    )


def passage_spans(
    text: str, options: PassageOptions, tokens: Sequence[tuple[int, int]] | None = None
) -> list[tuple[int, int]]:
    """Where to cut: [start, end) character spans that together cover the whole text.

    Each holds at most `max_tokens` tokens; the next starts exactly `overlap` tokens before its end.
    `tokens` are the spans of another tokenizer, their starts in ascending order.
    """
    if tokens is None:
        if len(text) <= options.max_tokens:
            return [(0, len(text))]
        tokens = token_spans(text)
    if len(tokens) <= options.max_tokens:
        return [(0, len(text))]
    spans: list[tuple[int, int]] = []
    first, begin = 0, 0
    while len(tokens) - first > options.max_tokens:
        last = _best_end(text, tokens, first, options)
        end = tokens[last][0]
        spans.append((begin, end))
        first = last - options.overlap
        begin = tokens[first][0]
    return [*spans, (begin, len(text))]


def whole_document(passages: Sequence[Document]) -> Document:
    """The document that these passages, all of them, were cut from."""
    ordered = sorted(passages, key=lambda passage: passage.meta[SPAN][0])
    text = ""
    for passage in ordered:
        start = passage.meta[SPAN][0]
        text += passage.text[len(text) - start :]
    first = ordered[0]
    meta = {name: value for name, value in first.meta.items() if name != SPAN}
    return Document(first.parent, text, first.title, meta)


def whole_documents(documents: Iterable[Document]) -> list[Document]:
    """Passages joined to the documents they came from; uncut ones as they are, in order."""
    groups: dict[str, list[Document]] = defaultdict(list)
    for document in documents:
        groups[document.document_id].append(document)
    return [
        whole_document(group) if group[0].parent and SPAN in group[0].meta else group[0]
        for group in groups.values()
    ]


def _best_end(
    text: str, tokens: Sequence[tuple[int, int]], first: int, options: PassageOptions
) -> int:
    """The token that starts the last sentence which begins in the budget's second half."""
    furthest = first + options.max_tokens
    nearest = first + max(options.max_tokens // 2, options.overlap) + 1
    for index in range(furthest, nearest - 1, -1):
        if _starts_sentence(text, tokens, index):
            return index
    return furthest


def _starts_sentence(text: str, tokens: Sequence[tuple[int, int]], index: int) -> bool:
    gap = text[tokens[index - 1][1] : tokens[index][0]]
    if "\n" in gap:
        return True
    before = index - 1
    while before > 0 and text[tokens[before][0]] in _CLOSERS:
        before -= 1
    ender = text[tokens[before][0]]
    return ender in _ENDERS_WITHOUT_SPACE or (ender in _ENDERS and bool(gap))


def _passage(document: Document, number: int, span: tuple[int, int]) -> Document:
    start, end = span
    meta = dict(document.meta) | {SPAN: [start, end]}
    passage_id = f"{document.id}#p{number}"
    return Document(passage_id, document.text[start:end], document.title, meta, document.id)
