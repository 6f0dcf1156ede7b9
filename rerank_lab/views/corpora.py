"""What the Corpora page shows, as plain values: the list, one corpus, its checks, its indexes."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from rerank_lab.core.languages import language_name
from rerank_lab.core.spec import format_literal
from rerank_lab.core.text import readable_size
from rerank_lab.core.types import Document
from rerank_lab.corpora import Corpus, CorpusEntry, CorpusSummary, LiveCorpus
from rerank_lab.corpora.tokens import count_tokens, normalised
from rerank_lab.services.stored_indexes import StoredIndex
from rerank_lab.views.formatting import counted, language_names

Level = Literal["ok", "note", "warning"]
SNIPPET = 280
KINDS = {"sample": "Sample", "imported": "Imported", "live": "Live"}
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class CorpusLine:
    """One row of the list. `indexes` in words; `problem` says why a stored corpus is unreadable."""

    name: str
    kind: str
    documents: int | None
    languages: str
    queries: int
    judgments: int
    indexes: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure with its label; `about` says how it was counted."""

    label: str
    value: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of the checks. `examples` are ids or pairs of ids from the data."""

    level: Level
    title: str
    text: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bar:
    """One bin of a histogram: its label and how many documents fall into it (scaled up)."""

    label: str
    documents: int


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """One document as listed. `tokens` by our own count; `number` is its place in the corpus."""

    number: int
    id: str
    title: str
    snippet: str
    tokens: int
    parent: str = ""


@dataclass(frozen=True, slots=True)
class DocumentList:
    """The rows of one page, and how many documents match in all."""

    total: int
    rows: tuple[DocumentRow, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class JudgedQueryRow:
    """One query with the number of its judgments and of those graded 1 or more."""

    id: str
    text: str
    judged: int
    relevant: int


@dataclass(frozen=True, slots=True)
class IndexLine:
    """One index on disk. `built` is a UTC moment to the minute, `spec` what it answers to."""

    name: str
    spec: str
    documents: int
    size: str
    built: str
    state: str

    @property
    def facts(self) -> str:
        """What is known of it; of one that is not ready only why, and its size."""
        if self.state != "Ready":
            return f"{self.state} · {self.size}"
        return f"{self.documents:,} documents · {self.size} · {self.built} UTC"


def corpus_lines(
    entries: Sequence[CorpusEntry],
    indexes: Mapping[str, Sequence[StoredIndex]],
    languages: Mapping[str, Sequence[str]] | None = None,
) -> tuple[CorpusLine, ...]:
    """The list of corpora, with indexes on disk and languages by name where these are known.

    `languages` fills in for entries that do not tell theirs.
    """
    return tuple(
        CorpusLine(
            entry.name,
            KINDS.get(entry.kind, "Imported"),
            entry.documents,
            language_names(entry.languages or (languages or {}).get(entry.name, ())),
            entry.queries,
            entry.judgments,
            "–" if entry.kind == "live" else _index_words(indexes.get(entry.name, ())),
            entry.error,
        )
        for entry in entries
    )


def corpus_line(entry: CorpusEntry) -> str:
    """`252 documents · English · 60 queries, 124 judgments`."""
    count = "documents" if entry.documents is None else f"{entry.documents:,} documents"
    details = [f"{count} in a search engine" if entry.kind == "live" else count]
    if entry.languages:
        details.append(language_names(entry.languages))
    if entry.queries:
        details.append(f"{entry.queries:,} queries, {entry.judgments:,} judgments")
    return " · ".join(details)


def facts(summary: CorpusSummary) -> tuple[Fact, ...]:
    """The figures at the top of a corpus."""
    lengths = summary.lengths
    shares = ", ".join(
        f"{language_name(code)} {share:.0%}" for code, share in summary.languages.items()
    )
    documents = [Fact("Documents", f"{summary.documents:,}")]
    if summary.passages:
        about = "Long documents were cut; a document scores by its best passage."
        documents.append(Fact("Passages", f"{summary.passages:,}", about))
    return (
        *documents,
        Fact("Queries", f"{summary.queries:,}", f"{summary.judged_queries:,} with judgments"),
        Fact("Judgments", f"{summary.judgments:,}", grade_words(summary.grades)),
        Fact("Language", language_names(tuple(summary.languages), 2) or "not told", shares),
        Fact(
            "Median length",
            f"{lengths.median:,} tokens",
            f"95 % have at most {lengths.p95:,}, the longest has {lengths.longest:,} "
            "(words and marks, by our own count)",
        ),
    )


def live_facts(corpus: LiveCorpus) -> tuple[Fact, ...]:
    """What a search engine says of its documents, and what its sample lets guess."""
    lengths = sorted(count_tokens(document.content) for document in corpus.sample)
    sampled = f"Of {counted(len(corpus.sample), 'document')} that the engine gives first"
    judged = sum(query.id in corpus.qrels for query in corpus.queries)
    grades = Counter(grade for row in corpus.qrels.values() for grade in row.values())
    counts = "As the engine counted them when the corpus was opened"
    if corpus.counted is None:
        counts = "The engine did not say in time"
    return (
        Fact("Documents", "–" if corpus.counted is None else f"{corpus.counted:,}", counts),
        Fact("Queries", f"{len(corpus.queries):,}", f"{judged:,} with judgments"),
        Fact("Judgments", f"{grades.total():,}", grade_words(dict(sorted(grades.items())))),
        Fact("Language", language_names(tuple(corpus.languages), 2) or "not told", sampled),
        Fact(
            "Median length",
            f"{lengths[len(lengths) // 2]:,} tokens" if lengths else "–",
            f"{sampled} (words and marks, by our own count)",
        ),
    )


def sample_of(corpus: LiveCorpus) -> Corpus:
    """The sample as a corpus of its own, to be listed."""
    return Corpus(corpus.name, corpus.sample, corpus.queries, corpus.qrels)


def deletion_words(entry: CorpusEntry) -> str:
    """What will be gone, behind the corpus' name."""
    if entry.kind == "live":
        return (
            f"with its {entry.queries:,} queries and {entry.judgments:,} judgments will be gone "
            "from the data folder. The search engine is not touched."
        )
    return (
        f"with its {entry.documents:,} documents, {entry.queries:,} queries and its indexes will "
        "be gone from the data folder. The files it was imported from are not touched."
    )


