"""Sets made to train or test rerankers: a query, its passages, and which of them are relevant."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import ColumnMapping, Record, id_text
from rerank_lab.corpora.readers.base import (
    Entry,
    JudgmentRow,
    Match,
    QueryRow,
    Reader,
    ReadOptions,
    Sample,
    first_value,
)
from rerank_lab.corpora.readers.judged.grades import grade_of
from rerank_lab.corpora.readers.registry import table_rows
from rerank_lab.corpora.readers.written_lists import written_list
from rerank_lab.corpora.source import Source

_PASSAGE_ID = ("docid", "doc_id", "_id", "id", "pid", "passage_id", "psg_id")
_PASSAGE_TEXT = ("text", "contents", "content", "segment", "passage", "body", "page_content")
_QUERY_ID = ("query_id", "qid", "question_id", "_id", "id")
_QUERY_TEXT = ("text", "query", "question")
_LABELS = (
    *("label", "labels", "relevance", "relevances", "grade", "grades", "relevant"),
    *("is_relevant", "is_selected"),
)
_PAIR_IDS = ("doc_id", "docid", "docno", "document_id", "corpus_id", "passage_id", "pid")
"""Columns that hold the id of the passage of a pair, and no other id."""


class QueryPassagesReader(Reader):
    """A record a query, with passages in columns of their own; equal passages become one.

    Subclasses say which columns hold the query, the passages graded 1, those graded 0, and those
    without a grade. Passages and queries without an id are numbered: p1, p2, ... and q1, q2, ...
    """

    mapping = ColumnMapping("text", "id", "title", ())
    query: ClassVar[tuple[str, ...]]
    positives: ClassVar[tuple[str, ...]] = ()
    negatives: ClassVar[tuple[str, ...]] = ()
    ungraded: ClassVar[tuple[str, ...]] = ()
    answers: ClassVar[tuple[str, ...]] = ("answers", "answer", "reference", "ground_truth")
    """The columns of reference answers, of which the first that is there counts."""
    cells: ClassVar[type | tuple[type, ...]] = list
    """What a column of passages holds: a list, or the text of one passage."""
    key: ClassVar[tuple[str, ...]]
    """The columns of which one must be there."""

    def sniff(self, sample: Sample) -> Match | None:
        """Every one of the first records has a query and a column of passages."""
        records = sample.records
        if not records:
            return None
        for record in records:
            passages = _list(first_value(record, self.key))
            if first_value(record, self.query) is None or not isinstance(passages, self.cells):
                return None
        used = next(name for name in self.key if name in records[0])
        return Match(0.9, f"every record has a query and {used}")

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Entry]:
        """New passages as documents, new queries, and a judgment for every graded passage."""
        ids: dict[bytes, str] = {}
        query_ids: dict[str, str] = {}
        for line, record in table_rows(source, options, log):
            query = first_value(record, self.query)
            text = query if isinstance(query, str) else _text(query, _QUERY_TEXT)
            graded = list(self._passages(record))
            if not text or not graded:
                log.error(
                    f"The record has no {'passage' if text else 'query'}; it was left out.",
                    "Give every record a query and a list of passages; a list in a cell may be "
                    "written as JSON or as Python prints it, whole.",
                    file=source.name,
                    line=line,
                )
                continue
            named = id_text(first_value(query if isinstance(query, dict) else record, _QUERY_ID))
            named = named or _shared_query_id(record.get("hits"))
            query_id = named or query_ids.setdefault(text, f"q{len(query_ids) + 1}")
            yield QueryRow(line, query_id, text, self._answers(record))
            for passage, grade in graded:
                row = _passage(passage, ids)
                if row is None:
                    log.error(
                        "A passage has no text; it was left out.",
                        "Write passages as texts, or as objects with a text.",
                        file=source.name,
                        line=line,
                    )
                    continue
                document, new = row
                if new:
                    yield line, document
                if grade is not None:
                    yield JudgmentRow(line, query_id, document["id"], grade)

    def _answers(self, record: Record) -> dict[str, Any]:
        """The reference answers of a record as metadata of its query; {} for none."""
        value = first_value(record, self.answers)
        listed = _list(value) if isinstance(value, str | list) else ()
        texts = [listed] if isinstance(listed, str) else listed
        answers = [text for text in texts if isinstance(text, str) and text.strip()]
        return {"answers": answers} if answers else {}

    def _passages(self, record: Record) -> Iterator[tuple[Any, int | None]]:
        groups: Sequence[tuple[tuple[str, ...], int | None]] = (
            (self.positives, 1),
            (self.negatives, 0),
            (self.ungraded, None),
        )
        for columns, grade in groups:
            for value in (_list(record.get(column)) for column in columns):
                passages: Iterable[Any] = value if isinstance(value, list) else [value]
                yield from ((one, grade) for one in passages if one not in (None, ""))


class FlagEmbeddingReader(QueryPassagesReader):
    """FlagEmbedding training data: query, pos, neg, the last two lists or single texts."""

    name = "flagembedding"
    label = "FlagEmbedding triplets"
    query = ("query",)
    positives, negatives, key = ("pos",), ("neg",), ("pos",)
    cells = (list, str)

    def sniff(self, sample: Sample) -> Match | None:
        """As the base says; single texts need one that is not relevant beside them."""
        single = any(isinstance(record.get("pos"), str) for record in sample.records)
        pairs = all(isinstance(record.get("neg"), str) for record in sample.records)
        return super().sniff(sample) if pairs or not single else None


class CohereTrainingReader(QueryPassagesReader):
    """Training data of Cohere's rerankers: query, relevant_passages, hard_negatives."""

    name = "cohere-training"
    label = "Cohere training set"
    query = ("query",)
    positives, negatives = ("relevant_passages",), ("hard_negatives",)
    key = ("relevant_passages",)


