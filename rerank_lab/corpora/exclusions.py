"""Queries that are documents of their own corpus, as in ArguAna and Quora: left out, as BEIR does.

A query and a document that share an id need not be the same thing: many collections number both
from 1. So the rule looks at the texts and at the judgments before it holds.
"""

from __future__ import annotations

import re
from dataclasses import replace

from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.corpus import Corpus

EXCLUDED_META = "excluded_ids"
"""Where files name the documents that a query excludes, as BRIGHT does."""
_SHARED_WORDS = 0.8
"""A query of whose words so many are in the document of its id is that document."""
_WORD = re.compile(r"\w+")


def queries_in_corpus(corpus: Corpus) -> tuple[Query, ...]:
    """The queries whose id is also that of a document."""
    corpus.prefetch(query.id for query in corpus.queries)
    return tuple(query for query in corpus.queries if query.id in corpus.document_ids)


def are_own_documents(corpus: Corpus) -> bool:
    """Whether most queries that share an id with a document have its text, and do not seek it."""
    queries = queries_in_corpus(corpus)
    alike = sum(_is_text_of(query, _documents(corpus, query.id)) for query in queries)
    sought = sum(corpus.qrels.get(query.id, {}).get(query.id, 0) > 0 for query in queries)
    return 2 * alike > len(queries) and 2 * sought <= len(queries)


def with_exclusions(corpus: Corpus, identical: bool | None = None) -> Corpus:
    """The corpus with queries that exclude what their file says, and themselves.

    Args:
        corpus: Documents, queries and judgments.
        identical: Whether a query excludes the document with its own id. None decides by the texts
            (see `are_own_documents`).
    """
    if identical is None:
        identical = are_own_documents(corpus)
    own = {query.id for query in queries_in_corpus(corpus)} if identical else set()
    queries = tuple(_excluding(query, query.id in own) for query in corpus.queries)
    return corpus if queries == corpus.queries else replace(corpus, queries=queries)


def _excluding(query: Query, itself: bool) -> Query:
    named = query.meta.get(EXCLUDED_META)
    ids = {str(doc_id) for doc_id in named} if isinstance(named, list | tuple) else set()
    excluded = frozenset(ids | ({query.id} if itself else set())) - {"N/A"}
    return query if excluded == query.excluded else replace(query, excluded=excluded)


def _documents(corpus: Corpus, doc_id: str) -> list[Document]:
    """The document that judgments call by this id, or its passages."""
    if corpus.live:
        return [corpus.document(doc_id)]
    return [corpus.documents[number] for number in corpus.numbers_of(doc_id)]


def _is_text_of(query: Query, documents: list[Document]) -> bool:
    query_words = set(_WORD.findall(query.text.casefold()))
    words = {word for document in documents for word in _WORD.findall(document.content.casefold())}
    shared = len(query_words & words)
    return bool(query_words) and shared >= _SHARED_WORDS * len(query_words)
