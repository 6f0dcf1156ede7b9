"""The values that everything else passes around: frozen, slotted, with string ids.

A ranking is built in two ways only, `Ranking.from_scores` and `Ranking.from_order`, so that ranks,
ties and the meaning of scores are decided in one place.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

import msgspec

from rerank_lab.core.errors import ContractViolation
from rerank_lab.core.html_text import html_table

_SURROGATE = re.compile("[\ud800-\udfff]")
Meta = Mapping[str, Any]
Qrels = Mapping[str, Mapping[str, int]]
"""Relevance judgments: query id -> document id -> grade. Unjudged is absent, never 0."""
Spans = tuple[tuple[int, int], ...]
"""Stretches of a text in its order, each as [start, end) in characters."""
_SHOWN = 5
"""So many documents of a ranking are printed."""


@dataclass(frozen=True, slots=True)
class Document:
    """One retrievable unit. A passage cut from a longer document names it in `parent`."""

    id: str
    text: str
    title: str = ""
    meta: Meta = field(default_factory=dict, hash=False)
    parent: str = ""

    def __post_init__(self) -> None:
        _clean(self, "text", "title")

    @property
    def content(self) -> str:
        """What indexes and models read: the one place where title and text are joined."""
        return f"{self.title} {self.text}" if self.title else self.text

    @property
    def content_hash(self) -> str:
        """SHA-256 of `content`, as 64 hexadecimal digits."""
        return hashlib.sha256(self.content.encode()).hexdigest()

    @property
    def blank(self) -> bool:
        """True when there is nothing to read: white space and invisible characters at most."""
        return not any(c.isprintable() and not c.isspace() for c in self.content)

    @property
    def document_id(self) -> str:
        """The id that judgments speak of: the parent's for a passage, else its own."""
        return self.parent or self.id


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked. No pipeline ever ranks the documents whose ids are in `excluded`."""

    id: str
    text: str
    meta: Meta = field(default_factory=dict, hash=False)
    excluded: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        _clean(self, "text")

    @classmethod
    def of(cls, text: str) -> Query:
        """A query typed by hand; the same text always gets the same id."""
        text = well_formed(text)
        return cls("q-" + hashlib.sha256(text.encode()).hexdigest()[:12], text)


@dataclass(frozen=True, slots=True)
class Hit:
    """One document of a ranking. `rank` counts from 1; `score` is None where there is none."""

    doc_id: str
    rank: int
    score: float | None


@dataclass(frozen=True, slots=True)
class Ranking:
    """Documents in order for one query.

    Ids are unique and ranks run 1..n. Scores are finite and non-increasing over a prefix and None
    below it: all scored (a retriever), none scored (an order-only model), or a reranked head over
    the untouched rest. `scale` names what the scores are: bm25, cosine, maxsim, logit,
    probability, rrf, ... or "order" when there are none.
    """

    query_id: str
    hits: tuple[Hit, ...]
    scale: str

    def __post_init__(self) -> None:
        ids: set[str] = set()
        previous: float | None = math.inf
        for position, hit in enumerate(self.hits, 1):
            if hit.rank != position or hit.doc_id in ids:
                raise _broken(f"rank {hit.rank} of {hit.doc_id!r} at position {position}")
            if hit.score is not None and not (
                previous is not None and math.isfinite(hit.score) and hit.score <= previous
            ):
                raise _broken(f"score {hit.score!r} of {hit.doc_id!r} at rank {hit.rank}")
            previous = hit.score
            ids.add(hit.doc_id)

    @classmethod
    def from_scores(
        cls,
        query_id: str,
        scores: Mapping[str, float],
        scale: str,
        previous: Sequence[str] = (),
        limit: int | None = None,
    ) -> Ranking:
        """Order by score (descending), then previous rank when given, then id (ascending).

        Raises ContractViolation for a NaN or infinite score: such a score has no place in an order.
        """
        bad = [doc_id for doc_id, score in scores.items() if not math.isfinite(score)]
        if bad:
            raise _broken(f"{len(bad)} scores are not finite, the first for {bad[0]!r}")
        place = {doc_id: index for index, doc_id in enumerate(previous)}
        last = len(place)
        ordered = sorted(scores, key=lambda d: (-scores[d], place.get(d, last), d))[:limit]
        hits = tuple(Hit(d, rank, float(scores[d])) for rank, d in enumerate(ordered, 1))
        return cls(query_id, hits, scale)

    @classmethod
    def from_order(cls, query_id: str, doc_ids: Sequence[str]) -> Ranking:
        """An order without scores, as listwise models give it."""
        return cls(query_id, tuple(Hit(d, r, None) for r, d in enumerate(doc_ids, 1)), "order")

    def among(self, doc_ids: Collection[str]) -> Ranking:
        """The part of this ranking that `doc_ids` names, ranks counted anew."""
        members = set(doc_ids)
        rest = [hit for hit in self.hits if hit.doc_id in members]
        hits = tuple(Hit(hit.doc_id, rank, hit.score) for rank, hit in enumerate(rest, 1))
        return Ranking(self.query_id, hits, self.scale)

    def without(self, doc_ids: Collection[str]) -> Ranking:
        """This ranking but for the documents that `doc_ids` names, ranks counted anew."""
        return self.among([hit.doc_id for hit in self.hits if hit.doc_id not in doc_ids])

    def followed_by(self, doc_ids: Sequence[str]) -> Ranking:
        """This ranking with `doc_ids` below it, unscored, in the order given."""
        start = len(self.hits) + 1
        tail = tuple(Hit(d, rank, None) for rank, d in enumerate(doc_ids, start))
        return Ranking(self.query_id, self.hits + tail, self.scale)

    def folded(self, parent_of: Mapping[str, str]) -> tuple[Ranking, dict[str, str]]:
        """Each parent document at the place of its best passage, and which passage that was.

        `parent_of` maps passage ids to document ids; ids that it lacks stand for themselves.
        """
        best: dict[str, str] = {}
        hits: list[Hit] = []
        for hit in self.hits:
            parent = parent_of.get(hit.doc_id, hit.doc_id)
            if parent not in best:
                best[parent] = hit.doc_id
                hits.append(Hit(parent, len(hits) + 1, hit.score))
        return Ranking(self.query_id, tuple(hits), self.scale), best

    @property
    def doc_ids(self) -> tuple[str, ...]:
        """The documents, best first."""
        return tuple(hit.doc_id for hit in self.hits)

    @property
    def ranks(self) -> dict[str, int]:
        """The rank of each document."""
        return {hit.doc_id: hit.rank for hit in self.hits}

    def top(self, n: int) -> Ranking:
        """The first `n` documents."""
        return self if n >= len(self.hits) else Ranking(self.query_id, self.hits[:n], self.scale)

    def to_frame(self) -> Any:
        """A pandas frame with a row a document: rank, doc_id, score (NaN where there is none)."""
        import pandas as pd

        scores = [math.nan if hit.score is None else hit.score for hit in self.hits]
        columns = {"rank": range(1, len(self) + 1), "doc_id": self.doc_ids, "score": scores}
        return pd.DataFrame(columns)

    def __repr__(self) -> str:
        first = ", ".join(self.doc_ids[:_SHOWN])
        more = ", ..." if len(self) > _SHOWN else ""
        return f"Ranking({self.query_id!r}, {len(self)} documents by {self.scale}: {first}{more})"

    def _repr_html_(self) -> str:
        """The first documents as a table, for notebooks."""
        rows = [
            [hit.doc_id, str(hit.rank), "–" if hit.score is None else f"{hit.score:.4g}"]
            for hit in self.hits[: 2 * _SHOWN]
        ]
        caption = f"{self.query_id}: {len(self)} documents"
        return html_table(["document", "rank", self.scale], rows, caption)

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)


@dataclass(frozen=True, slots=True)
class Run:
    """The rankings of one pipeline for many queries, by query id."""

    name: str
    spec: str
    rankings: Mapping[str, Ranking]


class Status(StrEnum):
    """What became of one (query, stage) cell. Only the first five carry a ranking."""

    OK = "ok"
    CACHED = "cached"
    TRUNCATED = "truncated"
    REPAIRED = "repaired"
    FALLBACK = "fallback"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def answered(self) -> bool:
        """True when the model itself produced the order (a fallback is not an answer)."""
        return self in (Status.OK, Status.CACHED, Status.TRUNCATED, Status.REPAIRED)


@dataclass(frozen=True, slots=True)
class Trace:
    """What one stage did, in seconds and counts. Adds with `+`; holds no secret or text.

    `load_s` is bringing a model or a finished index into memory, `build_s` making an index over
    the corpus, its embeddings included.

    `cost` is in the currency `cost_unit`; `units` counts what a provider bills, such as search
    units. `server_s` is what a server says it spent: a part of `network_s`, never added to it.
    `counts` holds what only some families count, such as the kinds of faults in LLM answers.
    `relevant_spans` are the parts of a document's content that a provider calls relevant, by
    document id, as [start, end) in characters.
    """

    load_s: float = 0.0
    build_s: float = 0.0
    queue_s: float = 0.0
    compute_s: float = 0.0
    network_s: float = 0.0
    calls: int = 0
    documents: int = 0
    cache_hits: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    truncated: int = 0
    repairs: int = 0
    retries: int = 0
    cost: float = 0.0
    cost_unit: str = ""
    units: float = 0.0
    unit: str = ""
    server_s: float = 0.0
    model_asked: str = ""
    model_served: str = ""
    backend: str = ""
    warnings: tuple[str, ...] = ()
    counts: Mapping[str, float] = field(default_factory=dict, hash=False)
    relevant_spans: Mapping[str, Spans] = field(default_factory=dict, hash=False)

    @property
    def total_s(self) -> float:
        """All seconds: loading, building, waiting, computing and network."""
        return self.load_s + self.build_s + self.queue_s + self.compute_s + self.network_s

    @property
    def warm_s(self) -> float:
        """Seconds without loading and building: what a second call of the same kind would take."""
        return self.total_s - self.load_s - self.build_s

    def __add__(self, other: Trace) -> Trace:
        merged: dict[str, Any] = {}
        for item in fields(self):
            mine, theirs = getattr(self, item.name), getattr(other, item.name)
            if isinstance(mine, str):
                merged[item.name] = (
                    mine if theirs in ("", mine) else f"{mine}, {theirs}".strip(", ")
                )
            elif item.name == "warnings":
                merged[item.name] = mine + tuple(w for w in theirs if w not in mine)
            elif item.name == "counts":
                names = dict.fromkeys((*mine, *theirs))
                merged[item.name] = {k: mine.get(k, 0) + theirs.get(k, 0) for k in names}
            elif item.name == "relevant_spans":
                merged[item.name] = {**mine, **theirs}
            else:
                merged[item.name] = mine + theirs
        return Trace(**merged)

    def to_json(self) -> dict[str, Any]:
        """The fields by name, as they are written to files; relevant spans where there are some.

        `msgspec.convert(values, Trace)` reads them back.
        """
        values: dict[str, Any] = msgspec.to_builtins(self)
        if not self.relevant_spans:
            del values["relevant_spans"]
        return values


def well_formed(text: str) -> str:
    """`text` with paired surrogates joined and each lone one replaced by U+FFFD.

    Lone surrogates come from JSON escapes cut in half and from undecodable file names; no
    tokenizer, file or terminal takes them.
    """
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _clean(value: Document | Query, *names: str) -> None:
    for name in names:
        text = getattr(value, name)
        if isinstance(text, str) and (clean := well_formed(text)) is not text:
            object.__setattr__(value, name, clean)


def _broken(what: str) -> ContractViolation:
    return ContractViolation(
        f"This is not a valid ranking: {what}.",
        hint="The component that produced it has a defect; try another and report this one.",
    )