class TevatronReader(QueryPassagesReader):
    """Tevatron training data: query, positive_passages, negative_passages."""

    name = "tevatron"
    label = "Tevatron triplets"
    query = ("query",)
    positives, negatives = ("positive_passages",), ("negative_passages",)
    key = ("positive_passages",)


class MTEBRerankingReader(QueryPassagesReader):
    """MTEB reranking sets: query, positive, negative, the last two with lists."""

    name = "mteb-reranking"
    label = "MTEB reranking set"
    query = ("query",)
    positives, negatives, key = ("positive",), ("negative",), ("positive",)


class SentenceTripletsReader(QueryPassagesReader):
    """sentence-transformers triplets: anchor (or query), positive, negative, each one text."""

    name = "triplets"
    label = "sentence-transformers triplets"
    query = ("anchor", "query", "question")
    positives = ("positive",)
    negatives = ("negative", *(f"negative_{number}" for number in range(1, 33)))
    cells, key = str, ("positive",)


class ListedTripletsReader(QueryPassagesReader):
    """A list of texts a line: a query (or anchor), what fits it, and what does not, if anything."""

    name = "listed-triplets"
    label = "sentence-transformers pairs or triplets in lists"
    query = ("column 1",)
    positives = ("column 2",)
    negatives = tuple(f"column {number}" for number in range(3, 35))
    cells, key = str, ("column 2",)

    def sniff(self, sample: Sample) -> Match | None:
        """JSON lines whose values are lists of texts."""
        lists = sample.suffix in (".jsonl", ".ndjson") and sample.start.startswith(b"[")
        return super().sniff(sample) if lists else None


