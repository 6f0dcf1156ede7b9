"""What search engines give out or take in: elasticdump, `_bulk` requests, search responses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import Record, Row
from rerank_lab.corpora.readers.base import Match, Reader, ReadOptions, Sample, first_value
from rerank_lab.corpora.readers.json_array import read_json
from rerank_lab.corpora.readers.registry import table_rows
from rerank_lab.corpora.source import Source

_ACTIONS = ("index", "create", "update", "delete")
_TYPESENSE = re.compile(rb'"hits"\s*:\s*\[\s*\{\s*"document"\s*:\s*\{')
_RESPONSE = re.compile(rb'"(hits|response)"\s*:\s*\{')


class ElasticDumpReader(Reader):
    """A hit a line, its fields under `_source` (elasticdump)."""

    name = "elasticdump"
    label = "Elasticsearch dump"

    def sniff(self, sample: Sample) -> Match | None:
        """The first records have `_id` and `_source`."""
        hits = [isinstance(r.get("_source"), dict) and "_id" in r for r in sample.records]
        return Match(0.95, "its records have _id and _source") if hits and all(hits) else None

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """The fields of `_source` with the `_id`."""
        for line, record in table_rows(source, options, log):
            yield line, opened_hit(record)


class BulkRequestReader(Reader):
    """An action line, then the document (`_bulk` of Elasticsearch and OpenSearch)."""

    name = "bulk"
    label = "bulk request of a search engine"

    def sniff(self, sample: Sample) -> Match | None:
        """The first record is an action that names a document."""
        action = _action(sample.records[0]) if sample.records else None
        return Match(0.95, f"it begins with a line for the action {action}") if action else None

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """The documents with the ids of their action lines; deletions are counted only."""
        action, target, number, unnamed = "", {}, 0, 0
        for line, record in table_rows(source, options, log):
            if (named := _action(record)) and not action:
                log.tally(source.name, "action lines")
                action, target = ("", {}) if named == "delete" else (named, record[named])
            elif action:
                partial = record.get("doc") if action == "update" else None
                fields = partial if isinstance(partial, dict) else record
                number += 1
                doc_id = first_value(target | {"own": fields.get("_id")}, ("_id", "own"))
                unnamed += doc_id is None
                yield line, fields | {"_id": f"d{number}" if doc_id is None else doc_id}
                action = ""
            else:
                log.error(
                    "A document without an action line before it; it was left out.",
                    'Write {"index": {"_id": "..."}} before every document.',
                    file=source.name,
                    line=line,
                )
        if unnamed:
            log.note(
                f"{unnamed:,} action lines name no _id, as the engine would make one; their "
                "documents are called d and their number.",
                file=source.name,
            )


class SearchResponseReader(Reader):
    """The JSON that a search engine answers with (Elasticsearch, OpenSearch, Solr, Typesense)."""

    name = "search-response"
    label = "response of a search engine"

    def sniff(self, sample: Sample) -> Match | None:
        """One object with `hits` that have `_source`, or with `response` that has `docs`."""
        if sample.suffix not in (".json", "") or not sample.start.startswith(b"{"):
            return None
        if _TYPESENSE.search(sample.head):
            return Match(0.85, "it holds hits with documents")
        response = _RESPONSE.search(sample.head)
        telling = b'"_source"' in sample.head or b'"docs"' in sample.head
        one_value = len(sample.head.split(b"\n{", 2)) == 1
        if response and telling and one_value:
            return Match(0.85, f"it holds {response[1].decode()} of a search")
        return None

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """The fields of every hit with its id."""
        value = read_json(source, options, log)
        hits = _hits(value)
        if hits is None:
            raise InvalidInput(
                f"{source.name} holds no list of hits.",
                hint="Give the whole response, with hits.hits or response.docs.",
            )
        for number, hit in enumerate(hits, 1):
            if isinstance(hit, dict):
                yield number, opened_hit(hit)


def opened_hit(hit: Record) -> Record:
    """The fields of a hit beside its id, without what the engine adds."""
    if isinstance(document := hit.get("document"), dict):
        return document
    fields = hit.get("_source")
    return {"_id": hit.get("_id")} | fields if isinstance(fields, dict) else hit


def _action(record: Record) -> str:
    names = [name for name in _ACTIONS if isinstance(record.get(name), dict)]
    return names[0] if len(record) == 1 and names else ""


def _hits(value: Any) -> list[Any] | None:
    if isinstance(value, dict) and isinstance(value.get("hits"), list):
        return list(value["hits"])
    for outer, inner in (("hits", "hits"), ("response", "docs")):
        block = value.get(outer) if isinstance(value, dict) else None
        hits = block.get(inner) if isinstance(block, dict) else None
        if isinstance(hits, list):
            return hits
    return None
