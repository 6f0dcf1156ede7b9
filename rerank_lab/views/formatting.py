"""Counts, sizes and times in words, the same on every page."""

from __future__ import annotations

from collections.abc import Sequence

from rerank_lab.core.languages import language_name
from rerank_lab.core.text import megabytes, readable_size
from rerank_lab.remote.objects.store import FileOrigin


def counted(count: int, one: str, many: str = "") -> str:
    """`1 query`, `1,200 queries`; the plural is `one` with an s unless given."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def figures(value: float, digits: int = 3) -> str:
    """So many figures that count, and never a power of ten: `0.25`, `8.5`, `622`, `1,440`."""
    return f"{value:,.0f}" if abs(value) >= 10 ** (digits - 1) else f"{value:.{digits}g}"


def document_counts(documents: int, passages: int) -> str:
    """`41 documents`, or `41 documents (137 passages)` where passages are searched."""
    words = counted(documents, "document")
    return f"{words} ({counted(passages, 'passage')})" if passages else words


def origin_sentence(origin: FileOrigin) -> str:
    """Where a corpus was brought from, how much it was, and which version of it."""
    size = readable_size(sum(one.size or 0 for one in origin.objects))
    head = f"from {origin.address}: {counted(len(origin.objects), 'file')}, {size}"
    if len(origin.objects) != 1:
        return f"{head}, version {origin.version[:12]}"
    one = origin.objects[0]
    marks = [f"ETag {one.etag}" if one.etag else "", f"of {one.modified}" if one.modified else ""]
    return ", ".join([head, *(mark for mark in marks if mark)])


def corpus_size(documents: int | None, passages: int, *, live: bool) -> str:
    """As `document_counts`; of a live corpus, that its documents are in a search engine."""
    if not live:
        return document_counts(documents or 0, passages)
    count = "documents" if documents is None else counted(documents, "document")
    return f"{count} in a search engine"


def older_words(count: int) -> str:
    """That a list goes on where it is not shown."""
    return f"{count:,} older ones lie in the data folder."


def language_names(codes: Sequence[str], most: int = 3) -> str:
    """`English, German, French and 5 more`; empty when nothing is known."""
    names = list(dict.fromkeys(map(language_name, codes)))
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def model_size(size: int) -> str:
    """Of a model's files in bytes: `34 MB`, `150 kB`; `unknown` for 0."""
    if 0 < size < 1_000_000:
        return f"{size / 1e3:.0f} kB"
    return megabytes(size) if size else "unknown"


def rough_duration(seconds: float) -> str:
    """`0.42 s`, `12 s`, `4 min`, `2 h`: for people, with about two figures that count."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3570 else f"{seconds / 3600:.1f} h"