class CandidatesReader(QueryPassagesReader):
    """Candidates to be reranked (rank_llm, FlashRank): a query and a list of passages."""

    name = "candidates"
    label = "queries with candidates"
    query = ("query", "question")
    ungraded = ("candidates", "passages", "documents", "docs", "texts", "hits")
    key = ungraded

    def _passages(self, record: Record) -> Iterator[tuple[Any, int | None]]:
        """The candidates, graded where `labels` stand in them, or beside them in the same order."""
        passages = [passage for passage, _ in super()._passages(record)]
        own = [first_value(p, _LABELS) if isinstance(p, dict) else None for p in passages]
        if passages and all(grade is not None for grade in own):
            yield from zip(passages, map(grade_of, own), strict=True)
            return
        labels = _list(first_value(record, _LABELS))
        grades = list(map(grade_of, labels)) if isinstance(labels, list) else []
        if len(grades) != len(passages):
            grades = [None] * len(passages)
        yield from zip(passages, grades, strict=True)


class DPRReader(QueryPassagesReader):
    """Training data of dense passage retrieval: question, positive_ctxs, hard_negative_ctxs."""

    name = "dpr"
    label = "DPR training set"
    query = ("question", "query")
    positives, negatives = ("positive_ctxs",), ("hard_negative_ctxs", "negative_ctxs")
    key = ("positive_ctxs",)


class HotpotReader(QueryPassagesReader):
    """HotpotQA and its relatives: question, context (titles with sentences), supporting_facts.

    As the authors' JSON writes them, `[[title, [sentence, ...]], ...]` and `[[title, n], ...]`, or
    as Hugging Face does, in objects of columns.
    """

    name = "hotpotqa"
    label = "HotpotQA questions and paragraphs"
    query = ("question",)
    key = ("context",)

    def sniff(self, sample: Sample) -> Match | None:
        """Every one of the first records has titled sentences and says which are needed."""
        if not sample.records or not all(map(self._has_facts, sample.records)):
            return None
        return Match(0.95, "every record has a question, a context and supporting_facts")

    def _has_facts(self, record: Record) -> bool:
        titled = any(True for _ in _titled(record.get("context")))
        return (
            titled and "supporting_facts" in record and first_value(record, self.query) is not None
        )

    def _passages(self, record: Record) -> Iterator[tuple[Any, int | None]]:
        """The paragraphs: 1 for one with a supporting fact, else 0."""
        needed = {title for title, _ in _titled(record.get("supporting_facts"))}
        for title, sentences in _titled(record.get("context")):
            parts = sentences if isinstance(sentences, list) else [sentences]
            text = "".join(part for part in parts if isinstance(part, str)).strip()
            yield {"title": title, "text": text}, int(title in needed)


class SelectedPassagesReader(QueryPassagesReader):
    """MS MARCO's question answering set: passage texts and, in the same order, which were used."""

    name = "ms-marco-qa"
    label = "MS MARCO questions with passages"
    query = ("query",)
    ungraded = key = ("passages",)
    cells = dict

    def sniff(self, sample: Sample) -> Match | None:
        """Every one of the first records has texts and selections under `passages`."""
        match = super().sniff(sample)
        texts = {"passage_text", "is_selected"}
        return (
            match if match and all(texts <= r["passages"].keys() for r in sample.records) else None
        )

    def _passages(self, record: Record) -> Iterator[tuple[Any, int | None]]:
        """Passages with the grade 1 where they were selected, else 0."""
        for columns, _ in super()._passages(record):
            texts, selected = columns.get("passage_text"), columns.get("is_selected")
            if isinstance(texts, list) and isinstance(selected, list):
                yield from zip(texts, map(grade_of, selected), strict=False)