def grade_words(grades: Mapping[int, int]) -> str:
    """`grade 0: 12, grade 3: 60`; empty without judgments."""
    return ", ".join(f"grade {grade}: {count:,}" for grade, count in sorted(grades.items()))


def length_bars(summary: CorpusSummary) -> tuple[Bar, ...]:
    """Documents by length in tokens, without the empty bins above the longest."""
    lengths, counts = summary.lengths, summary.lengths.counts
    if not lengths.sampled:
        return ()
    units = summary.passages or summary.documents
    scale = max(1.0, units / lengths.sampled)
    last = max(index for index, count in enumerate(counts) if count)
    edges = lengths.edges
    labels = [f"{low:,}–{high - 1:,}" for low, high in itertools.pairwise(edges)]
    labels.append(f"{edges[-1]:,}+")
    return tuple(
        Bar(label, round(count * scale))
        for label, count in zip(labels[: last + 1], counts[: last + 1], strict=True)
    )


def findings(summary: CorpusSummary) -> tuple[Finding, ...]:
    """What the checks found, warnings first; what is in order is said too."""
    results = [
        _duplicates(summary),
        _leaks(summary),
        _missing(summary),
        *_unjudged(summary),
        *_empty(summary),
    ]
    order = ("warning", "note", "ok")
    return tuple(sorted(results, key=lambda finding: order.index(finding.level)))


def list_documents(corpus: Corpus, wanted: str, start: int = 0, size: int = 10) -> DocumentList:
    """The documents with a word beginning like each of `wanted`, in corpus order.

    In text, title or id, case and punctuation aside; an empty `wanted` lists all. `start` counts
    from 0.
    """
    words = normalised(wanted).split()
    if words:
        numbers: Sequence[int] = [i for i, doc in enumerate(corpus.documents) if _holds(doc, words)]
    else:
        numbers = range(len(corpus.documents))
    chosen = numbers[start : start + size]
    rows = tuple(_document_row(i, corpus.documents[i], words) for i in chosen)
    unit = "passages" if corpus.parent_of else "documents"
    if not rows:
        sentence = f"No {unit[:-1]} holds all of these words." if words else f"No {unit}."
    else:
        of = f"{len(numbers):,} {unit}" + (" that hold these words" if words else "")
        sentence = f"{start + 1:,}–{start + len(rows):,} of {of}"
    return DocumentList(len(numbers), rows, sentence)


def query_rows(corpus: Corpus) -> tuple[JudgedQueryRow, ...]:
    """The queries in their order, with what is judged of each."""
    rows = []
    for query in corpus.queries:
        grades = corpus.qrels.get(query.id, {})
        relevant = sum(grade >= 1 for grade in grades.values())
        rows.append(JudgedQueryRow(query.id, query.text, len(grades), relevant))
    return tuple(rows)


def index_lines(
    indexes: Sequence[StoredIndex], defaults: Mapping[str, Mapping[str, Any]]
) -> tuple[IndexLine, ...]:
    """Indexes as rows; `defaults` are the default options by retriever, left out of the spec."""
    return tuple(
        IndexLine(
            index.name,
            _index_spec(index, defaults.get(index.retriever, {})),
            index.documents,
            readable_size(index.size),
            datetime.fromtimestamp(index.changed_at, UTC).strftime("%Y-%m-%d %H:%M"),
            "Ready" if index.complete else "Unfinished or damaged",
        )
        for index in indexes
    )


