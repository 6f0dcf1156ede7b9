"""Text as it is shown: where the query's words are, the part of a document worth reading first.

Nothing here makes HTML: parts of a text are `Segment` values, escaped by whoever draws them.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from rerank_lab.core.types import Spans
from rerank_lab.corpora.analysis import Analyzer
from rerank_lab.corpora.scripts import MARKS, SPACELESS

SNIPPET_CHARS = 260
_READ_CHARS = 40_000
_MAX_WORD = 80
_WORD = re.compile(rf"[\w{MARKS}]+(?:[.\-'’&+#_]+\w+)*(?:\+\+|#)?")
_PART = re.compile(r"[^\W_]+")
# Marked by pairs of characters, as the first stages read them.
_SPACELESS = re.compile(f"[{SPACELESS}]+")
_SNOWBALL = {
    "en": "english", "de": "german", "fr": "french", "es": "spanish", "it": "italian",
    "nl": "dutch", "pt": "portuguese", "ru": "russian", "sv": "swedish", "da": "danish",
    "no": "norwegian", "fi": "finnish", "tr": "turkish", "ro": "romanian", "hu": "hungarian",
    "ar": "arabic", "el": "greek", "hi": "hindi",
}  # fmt: skip


_QUIET = frozenset(
    re.findall(
        r"\w+",
        "a an and any are as at be but by can could did do does for from get had has have how i if "
        "in into is it its me my no not of on or our out so some than that the their them then "
        "there these they this to up was we what when where which who why will with without "
        "would you your",
    )
)
"""Words that say nothing about where to look; marked only when a query has no others."""


Rarity = Callable[[str], Mapping[str, float]]
"""The terms of a word, each with its inverse document frequency in the corpus."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of text; `marked` when it is a word of the query (same stem, any case).

    `unread` when the model chosen did not see it, `decided` when its score came from there,
    `relevant` when it says that this is what matters.
    """

    text: str
    marked: bool = False
    unread: bool = False
    decided: bool = False
    relevant: bool = False


class Marker:
    """Finds the words of one query in texts. `language` is an ISO code such as "en", or ""."""

    def __init__(self, query: str, language: str = "en") -> None:
        self._analyzer = _analyzer(_SNOWBALL.get(language, "none"))
        terms = frozenset(self._analyzer.query_terms(query[:2000]))
        # As the analyzer writes them: "does" is "doe" to a stemmer.
        quiet = {term for word in _QUIET for term in self._analyzer.document_terms(word)}
        self._terms = terms - _QUIET - quiet or terms

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Start and end of each query word in `text`, in order, not overlapping."""
        matches: list[tuple[int, int]] = []
        if not self._terms:
            return matches
        for match in _WORD.finditer(text):
            start, end = match.span()
            if _SPACELESS.search(text, start, end):
                matches += self._pair_spans(text, start, end)
            elif end - start <= _MAX_WORD:
                matches += self._word_spans(match.group(), start)
        return matches

    def segments(self, text: str) -> tuple[Segment, ...]:
        """The whole text, cut where marks begin and end. Joined, it is the text again."""
        return tuple(_cut(text, self.spans(text)))

    def snippet(
        self,
        text: str,
        limit: int = SNIPPET_CHARS,
        relevant: Spans = (),
        rarity: Rarity | None = None,
    ) -> tuple[Segment, ...]:
        """The stretch of about `limit` characters that holds the rarest different query words.

        Words weigh by `rarity`, so that one word of few documents draws the snippet more than
        several that stand everywhere; without it all words weigh the same.

        With `relevant`, the characters of the text that a model calls so, it is the stretch that
        holds most of them. Ellipses show where it was cut. White space is squeezed; only the first
        40,000 characters are read.
        """
        flat, relevant = _squeezed(text[:_READ_CHARS], relevant)
        if len(flat) <= limit:
            return with_relevant(self.segments(flat), relevant)
        spans = self.spans(flat)
        start = (
            _most_relevant_start(flat, relevant, limit)
            if relevant
            else _best_start(flat, spans, limit, rarity)
        )
        end = _word_end(flat, start + limit)
        inside = [(s - start, e - start) for s, e in spans if s >= start and e <= end]
        of_cut = tuple((s - start, e - start) for s, e in relevant)
        segments = list(with_relevant(_cut(flat[start:end], inside), of_cut))
        if start > 0:
            segments.insert(0, Segment("… "))
        if end < len(flat):
            segments.append(Segment(" …"))
        return tuple(segments)

    def _word_spans(self, word: str, start: int) -> list[tuple[int, int]]:
        """The word, or of something joined (`app.example.com`) only the parts that were asked."""
        if not self._is_query_word(word):
            return []
        parts = list(_PART.finditer(word))
        if len(parts) < 2 or word.casefold() in self._terms:
            return [(start, start + len(word))]
        matching = [p.span() for p in parts if self._is_query_word(p.group())]
        return [(start + s, start + e) for s, e in matching] or [(start, start + len(word))]

    def _is_query_word(self, word: str) -> bool:
        return not self._terms.isdisjoint(self._analyzer.document_terms(word))

    def _pair_spans(self, text: str, start: int, end: int) -> list[tuple[int, int]]:
        hits = [False] * (end - start)
        for i in range(end - start):
            pair, single = text[start + i : min(end, start + i + 2)], text[start + i]
            if single in self._terms:
                hits[i] = True
            if len(pair) == 2 and pair in self._terms:
                hits[i] = hits[i + 1] = True
        spans: list[tuple[int, int]] = []
        for i, hit in enumerate(hits):
            if hit and spans and spans[-1][1] == start + i:
                spans[-1] = (spans[-1][0], start + i + 1)
            elif hit:
                spans.append((start + i, start + i + 1))
        return spans


