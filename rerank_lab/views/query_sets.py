"""Query sets in words."""

from __future__ import annotations

from collections import Counter

from rerank_lab.judging.records import LabQuerySet
from rerank_lab.services.query_sets import MadeQueries
from rerank_lab.views.formatting import counted


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
