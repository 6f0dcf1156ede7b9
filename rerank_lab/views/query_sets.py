"""Query sets in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rerank_lab.corpora.corpus import Corpus
from rerank_lab.judging.query_sets import words_of
from rerank_lab.judging.records import LabQuery, LabQuerySet, QueryOrigin
from rerank_lab.services.query_sets import ExtendedQuerySet, MadeQueries, repeated_words
from rerank_lab.views.formatting import counted

SYNTHETIC_NOTE = (
    "Synthetic queries are easier and narrower than those of people: use them to begin, not to "
    "decide."
)
_ORIGINS: Mapping[QueryOrigin, str] = {
    QueryOrigin.TYPED: "typed",
    QueryOrigin.IMPORTED: "imported",
    QueryOrigin.LOG: "log",
    QueryOrigin.TEMPLATE: "synthetic, template",
    QueryOrigin.LLM: "synthetic, language model",
}


def set_words(query_set: LabQuerySet) -> str:
    """How many queries a set has, and how many with each tag."""
    tags = Counter(tag for query in query_set.queries for tag in query.tags)
    listed = ", ".join(f"{tag} {count:,}" for tag, count in tags.most_common())
    words = f"{query_set.name}: {counted(len(query_set.queries), 'query', 'queries')}"
    return f"{words} ({listed})" if listed else words


def made_words(made: MadeQueries) -> str:
    """What became of the documents that queries were made from."""
    return (
        f"{counted(len(made.queries), 'query', 'queries')} made; {made.leaking:,} left out because "
        f"they repeat their document, {made.none:,} documents gave none."
    )


def extended_words(extended: ExtendedQuerySet) -> str:
    """What came into a set, and what was left out."""
    words = f"{counted(extended.added, 'query', 'queries')} added to “{extended.query_set.name}”"
    if extended.from_documents is None:
        return f"{words}, which has {len(extended.query_set.queries):,} now."
    return f"{words}. {made_words(extended.from_documents)}"


def query_rows(query_set: LabQuerySet, corpus: Corpus) -> dict[str, list[str | int | None]]:
    """The table of a set by column; columns that would be empty are left out."""
    queries = query_set.queries
    columns: dict[str, list[str | int | None]] = {
        "Query": [query.text for query in queries],
        "From": [_ORIGINS[query.origin] for query in queries],
        "Tags": [", ".join(query.tags) for query in queries],
        "Frequency": [query.frequency or None for query in queries],
        "Repeats of its document": [_repeats(query, corpus) for query in queries],
    }
    return {name: cells for name, cells in columns.items() if any(cells)}


def _repeats(query: LabQuery, corpus: Corpus) -> str:
    repeats = repeated_words(query, corpus)
    if repeats is None:
        return ""
    return f"{repeats} of {counted(len(words_of(query.text)), 'word')} in a row"
