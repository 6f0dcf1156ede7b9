"""A saved comparison as a value, and as bytes that hold no key."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rerank_lab.components.registry import expand
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.types import Query, Ranking
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.pipeline.results import Result, StageResult
from rerank_lab.remote.providers import providers
from rerank_lab.remote.redaction import redacted
from rerank_lab.rerankers.llm.chat import chat_providers

FORMAT = "rerank-lab-comparison-1"
MAX_BYTES = 32 * 1024 * 1024
MAX_TITLE = 120
_SHORTEST_KEY = 8
"""Shorter values are no keys; taking them out would garble the words they are a part of."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the list shows. `created_at` is ISO 8601 in UTC; `answers` counts recorded ones."""

    title: str
    created_at: str
    corpus: str
    content_hash: str
    documents: int
    query: Query
    depth: int
    show: int
    pipelines: tuple[str, ...]
    answers: int = 0
    versions: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class SavedColumn:
    """What one pipeline came to: a result, or an error that came before any."""

    pipeline: str
    result: Result | None = None
    error: LabError | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison as it was. `recording` holds the lines of one, () when nothing was asked."""

    header: Header
    columns: tuple[SavedColumn, ...]
    recording: tuple[str, ...] = ()

    def check_against(self, corpus: Corpus) -> None:
        """Raise InvalidInput when these results do not speak of this corpus."""
        header = self.header
        if corpus.content_hash != header.content_hash:
            raise InvalidInput(
                f"This comparison was made over other documents than those of {corpus.name!r} "
                f"(corpus {header.corpus!r}, {header.documents:,} documents, content "
                f"{header.content_hash[:12]}).",
                hint=f"Import the corpus {header.corpus!r} as it was then, on the Corpora page, "
                "and open this comparison again; or ask these pipelines afresh.",
            )
        known = corpus.document_ids | corpus.by_id.keys()
        unknown = {doc_id for column in self.columns for doc_id in _named(column)} - known
        if unknown:
            raise InvalidInput(
                f"This comparison names documents that the corpus lacks, {sorted(unknown)[0]!r} "
                "among them: its file is damaged.",
                hint="Ask these pipelines afresh.",
            )


def default_title(query: str) -> str:
    """The query, cut at a word to what a title may hold."""
    flat = " ".join(query.split())
    if len(flat) <= MAX_TITLE:
        return flat or "Comparison"
    return flat[: MAX_TITLE - 1].rsplit(" ", 1)[0] + "…"


def _named(column: SavedColumn) -> Iterator[str]:
    """Every document and passage id that a column speaks of."""
    result = column.result
    if result is None:
        return
    yield from result.ranking.doc_ids if result.ranking else ()
    yield from result.passages
    yield from result.passages.values()
    stages = list(result.stages)
    while stages:
        stage = stages.pop()
        stages += stage.parts
        yield from stage.ranking.doc_ids if stage.ranking else ()


def to_bytes(comparison: Comparison, secrets: Sequence[str] = ()) -> bytes:
    """The file. `secrets` are taken out of every text, should one have got there.

    Raises InvalidInput when it would be larger than MAX_BYTES; the recording is left out first.
    """
    keys = [secret for secret in secrets if len(secret) >= _SHORTEST_KEY]
    columns = [_line(_column(column), keys) for column in comparison.columns]
    recording = [_line(json.loads(line), keys) for line in comparison.recording]
    for kept in (recording, []):
        header = _header(comparison.header) | {"answers": max(0, len(kept) - 1)}
        data = "\n".join([_line(header, keys), *columns, *kept, ""]).encode()
        if len(data) <= MAX_BYTES:
            return data
    raise InvalidInput(
        f"This comparison is larger than {MAX_BYTES // 2**20} MB.",
        hint="Save fewer pipelines, or a smaller depth.",
    )


def known_secrets(typed: Mapping[str, str], pipelines: Sequence[str]) -> list[str]:
    """The keys of a session, and those of the environment that a pipeline could have used."""
    names = {provider.key for provider in providers().values()}
    names |= {known.provider.key for known in chat_providers()}
    names |= {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    for spec in pipelines:
        for node, kind in Pipeline(spec).leaves:
            names.add(str(expand(node, kind)[1].get("key_variable", "")))
    found = [*typed.values(), *(os.environ.get(name, "") for name in names if name)]
    return list(dict.fromkeys(value.strip() for value in found if value.strip()))


def _line(value: Any, keys: Sequence[str]) -> str:
    return json.dumps(_without(value, keys) if keys else value, allow_nan=False)


def _without(value: Any, keys: Sequence[str]) -> Any:
    if isinstance(value, str):
        return redacted(value, keys)
    if isinstance(value, Mapping):
        return {name: _without(inner, keys) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without(inner, keys) for inner in value]
    return value


def _header(header: Header) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "title": header.title,
        "created_at": header.created_at,
        "corpus": {
            "name": header.corpus,
            "content_hash": header.content_hash,
            "documents": header.documents,
        },
        "query": {"id": header.query.id, "text": header.query.text},
        "depth": header.depth,
        "show": header.show,
        "pipelines": list(header.pipelines),
        "versions": dict(header.versions or {}),
    }


def _column(column: SavedColumn) -> dict[str, Any]:
    shown: dict[str, Any] = {"pipeline": column.pipeline}
    if column.error is not None:
        shown["error"] = column.error.to_json()
    result = column.result
    if result is not None:
        shown["result"] = {
            "spec": result.spec,
            "stages": [_stage(stage) for stage in result.stages],
            "ranking": _ranking(result.ranking),
            "passages": dict(result.passages),
        }
    return shown


def _stage(stage: StageResult) -> dict[str, Any]:
    return {
        "node": str(stage.node),
        "status": stage.status.value,
        "trace": stage.trace.to_json(),
        "ranking": _ranking(stage.ranking),
        "error": stage.error.to_json() if stage.error else None,
        "reused": stage.reused,
        "parts": [_stage(part) for part in stage.parts],
    }


def _ranking(ranking: Ranking | None) -> dict[str, Any] | None:
    if ranking is None:
        return None
    return {"scale": ranking.scale, "hits": [[hit.doc_id, hit.score] for hit in ranking]}
