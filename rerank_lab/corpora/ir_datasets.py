"""Corpora of the ir_datasets catalogue, by id; the package is optional and loaded on use."""

from __future__ import annotations

from typing import Any

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, LabError, MissingExtra
from rerank_lab.core.problems import ProblemLog
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.bundle import Bundle
from rerank_lab.corpora.source import clean_text

PREFIX = "ir_datasets:"
_TEXT_FIELDS = ("text", "body", "abstract", "contents")


def load_ir_dataset(dataset_id: str, log: ProblemLog, ctx: Context | None = None) -> Bundle:
    """Documents, queries and judgments of one dataset, as far as it has them.

    ir_datasets downloads what it lacks. Raises MissingExtra without the package, InvalidInput for
    an unknown id or a dataset without documents.
    """
    try:
        import ir_datasets
    except ImportError:
        raise MissingExtra.of("Loading ir_datasets collections", "ir-datasets") from None
    try:
        dataset = ir_datasets.load(dataset_id)
        if not dataset.has_docs():
            raise InvalidInput(
                f"The ir_datasets collection {dataset_id!r} has no documents.",
                hint="Choose one with documents; https://ir-datasets.com lists them.",
            )
        return _read(dataset, log, ctx or Context())
    except LabError:
        raise
    except KeyError:
        raise InvalidInput(
            f"ir_datasets knows no collection {dataset_id!r}.",
            hint="Ids look like beir/scifact/test; https://ir-datasets.com lists them.",
        ) from None
    except Exception as error:  # its loaders raise whatever the network or a parser raises
        raise InvalidInput(
            f"The ir_datasets collection {dataset_id!r} cannot be loaded: {error}",
            hint="It may need the network, or files that its own page names.",
        ) from error


def _read(dataset: Any, log: ProblemLog, ctx: Context) -> Bundle:
    bundle = Bundle(format="ir_datasets")
    documents: dict[str, Document] = {}
    for number, doc in enumerate(dataset.docs_iter(), 1):
        if number % 1000 == 0:
            ctx.checkpoint()
            ctx.report("Reading documents", number, dataset.docs_count() or 0)
        if doc.doc_id in documents:
            log.note(f"Document {doc.doc_id!r} is given twice; the first is kept.")
            continue
        documents[doc.doc_id] = _document(doc)
    bundle.documents = list(documents.values())
    if dataset.has_queries():
        bundle.queries = [Query(q.query_id, _query_text(q)) for q in dataset.queries_iter()]
    if dataset.has_qrels():
        for row in dataset.qrels_iter():
            bundle.qrels.setdefault(row.query_id, {})[row.doc_id] = int(row.relevance)
    return bundle


def _document(doc: Any) -> Document:
    values = doc._asdict()
    title = values.get("title")
    text = next((values[name] for name in _TEXT_FIELDS if values.get(name)), None)
    if text is None:
        text, title = doc.default_text(), ""
    known = ("doc_id", "title", *_TEXT_FIELDS)
    meta = {k: v for k, v in values.items() if k not in known and isinstance(v, str | int | float)}
    return Document(str(doc.doc_id), clean_text(str(text)), clean_text(str(title or "")), meta)


def _query_text(query: Any) -> str:
    return clean_text(str(query.default_text()))