class GradedPairsReader(QueryPassagesReader):
    """A row a pair of query and passage with its grade, as cross-encoders are trained on."""

    name = "pairs"
    label = "graded pairs of query and passage"
    query = ("query", "question", "query_text", "anchor", "sentence1", "sentence_A")
    ungraded = key = (
        "passage",
        "document",
        "text",
        "passage_text",
        "doc",
        "sentence2",
        "sentence_B",
        "answer",
        "response",
        "positive",
    )
    answers = ()
    cells = str

    def sniff(self, sample: Sample) -> Match | None:
        """Every one of the first records has two texts and a grade, and no id of the row."""
        records = sample.records
        graded = all(grade_of(first_value(record, _LABELS)) is not None for record in records)
        named = any(first_value(record, ("_id", "id", "psg_id")) is not None for record in records)
        return super().sniff(sample) if graded and not named else None

    def _passages(self, record: Record) -> Iterator[tuple[Any, int | None]]:
        """The one passage with its grade, and with its id and title where the record has them."""
        doc_id, title = first_value(record, _PAIR_IDS), first_value(record, ("title",))
        for passage, _ in super()._passages(record):
            whole = {"docid": doc_id, "title": title, "text": passage}
            grade = grade_of(first_value(record, _LABELS))
            yield (passage if doc_id is None and title is None else whole), grade


class EvaluationTableReader(QueryPassagesReader):
    """Tables that evaluate answers (RAGAS): a question, the contexts, and those it should have."""

    name = "rag-evaluation"
    label = "questions with contexts"
    query = ("user_input", "question", "query", "input")
    positives = ("reference_contexts", "ground_truth_contexts")
    ungraded = ("retrieved_contexts", "contexts", "retrieval_context")
    key = (*positives, *ungraded)


def _shared_query_id(hits: Any) -> str | None:
    """The query id that all hits of a query repeat, as rank_llm's older files do."""
    ids = {hit.get("qid") for hit in hits if isinstance(hit, dict)} if _are_hits(hits) else set()
    return id_text(ids.pop()) if len(ids) == 1 else None


def _are_hits(value: Any) -> bool:
    return isinstance(value, list) and not any(
        isinstance(hit, dict) and isinstance(hit.get("qid"), dict | list) for hit in value
    )


def _passage(value: Any, ids: dict[bytes, str]) -> tuple[Record, bool] | None:
    """The document row of a passage and whether it is a new one; None without a text.

    `ids` of the passages so far are held by digests of what makes passages equal, not by texts.
    """
    inner = value.get("doc") if isinstance(value, dict) else None
    body = inner if isinstance(inner, dict | str) else value
    if isinstance(body, str):
        text, title = body, ""
    else:
        text, title = _text(body, _PASSAGE_TEXT), _text(body, ("title",))
    if not text and not title:
        return None
    named = id_text(first_value(value, _PASSAGE_ID)) if isinstance(value, dict) else None
    key = _digest("id", named) if named else _digest(title, text)
    new = key not in ids
    doc_id = ids.setdefault(key, named or f"p{len(ids) + 1}")
    return {"id": doc_id, "title": title, "text": text}, new


def _digest(first: str, second: str) -> bytes:
    data = json.dumps((first, second)).encode()
    return hashlib.blake2b(data, digest_size=16).digest()


def _titled(value: Any) -> Iterator[tuple[str, Any]]:
    """Titles with what belongs to each, from a list of pairs or from two columns."""
    if isinstance(value, dict):
        columns = [column for column in value.values() if isinstance(column, list)]
        pairs = list(zip(value.get("title") or (), columns[-1] if columns else (), strict=False))
    else:
        pairs = [tuple(one) for one in value or () if isinstance(one, list) and len(one) == 2]
    yield from ((title, rest) for title, rest in pairs if isinstance(title, str))


def _list(value: Any) -> Any:
    """The list that a cell holds as text; any other value as it is.

    A cell that begins like a list of strings and cannot be read as one has no passages.
    """
    if not isinstance(value, str):
        return value
    items = written_list(value)
    if items is None and value.startswith(("['", '["', "[ '")) and value.endswith("]"):
        return []
    return value if items is None else items


def _text(value: Any, names: Sequence[str]) -> str:
    text = first_value(value, names) if isinstance(value, dict) else None
    return text if isinstance(text, str) else ""