def _index_spec(index: StoredIndex, defaults: Mapping[str, Any]) -> str:
    changed = {k: v for k, v in index.options.items() if k not in defaults or defaults[k] != v}
    spec_text = ",".join(f"{key}={format_literal(value)}" for key, value in changed.items())
    return f"{index.retriever}({spec_text})" if spec_text else index.retriever


def _index_words(indexes: Sequence[StoredIndex]) -> str:
    if not indexes:
        return "none yet"
    kinds = ", ".join(sorted({index.retriever for index in indexes}))
    unfinished = sum(not index.complete for index in indexes)
    size = readable_size(sum(index.size for index in indexes))
    return f"{kinds} · {size}" + (f" · {unfinished} unfinished" if unfinished else "")


def _duplicates(summary: CorpusSummary) -> Finding:
    count = summary.duplicate_documents
    if not count:
        return Finding("ok", "No duplicates", "No two documents have the same content.")
    examples = tuple(" = ".join(group) for group in summary.duplicate_groups[:_EXAMPLES])
    return Finding(
        "warning" if count > 0.05 * summary.documents else "note",
        f"{counted(count, 'document')} {_repeat(count)} another",
        "A model gives them the same score, and only one of each may be judged.",
        examples,
    )


def _leaks(summary: CorpusSummary) -> Finding:
    if not summary.queries:
        return Finding("note", "No queries", "Add a query set to evaluate pipelines on it.")
    if not summary.leaked_queries:
        return Finding(
            "ok", "No leaks", "No query of four words or more stands word for word in a document."
        )
    examples = tuple(f"{leak.query_id} in {leak.doc_id}" for leak in summary.leaks[:_EXAMPLES])
    return Finding(
        "warning",
        f"{counted(summary.leaked_queries, 'query', 'queries')} "
        f"{'stands' if summary.leaked_queries == 1 else 'stand'} word for word in a document",
        "Word matching alone finds these; they tell little about a reranker.",
        examples,
    )


def _missing(summary: CorpusSummary) -> Finding:
    count = summary.judged_documents_missing
    if not summary.judgments:
        return Finding("note", "No judgments", "Measures such as nDCG need them; rankings do not.")
    if not count:
        return Finding("ok", "Judgments fit", "Every judged document is in the corpus.")
    return Finding(
        "warning",
        f"{counted(count, 'judged document')} {'is' if count == 1 else 'are'} not in the corpus",
        "They count as never found, as in trec_eval.",
        summary.missing_documents[:_EXAMPLES],
    )


def _unjudged(summary: CorpusSummary) -> list[Finding]:
    missing = []
    if summary.judgments and summary.queries_without_judgments:
        missing.append(
            Finding(
                "note",
                f"{counted(summary.queries_without_judgments, 'query', 'queries')} without "
                "judgments",
                "Measures are averaged over the judged ones only.",
            )
        )
    if summary.queries and summary.judgments_without_queries:
        count = summary.judgments_without_queries
        missing.append(
            Finding(
                "note",
                f"Judgments for {counted(count, 'query', 'queries')} that are not here",
                "They are kept, unused, until the queries are added.",
            )
        )
    return missing


def _empty(summary: CorpusSummary) -> list[Finding]:
    if not summary.empty_documents:
        return []
    title = f"{counted(summary.empty_documents, 'document')} without text"
    return [Finding("note", title, "Kept, because judgments may speak of them.")]


def _repeat(count: int) -> str:
    return "repeats" if count == 1 else "repeat"


def _holds(document: Document, words: Sequence[str]) -> bool:
    text = f"{document.id} {document.content}".casefold()
    if not all(word in text for word in words):
        return False
    known = set(normalised(text).split())
    return all(any(name.startswith(word) for name in known) for word in words)


def _document_row(number: int, document: Document, words: Sequence[str]) -> DocumentRow:
    return DocumentRow(
        number + 1,
        document.id,
        document.title,
        snippet(document.text, words),
        count_tokens(document.content),
        document.parent,
    )


def snippet(text: str, words: Sequence[str] = (), size: int = SNIPPET) -> str:
    """About `size` characters of `text`, from a little before the first of `words` in it."""
    flat = " ".join(text.split()) if len(text) < 100_000 else text
    folded = flat.casefold()
    match = [place for place in (folded.find(word) for word in words) if place >= 0]
    start = max(0, min(match, default=0) - size // 4)
    more = start + size < len(flat)
    cut = flat[start : start + size]
    if more and " " in cut[size // 2 :]:
        cut = cut.rpartition(" ")[0]
    return ("…" if start else "") + " ".join(cut.split()) + ("…" if more else "")
