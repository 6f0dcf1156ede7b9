"""A saved comparison as a value."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rerank_lab.components.registry import expand, pipeline_leaves
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.html_text import html_table
from rerank_lab.core.spec import PipelineSpec
from rerank_lab.core.types import Query, Ranking
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.pipeline.results import Result
from rerank_lab.remote.providers import providers
from rerank_lab.rerankers.llm.chat import chat_providers

FORMAT = "rerank-lab-comparison-1"
MAX_BYTES = 32 * 1024 * 1024
MAX_TITLE = 120


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

    def to_frame(self) -> Any:
        """A pandas frame of documents: a row a rank, a column a pipeline that answered."""
        import pandas as pd

        rankings = {
            column.pipeline: column.result.ranking.doc_ids
            for column in self.columns
            if column.result is not None and column.result.ranking is not None
        }
        frame = pd.DataFrame({spec: pd.Series(doc_ids) for spec, doc_ids in rankings.items()})
        frame.index = pd.RangeIndex(1, len(frame) + 1, name="rank")
        return frame

    def __repr__(self) -> str:
        header = self.header
        return (
            f"Comparison({header.title!r}, {header.corpus!r}, {len(self.columns)} pipelines for "
            f"{header.query.text!r})"
        )

    def _repr_html_(self) -> str:
        """The first documents of every pipeline side by side, for notebooks."""
        results = [column.result for column in self.columns]
        rankings = [None if result is None else result.ranking for result in results]
        rows = [
            [str(place + 1), *(_document_at(ranking, place) for ranking in rankings)]
            for place in range(self.header.show)
        ]
        headings = ["rank", *(column.pipeline for column in self.columns)]
        return html_table(headings, rows, self.header.query.text)

    def check_against(self, corpus: Corpus) -> None:
        """Raise InvalidInput when these results do not speak of this corpus."""
        header = self.header
        if corpus.content_hash != header.content_hash:
            raise InvalidInput(
                f"This comparison was made over other documents than those of {corpus.name!r} "
                f"(corpus {header.corpus!r}, {header.documents:,} documents, content "
                f"{header.content_hash[:12]}).",
                hint=f"Import the corpus {header.corpus!r} as it was then "
                "and open this comparison again; or ask these pipelines afresh.",
            )
        named = {doc_id for column in self.columns for doc_id in _named(column)}
        corpus.prefetch(named)
        unknown = {d for d in named if d not in corpus.document_ids and d not in corpus.by_id}
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


def _document_at(ranking: Ranking | None, place: int) -> str:
    return "" if ranking is None or place >= len(ranking) else ranking.doc_ids[place]


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


def known_secrets(typed: Mapping[str, str], pipelines: Sequence[PipelineSpec]) -> list[str]:
    """The keys of a session, and those of the environment that a pipeline could have used."""
    names = {provider.key for provider in providers().values()}
    names |= {known.provider.key for known in chat_providers()}
    names |= {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    for spec in pipelines:
        for node, kind in pipeline_leaves(spec):
            names.add(str(expand(node, kind)[1].get("key_variable", "")))
    values = [*typed.values(), *(os.environ.get(name, "") for name in names if name)]
    return list(dict.fromkeys(value.strip() for value in values if value.strip()))
