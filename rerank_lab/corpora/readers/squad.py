"""SQuAD and its relatives: articles with paragraphs, and the questions that each answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import ColumnMapping, id_text
from rerank_lab.corpora.readers.base import (
    Entry,
    JudgmentRow,
    Match,
    QueryRow,
    Reader,
    ReadOptions,
    Sample,
)
from rerank_lab.corpora.readers.json_array import read_json
from rerank_lab.corpora.source import Source

_START = re.compile(rb'\{.{0,400}?"paragraphs"\s*:\s*\[', re.DOTALL)


class SQuADReader(Reader):
    """`{"data": [{"title": ..., "paragraphs": [{"context": ..., "qas": [...]}]}]}`.

    A paragraph is a document, p1, p2, ...; it is relevant for its own questions, unless they are
    marked as impossible to answer.
    """

    name = "squad"
    label = "SQuAD questions and paragraphs"
    mapping = ColumnMapping("text", "id", "title", ())

    def sniff(self, sample: Sample) -> Match | None:
        """Paragraphs with a context, near the beginning of a JSON object."""
        near = _START.match(sample.start) and b'"context"' in sample.head
        return Match(0.9, "it has paragraphs with contexts") if near else None

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Entry]:
        """Every paragraph, its questions, and a judgment for each that it answers."""
        number = 0
        for article in _items(read_json(source, options, log), "data"):
            for paragraph in _items(article, "paragraphs"):
                number += 1
                doc_id, title = f"p{number}", article.get("title")
                yield number, {"id": doc_id, "title": title, "text": paragraph.get("context")}
                for question in _items(paragraph, "qas"):
                    query_id, text = id_text(question.get("id")), question.get("question")
                    if query_id is None or not isinstance(text, str):
                        log.error(
                            "A question has no id or no text; it was left out.",
                            "Give every question an id and a text.",
                            file=source.name,
                            line=number,
                        )
                        continue
                    yield QueryRow(number, query_id, text, _answers(question))
                    if question.get("is_impossible") is not True:
                        yield JudgmentRow(number, query_id, doc_id, 1)


def _answers(question: dict[str, Any]) -> dict[str, Any]:
    """Its answers as metadata of the query, each once; {} for none."""
    texts = [answer.get("text") for answer in _items(question, "answers")]
    answers = list(dict.fromkeys(text for text in texts if isinstance(text, str) and text.strip()))
    return {"answers": answers} if answers else {}


def _items(value: Any, key: str) -> list[dict[str, Any]]:
    """The objects of a list inside an object; empty where there is none."""
    items = value.get(key) if isinstance(value, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
