"""Which column of a table means what: by its name, then by what stands in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.column_names import (
    GRADES_ABROAD,
    QUERIES_ABROAD,
    QUESTIONS_ABROAD,
    without_accents,
)
from rerank_lab.corpora.mapping import Record
from rerank_lab.corpora.readers.judged.grades import grade_of

QUERY_IDS = (
    *("query_id", "qid", "topic_id", "question_id", "topic", "q_id", "queryid", "topicid"),
)
QUERY_TEXTS = (
    *("query_text", "query", "question", "keyword", "keywords", "search_term", "searchterm"),
    *("question_text", "claim", "utterance", "querytext", "search_query", "user_input"),
    *("user_query", "top_queries", "search_terms"),
    *QUERIES_ABROAD,
    *QUESTIONS_ABROAD,
)
DOCUMENTS = (
    *("docno", "doc_id", "docid", "document_id", "corpus_id", "passage_id", "pid", "doc"),
    *("document", "doc_no", "product_id", "documentid", "item_id", "id", "url"),
)
GRADES = (
    *("label", "relevance", "grade", "rating", "judgment", "judgement", "relevant", "rel"),
    *("relevance_label", "relevance_grade", "gain", "gold_label", "is_relevant", "relevancy"),
    *("esci_label", "human_label", "relevance_judgment", "relevance_judgement"),
    *GRADES_ABROAD,
)
SCORES = ("score", "scores", "value")
"""A grade where nothing else is one: BEIR calls it so, and so do runs their retrieval score."""
RANKS = ("rank", "position", "doc_position", "pos")
POSITIVES = (
    *("relevant_docs", "relevant_ids", "relevant_doc_ids", "relevant_documents", "gold_ids"),
    *("positive_ids", "positive_passage_ids", "positive_doc_ids", "expected_ids", "gold"),
    *("positive_document_ids", "reference_context_ids", "positive_docids", "relevant_docids"),
    *("relevant_context_ids", "expected_docs", "answer_pids", "positives", "doc_ids", "relevant"),
)
NEGATIVES = (
    *("negative_ids", "negative_passage_ids", "negative_doc_ids", "negative_document_ids"),
    *("hard_negative_ids", "irrelevant_ids", "irrelevant_docs", "irrelevant_doc_ids", "negatives"),
    *("non_relevant_ids", "negative_docids", "hard_negatives"),
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEPARATORS = re.compile(r"[\s\-./]+")


def column_key(name: str) -> str:
    """A column name for comparison: `Doc-ID`, `docId` and `doc id` are all `doc_id`."""
    plain = _SEPARATORS.sub("_", _CAMEL.sub("_", name.strip(" \ufeff"))).lower().strip("_?:*#")
    return without_accents(plain)


def column_named(columns: Iterable[str], names: Sequence[str]) -> str | None:
    """The column whose name comes first in `names`, in any spelling."""
    by_key = {column_key(column): column for column in reversed(list(columns))}
    return next((by_key[name] for name in names if name in by_key), None)


def chosen_columns(
    chosen: Mapping[str, str], roles: Sequence[str], columns: Sequence[str], file: str
) -> dict[str, str]:
    """The columns that the user names, by role. Raises InvalidInput for one that is not there."""
    named = {role: column for role, column in chosen.items() if role in roles}
    missing = [column for column in named.values() if column not in columns]
    if missing:
        raise InvalidInput(
            f"{file} has no column {', '.join(map(repr, missing))}.",
            hint="Its columns are: " + ", ".join(columns[:20]) + ".",
        )
    return named


def grade_column(
    columns: Sequence[str], records: Sequence[Record], file: str, log: ProblemLog
) -> str | None:
    """The column of grades; None when there is none.

    A name that means a grade goes before `score`, which is a retrieval score as often. When several
    could be it and differ, the choice is reported as a warning. Raises InvalidInput for a table of
    retrieval scores without any grade.
    """
    by_key = {column_key(column): column for column in reversed(columns)}
    meant = [by_key[name] for name in GRADES if name in by_key]
    if not meant:
        score = column_named(columns, SCORES)
        if score and column_named([c for c in columns if c != score], RANKS):
            raise InvalidInput(
                f"{file} has ranks and retrieval scores but no grades: it is a run.",
                hint="Give a file of judgments, or name the column of grades: "
                f"--columns grade={score}.",
            )
        return score
    usable = [column for column in meant if _holds_grades(column, records)] or meant
    best = usable[0]
    others = [c for c in usable[1:] if any(r.get(c) != r.get(best) for r in records)]
    if others:
        log.warning(
            f"The column {best!r} was taken for the grade; {', '.join(map(repr, others))} could be "
            "it as well.",
            f"If that is not meant, name it: --columns grade={others[0]}.",
            file=file,
            field=best,
        )
    return best


def _holds_grades(column: str, records: Sequence[Record]) -> bool:
    values: list[Any] = [record.get(column) for record in records]
    present = [value for value in values if value is not None and value != ""]
    return bool(present) and all(grade_of(value) is not None for value in present)