def divided(segments: Sequence[Segment], edges: Iterable[int]) -> Iterator[tuple[int, Segment]]:
    """The segments cut at these places, each with where it begins. Joined, they are the same."""
    places = sorted(set(edges))
    at = 0
    for segment in segments:
        end = at + len(segment.text)
        cuts = [at, *(place for place in places if at < place < end), end]
        for start, stop in itertools.pairwise(cuts):
            yield start, replace(segment, text=segment.text[start - at : stop - at])
        at = end


def with_relevant(segments: Sequence[Segment], relevant: Spans) -> tuple[Segment, ...]:
    """Segments cut where the relevant spans begin and end, and those inside marked as relevant."""
    if not relevant:
        return tuple(segments)
    pieces = divided(segments, (edge for span in relevant for edge in span))
    return tuple(
        replace(piece, relevant=any(start <= at < end for start, end in relevant))
        for at, piece in pieces
    )


@lru_cache(maxsize=64)
def marker(query: str, language: str) -> Marker:
    """A marker of the query's words in texts of that language."""
    return Marker(query, language)


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters on one line, with an ellipsis where it was cut."""
    flat = " ".join(text[: 4 * limit + 200].split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"


@lru_cache(maxsize=32)
def _analyzer(language: str) -> Analyzer:
    return Analyzer(language)


def _cut(text: str, spans: Sequence[tuple[int, int]]) -> list[Segment]:
    segments: list[Segment] = []
    at = 0
    for start, end in spans:
        if start > at:
            segments.append(Segment(text[at:start]))
        segments.append(Segment(text[start:end], marked=True))
        at = end
    if at < len(text):
        segments.append(Segment(text[at:]))
    return segments


def _squeezed(text: str, spans: Spans) -> tuple[str, Spans]:
    """The text with single spaces only, and where the spans stand in it."""
    words = list(re.finditer(r"\S+", text))
    flat = " ".join(word[0] for word in words)
    if not spans or not words:
        return flat, ()
    starts = [word.start() for word in words]
    moved_starts = [0, *itertools.accumulate(len(word[0]) + 1 for word in words)]

    def moved(place: int) -> int:
        at = max(0, bisect_right(starts, place) - 1)
        return moved_starts[at] + max(0, min(place - starts[at], len(words[at][0])))

    pairs = ((moved(start), moved(end)) for start, end in spans)
    return flat, tuple((start, end) for start, end in pairs if start < end)


def _most_relevant_start(text: str, relevant: Spans, limit: int) -> int:
    """Where to begin so that most relevant characters are inside; the earliest such place."""

    def inside(first: int) -> int:
        last = first + limit - 40
        return sum(max(0, min(end, last) - max(start, first)) for start, end in relevant)

    best = max((start for start, _ in relevant), key=lambda start: (inside(start), -start))
    return _word_start(text, max(0, best - 40)) if best else 0


def _best_start(
    text: str, spans: Sequence[tuple[int, int]], limit: int, rarity: Rarity | None
) -> int:
    """Where to begin so that the query words inside weigh most; the earliest such place."""
    weights: dict[str, Mapping[str, float]] = {}
    words = [(start, end, text[start:end].casefold()) for start, end in spans]
    for _, _, word in words:
        if word not in weights:
            # A word that the corpus' index does not hold (a stop word, say) tells next to nothing.
            weights[word] = {word: 1.0} if rarity is None else rarity(word) or {word: 0.01}
    best, most = 0, -1.0
    for first in (0, *(start for start, _, _ in words)):
        inside: dict[str, float] = {}
        for start, end, word in words:
            if start >= first and end <= first + limit - 40:
                inside |= weights[word]
        weight = sum(inside.values())
        if weight > most:
            best, most = first, weight
    # A little of what comes before makes the marked word readable.
    return _word_start(text, max(0, best - 40)) if best else 0


def _word_start(text: str, at: int) -> int:
    space = text.find(" ", at, at + 30)
    return at if at == 0 else (space + 1 if space >= 0 else at)


def _word_end(text: str, at: int) -> int:
    if at >= len(text):
        return len(text)
    space = text.rfind(" ", max(0, at - 40), at)
    return space if space > 0 else at
