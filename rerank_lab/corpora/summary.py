"""What a corpus is like and what is odd about it: counts, languages, lengths, duplicates, leaks."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.duplicates import Duplicates, find_duplicates, watched
from rerank_lab.corpora.languages import SAMPLE, detect_languages
from rerank_lab.corpora.stored_documents import blank_numbers
from rerank_lab.corpora.tokens import count_tokens, normalised, terms

LENGTH_EDGES = (0, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
_LENGTH_SAMPLE = 20_000
_LEAK_WORDS = 4
_SHOWN = 20
_BLOCK, _BLOCK_DOCUMENTS = 16_000_000, 20_000
"""Characters of documents, and documents, that are searched for queries together."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens a document, by our own count, over `sampled` evenly spaced documents.

    Bin i holds edges[i] <= n < edges[i + 1], the last all above; scale counts by documents /
    sampled.
    """

    counts: tuple[int, ...]
    median: int
    p95: int
    longest: int
    sampled: int
    edges: tuple[int, ...] = LENGTH_EDGES


@dataclass(frozen=True, slots=True)
class Leak:
    """A query whose whole text stands inside a document."""

    query_id: str
    doc_id: str


@dataclass(frozen=True, slots=True)
class CorpusSummary:
    """What is in a corpus. Counts are exact; `lengths` and `languages` are sampled.

    `passages` is how many texts are searched when documents were cut, else 0. Example lists are
    cut to 20 entries; the count beside each is not.
    """

    name: str
    documents: int
    passages: int
    queries: int
    judgments: int
    content_hash: str
    languages: Mapping[str, float]
    lengths: Lengths
    empty_documents: int
    duplicate_documents: int
    duplicate_groups: tuple[tuple[str, ...], ...]
    leaked_queries: int
    leaks: tuple[Leak, ...]
    judged_queries: int
    grades: Mapping[int, int]
    queries_without_judgments: int
    judgments_without_queries: int
    judged_documents_missing: int
    missing_documents: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The summary as it is stored beside the corpus."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return values

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> CorpusSummary:
        """The summary back from `to_json`; in files the grades are names of fields, texts."""
        return msgspec.convert(stored, cls, str_keys=True)


def summarise(
    corpus: Corpus, duplicates: Duplicates | None = None, ctx: Context | None = None
) -> CorpusSummary:
    """Look a corpus over. About 5 s for 100,000 documents of 100 words; nothing is changed.

    Args:
        corpus: Of documents in memory or on the disk, from where a part at a time is read.
        duplicates: What `find_duplicates` says of its documents, where that is known already.
        ctx: For progress and cancelling.

    Raises:
        Cancelled: `ctx` says so.
    """
    documents, ctx = corpus.documents, ctx or Context()
    duplicates = find_duplicates(documents, ctx) if duplicates is None else duplicates
    leaks = find_leaks(documents, corpus.queries, ctx)
    query_ids = {query.id for query in corpus.queries}
    judged_docs = {doc_id for judged in corpus.qrels.values() for doc_id in judged}
    missing = sorted(judged_docs - corpus.document_ids)
    spacing = max(1, len(documents) // SAMPLE)
    grades = Counter(grade for judged in corpus.qrels.values() for grade in judged.values())
    return CorpusSummary(
        name=corpus.name,
        documents=len(corpus.document_ids),
        passages=len(documents) if corpus.parent_of else 0,
        queries=len(corpus.queries),
        judgments=grades.total(),
        content_hash=corpus.content_hash,
        languages=detect_languages([d.content for d in documents[::spacing][:SAMPLE]]),
        lengths=length_histogram(documents),
        empty_documents=len(blank_numbers(documents)),
        duplicate_documents=duplicates.count,
        duplicate_groups=duplicates.groups,
        leaked_queries=len({leak.query_id for leak in leaks}),
        leaks=tuple(leaks[:_SHOWN]),
        judged_queries=len(query_ids & corpus.qrels.keys()),
        grades=dict(sorted(grades.items())),
        queries_without_judgments=len(query_ids - corpus.qrels.keys()),
        judgments_without_queries=len(corpus.qrels.keys() - query_ids),
        judged_documents_missing=len(missing),
        missing_documents=tuple(missing[:_SHOWN]),
    )


def length_histogram(documents: Sequence[Document]) -> Lengths:
    """Token counts of at most 20,000 evenly spaced documents."""
    step = max(1, -(-len(documents) // _LENGTH_SAMPLE))
    sample = (documents[number] for number in range(0, len(documents), step))
    lengths = sorted(count_tokens(document.content) for document in sample)
    counts = [0] * len(LENGTH_EDGES)
    for length in lengths:
        counts[bisect_right(LENGTH_EDGES, length) - 1] += 1
    if not lengths:
        return Lengths(tuple(counts), 0, 0, 0, 0)
    at95 = lengths[min(len(lengths) - 1, int(0.95 * len(lengths)))]
    return Lengths(tuple(counts), lengths[len(lengths) // 2], at95, lengths[-1], len(lengths))


def find_leaks(
    documents: Sequence[Document], queries: Sequence[Query], ctx: Context | None = None
) -> list[Leak]:
    """Queries of four words or more that stand word for word inside a document.

    Case, punctuation and spacing do not count. Matching alone finds the document of a leaked query,
    which therefore tells little about a reranker. Of each query the first 20 documents are given;
    some thousand documents are in memory at a time.

    Raises:
        Cancelled: `ctx` says so.
    """
    query_texts = {query.id: normalised(query.text) for query in queries}
    query_texts = {q: text for q, text in query_texts.items() if len(text.split()) >= _LEAK_WORDS}
    query_terms = {query_id: terms(text) for query_id, text in query_texts.items()}
    vocabulary = set[str]().union(*query_terms.values())
    if not vocabulary:
        return []
    leaks: dict[str, dict[str, None]] = {query_id: {} for query_id in query_texts}
    for block in _blocks(watched(documents, ctx or Context())):
        texts = [normalised(document.content) for document in block]
        postings: dict[str, list[int]] = defaultdict(list)
        for place, text in enumerate(texts):
            for term in vocabulary & terms(text):
                postings[term].append(place)
        for query_id, query_text in query_texts.items():
            for place in _with_all(postings, query_terms[query_id]):
                if query_text in texts[place] and len(leaks[query_id]) < _SHOWN:
                    leaks[query_id][block[place].document_id] = None
    return [Leak(query_id, doc_id) for query_id, ids in leaks.items() for doc_id in ids]


def _blocks(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """The documents in lists of a bounded size."""
    block: list[Document] = []
    size = 0
    for document in documents:
        block.append(document)
        size += len(document.content)
        if size > _BLOCK or len(block) >= _BLOCK_DOCUMENTS:
            yield block
            block, size = [], 0
    if block:
        yield block


def _with_all(postings: Mapping[str, Sequence[int]], query_terms: set[str]) -> list[int]:
    """Indexes of documents that hold the rarest terms: few enough to look at each."""
    if not all(term in postings for term in query_terms):
        return []
    lists = sorted((postings[term] for term in query_terms), key=len)
    indexes = set(lists[0])
    for more in lists[1:]:
        if len(indexes) <= 2:
            break
        indexes.intersection_update(more)
    return sorted(indexes)
