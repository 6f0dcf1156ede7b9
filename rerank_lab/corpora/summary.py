"""What a corpus is like and what is odd about it: counts, languages, lengths, duplicates, leaks."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.languages import detect_languages
from rerank_lab.corpora.tokens import count_tokens, normalised, terms

LENGTH_EDGES = (0, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
_LENGTH_SAMPLE = 20_000
_LEAK_WORDS = 4
_SHOWN = 20


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


def summarise(corpus: Corpus) -> CorpusSummary:
    """Look a corpus over. About 5 s for 100,000 documents of 100 words; nothing is changed."""
    documents = corpus.documents
    groups = duplicate_groups(documents)
    leaks = find_leaks(documents, corpus.queries)
    query_ids = {query.id for query in corpus.queries}
    judged_docs = {doc_id for judged in corpus.qrels.values() for doc_id in judged}
    missing = sorted(judged_docs - corpus.document_ids)
    grades = Counter(grade for judged in corpus.qrels.values() for grade in judged.values())
    return CorpusSummary(
        name=corpus.name,
        documents=len(corpus.document_ids),
        passages=len(documents) if corpus.parent_of else 0,
        queries=len(corpus.queries),
        judgments=grades.total(),
        content_hash=corpus.content_hash,
        languages=detect_languages([document.content for document in documents]),
        lengths=length_histogram(documents),
        empty_documents=sum(not document.content.strip() for document in documents),
        duplicate_documents=sum(len(group) - 1 for group in groups),
        duplicate_groups=tuple(groups[:_SHOWN]),
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
    lengths = sorted(count_tokens(document.content) for document in documents[::step])
    counts = [0] * len(LENGTH_EDGES)
    for length in lengths:
        counts[bisect_right(LENGTH_EDGES, length) - 1] += 1
    if not lengths:
        return Lengths(tuple(counts), 0, 0, 0, 0)
    at95 = lengths[min(len(lengths) - 1, int(0.95 * len(lengths)))]
    return Lengths(tuple(counts), lengths[len(lengths) // 2], at95, lengths[-1], len(lengths))


def duplicate_groups(documents: Sequence[Document]) -> list[tuple[str, ...]]:
    """Ids of documents whose content is the same but for case and white space, first group first.

    Documents that were cut are compared with all their passages: a passage that stands in two of
    them makes no duplicate. Empty documents are no duplicates of each other.
    """
    digests: dict[str, Any] = {}
    for document in documents:
        text = " ".join(document.content.casefold().split())
        if text:
            digest = digests.setdefault(document.document_id, hashlib.blake2b(digest_size=16))
            digest.update(text.encode("utf-8", "surrogatepass") + b"\x00")
    groups: dict[bytes, list[str]] = defaultdict(list)
    for doc_id, digest in digests.items():
        groups[digest.digest()].append(doc_id)
    return [tuple(ids) for ids in groups.values() if len(ids) > 1]


def find_leaks(documents: Sequence[Document], queries: Sequence[Query]) -> list[Leak]:
    """Queries of four words or more that stand word for word inside a document.

    Case, punctuation and spacing do not count. Matching alone finds the document of a leaked query,
    which therefore tells little about a reranker.
    """
    query_texts = {query.id: normalised(query.text) for query in queries}
    query_texts = {q: text for q, text in query_texts.items() if len(text.split()) >= _LEAK_WORDS}
    vocabulary = {term for text in query_texts.values() for term in terms(text)}
    if not vocabulary:
        return []
    postings: dict[str, list[int]] = defaultdict(list)
    for index, document in enumerate(documents):
        for term in vocabulary & terms(normalised(document.content)):
            postings[term].append(index)
    content = cache(lambda index: normalised(documents[index].content))
    leaks: list[Leak] = []
    for query_id, text in query_texts.items():
        likely = _with_all(postings, terms(text))
        inside = [index for index in likely if text in content(index)]
        leaks += [Leak(query_id, name) for name in _document_ids(documents, inside)]
    return leaks


def _with_all(postings: Mapping[str, Sequence[int]], query_terms: set[str]) -> list[int]:
    """Indexes of documents that hold the rarest terms: few enough to look at each."""
    lists = sorted((postings.get(term, ()) for term in query_terms), key=len)
    indexes = set(lists[0])
    for more in lists[1:]:
        if len(indexes) <= 2:
            break
        indexes.intersection_update(more)
    return sorted(indexes)


def _document_ids(documents: Sequence[Document], indexes: Sequence[int]) -> list[str]:
    return list(dict.fromkeys(documents[index].document_id for index in indexes))
