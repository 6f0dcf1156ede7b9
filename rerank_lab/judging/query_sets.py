"""Query sets built in the lab: typed, imported, drawn from a log, or made from documents.

Queries made from documents are synthetic and say so. One that repeats its document is left out: it
would be found by its very words, and flatter whatever matches words.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.traffic import HEAD, TAIL, TORSO, traffic_bands
from rerank_lab.core.types import Document, Query
from rerank_lab.judging.records import LabQuery, LabQuerySet, QueryOrigin

MAX_QUERY_CHARS = 2000
LEAK_WORDS = 4
LEAK_SHARE = 0.5
"""A query leaks when so many words in a row stand in its document, and are this share of it."""
SYNTHETIC = "synthetic"
"""The tag of queries made from documents."""
_WORD = re.compile(r"\w+")
_KEYWORDS = 3


@dataclass(frozen=True, slots=True)
class LoggedQuery:
    """A query of a log, how often it has it, and the band it is in: head, torso or tail."""

    text: str
    frequency: int
    band: str


def typed_queries(
    lines: Iterable[str], tags: Sequence[str] = (), origin: QueryOrigin = QueryOrigin.TYPED
) -> tuple[LabQuery, ...]:
    """Queries of lines of text, one each; blank lines and repeated ones are left out.

    Only white space is evened out: "Nike" and "nike" are two queries.

    Raises:
        InvalidInput: a query is longer than 2,000 characters.
    """
    queries: dict[str, LabQuery] = {}
    for line in lines:
        text = checked_text(line)
        if text:
            query = lab_query(text, origin, tags)
            queries.setdefault(query.query_id, query)
    return tuple(queries.values())


def lab_query(
    text: str,
    origin: QueryOrigin,
    tags: Sequence[str] = (),
    *,
    query_id: str = "",
    frequency: int = 0,
    source_doc: str = "",
) -> LabQuery:
    """A query; without an id of its own, that of its text."""
    unique = tuple(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))
    return LabQuery(query_id or Query.of(text).id, text, origin, unique, frequency, source_doc)


def checked_text(text: str) -> str:
    """A query's text with single spaces.

    Raises:
        InvalidInput: it is longer than 2,000 characters.
    """
    text = " ".join(text.split())
    if len(text) > MAX_QUERY_CHARS:
        raise InvalidInput(
            f"A query of {len(text):,} characters begins with {text[:40]!r}.",
            hint=f"A query has at most {MAX_QUERY_CHARS:,} characters; put one on each line.",
        )
    return text


def log_bands(counts: Mapping[str, int]) -> tuple[LoggedQuery, ...]:
    """The queries of a log, most frequent first, in the three bands of `traffic_bands`."""
    bands = traffic_bands(counts)
    return tuple(LoggedQuery(text, counts[text], band) for text, band in bands.items())


def log_sample(
    counts: Mapping[str, int], size: int, *, seed: int = 0, tags: Sequence[str] = ()
) -> tuple[LabQuery, ...]:
    """A random sample of a log, a third from each band, each query tagged with its band.

    What a band cannot give the others do, the tail first. Every query of a band has one chance.

    Args:
        counts: query text -> how often the log has it, above 0.
        size: how many queries.
        seed: same log and seed, same sample.
    """
    by_band: dict[str, list[LoggedQuery]] = {HEAD: [], TORSO: [], TAIL: []}
    for logged in log_bands(counts):
        by_band[logged.band].append(logged)
    generator = random.Random(seed)
    for queries in by_band.values():
        generator.shuffle(queries)
    share = math.ceil(size / 3)
    chosen = [query for band in by_band for query in by_band[band][:share]][:size]
    rest = [query for band in (TAIL, TORSO, HEAD) for query in by_band[band][share:]]
    chosen += rest[: size - len(chosen)]
    return tuple(
        lab_query(one.text, QueryOrigin.LOG, (one.band, *tags), frequency=one.frequency)
        for one in chosen
    )


def counted_log(rows: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Query text -> how often, of rows of a log; blank ones are left out.

    Raises:
        InvalidInput: a frequency is below 1, or a query is too long.
    """
    counts: Counter[str] = Counter()
    for text, frequency in rows:
        if frequency < 1:
            raise InvalidInput(
                f"The log says that {text[:60]!r} was asked {frequency} times.",
                hint="Frequencies are whole numbers above 0.",
            )
        if checked := checked_text(text):
            counts[checked] += frequency
    return dict(counts)


def sampled_documents(
    documents: Sequence[Document], size: int, seed: int = 0
) -> tuple[Document, ...]:
    """Random documents with text, from which queries are made."""
    readable = [document for document in documents if not document.blank]
    return tuple(random.Random(seed).sample(readable, min(size, len(readable))))


def keyword_query(document: Document, frequencies: Mapping[str, int]) -> str:
    """The template: the three rarest words of a document, as somebody types keywords.

    They stand in alphabetical order, so that no phrase of the document is repeated. "" for a
    document with fewer than three different words of three letters.

    Args:
        frequencies: lower-case word -> documents that hold it; `document_frequencies`.
    """
    words = {word for word in words_of(document.content) if len(word) > 2 and not word.isdigit()}
    # A word that no other document has may be a misspelling: those of two or more come first.
    ranked = sorted(words, key=lambda w: (frequencies.get(w, 1) < 2, frequencies.get(w, 1), w))
    return " ".join(sorted(ranked[:_KEYWORDS])) if len(ranked) >= _KEYWORDS else ""


def document_frequencies(documents: Iterable[Document]) -> Counter[str]:
    """Lower-case word -> how many documents hold it."""
    return Counter(word for document in documents for word in set(words_of(document.content)))


def words_of(text: str) -> list[str]:
    """The words of a text in lower case."""
    return _WORD.findall(text.lower())


def longest_common_run(query: str, text: str) -> int:
    """How many words in a row of a query stand in a text in the same order."""
    asked, held = words_of(query), words_of(text)
    longest, row = 0, [0] * (len(held) + 1)
    for word in asked:
        following = [0] * (len(held) + 1)
        for place, other in enumerate(held):
            if word == other:
                following[place + 1] = row[place] + 1
        longest, row = max(longest, *following), following
    return longest


def copies_document(query: str, text: str) -> bool:
    """Whether a query leaks: it repeats a stretch of its document.

    At least four words in a row that make half of the query, or the whole of a query of two or
    three words.
    """
    run, size = longest_common_run(query, text), len(words_of(query))
    return (run >= LEAK_WORDS and run >= LEAK_SHARE * size) or 2 <= size == run


def joined(query_set: LabQuerySet, more: Sequence[LabQuery], now: datetime) -> LabQuerySet:
    """A set with more queries; one of the same id takes the place of the earlier one."""
    queries = {query.query_id: query for query in (*query_set.queries, *more)}
    return replace(query_set, queries=tuple(queries.values()), created_at=now)
