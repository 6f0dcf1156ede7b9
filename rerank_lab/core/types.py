"""The values that everything else passes around: frozen, slotted, with string ids.

A ranking is built in two ways only, `Ranking.from_scores` and `Ranking.from_order`, so that ranks,
ties and the meaning of scores are decided in one place.
"""

from __future__ import annotations

import hashlib
import math
import operator
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import FrozenInstanceError, dataclass, field, fields
from enum import StrEnum
from typing import Any

import msgspec

from rerank_lab.core.errors import ContractViolation
from rerank_lab.core.html_text import html_table

_SURROGATE = re.compile("[\ud800-\udfff]")
Meta = Mapping[str, Any]
Qrels = Mapping[str, Mapping[str, int]]
"""Relevance judgments: query id -> document id -> grade. Unjudged is absent, never 0."""
Span = tuple[int, int]
"""A stretch of a text, [start, end) in characters."""
Spans = tuple[Span, ...]
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


class Ranking:
    """Documents in order for one query. A value: it cannot be changed.

    Ids are unique and ranks run 1..n. Scores are finite and non-increasing over a prefix and None
    below it: all scored (a retriever), none scored (an order-only model), or a reranked head over
    the untouched rest.

    Attributes:
        query_id: of the query.
        doc_ids: the documents, best first.
        scores: of the documents, in their order.
        scale: what the scores are: bm25, cosine, maxsim, logit, probability, rrf, ... or "order"
            when there are none.
    """

    # Columns in place of a Hit for each document: an experiment holds a million places.
    __slots__ = ("_hits", "doc_ids", "query_id", "scale", "scores")
    query_id: str
    doc_ids: tuple[str, ...]
    scores: tuple[float | None, ...]
    scale: str
    _hits: tuple[Hit, ...] | None

    def __init__(self, query_id: str, hits: Sequence[Hit], scale: str) -> None:
        for position, hit in enumerate(hits, 1):
            if hit.rank != position:
                raise _broken(f"rank {hit.rank} of {hit.doc_id!r} at position {position}")
        doc_ids = tuple([hit.doc_id for hit in hits])
        self._set(query_id, doc_ids, tuple([hit.score for hit in hits]), scale)

    @classmethod
    def from_columns(
        cls, query_id: str, doc_ids: Sequence[str], scores: Sequence[float | None], scale: str
    ) -> Ranking:
        """The documents and their scores as they stand, best first; equally many of both.

        Raises:
            ContractViolation: an id is there twice, or scores are not as a ranking's must be.
        """
        ranking = cls.__new__(cls)
        ranking._set(query_id, tuple(doc_ids), tuple(scores), scale)
        return ranking

    def _set(
        self,
        query_id: str,
        doc_ids: tuple[str, ...],
        scores: tuple[float | None, ...],
        scale: str,
    ) -> None:
        _check_places(doc_ids, scores)
        set_field = object.__setattr__
        set_field(self, "query_id", query_id)
        set_field(self, "doc_ids", doc_ids)
        set_field(self, "scores", scores)
        set_field(self, "scale", scale)
        set_field(self, "_hits", None)

    def __setattr__(self, name: str, value: object) -> None:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        return Ranking.from_columns, self._values

    def __eq__(self, other: object) -> bool:
        return self._values == other._values if isinstance(other, Ranking) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._values)

    @property
    def _values(self) -> tuple[str, tuple[str, ...], tuple[float | None, ...], str]:
        return self.query_id, self.doc_ids, self.scores, self.scale

    @property
    def hits(self) -> tuple[Hit, ...]:
        """The documents with ranks and scores, best first."""
        if self._hits is None:
            hits = tuple(map(Hit, self.doc_ids, range(1, len(self.doc_ids) + 1), self.scores))
            object.__setattr__(self, "_hits", hits)
            return hits
        return self._hits

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
        return cls.from_columns(query_id, ordered, [float(scores[d]) for d in ordered], scale)

    @classmethod
    def from_order(cls, query_id: str, doc_ids: Sequence[str]) -> Ranking:
        """An order without scores, as listwise models give it."""
        return cls.from_columns(query_id, doc_ids, [None] * len(doc_ids), "order")

    def rescaled(self, scale: str) -> Ranking:
        """This ranking with another name for what its scores are."""
        return Ranking.from_columns(self.query_id, self.doc_ids, self.scores, scale)

    def among(self, doc_ids: Collection[str]) -> Ranking:
        """The part of this ranking that `doc_ids` names, ranks counted anew."""
        members = set(doc_ids)
        places = [place for place, doc_id in enumerate(self.doc_ids) if doc_id in members]
        doc_ids = [self.doc_ids[place] for place in places]
        scores = [self.scores[place] for place in places]
        return Ranking.from_columns(self.query_id, doc_ids, scores, self.scale)

    def without(self, doc_ids: Collection[str]) -> Ranking:
        """This ranking but for the documents that `doc_ids` names, ranks counted anew."""
        return self.among([doc_id for doc_id in self.doc_ids if doc_id not in doc_ids])

    def followed_by(self, doc_ids: Sequence[str]) -> Ranking:
        """This ranking with `doc_ids` below it, unscored, in the order given."""
        every, scores = (*self.doc_ids, *doc_ids), (*self.scores, *[None] * len(doc_ids))
        return Ranking.from_columns(self.query_id, every, scores, self.scale)

    def folded(self, parent_of: Mapping[str, str]) -> tuple[Ranking, dict[str, str]]:
        """Each parent document at the place of its best passage, and which passage that was.

        `parent_of` maps passage ids to document ids; ids that it lacks stand for themselves.
        """
        best: dict[str, str] = {}
        scores: list[float | None] = []
        for doc_id, score in zip(self.doc_ids, self.scores, strict=True):
            parent = parent_of.get(doc_id, doc_id)
            if parent not in best:
                best[parent] = doc_id
                scores.append(score)
        return Ranking.from_columns(self.query_id, tuple(best), scores, self.scale), best

    @property
    def ranks(self) -> dict[str, int]:
        """The rank of each document."""
        return dict(zip(self.doc_ids, range(1, len(self.doc_ids) + 1), strict=True))

    def top(self, n: int) -> Ranking:
        """The first `n` documents; with a negative `n`, all but the last -n."""
        if n >= len(self.doc_ids):
            return self
        return Ranking.from_columns(self.query_id, self.doc_ids[:n], self.scores[:n], self.scale)

    def to_frame(self) -> Any:
        """A pandas frame with a row a document: rank, doc_id, score (NaN where there is none)."""
        import pandas as pd

        scores = [math.nan if score is None else score for score in self.scores]
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
        return len(self.doc_ids)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)


@dataclass(frozen=True, slots=True, weakref_slot=True)
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

    `tokenise_s` is a part of `compute_s`, never added to it: local models turning text into tokens.

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
    tokenise_s: float = 0.0
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
        own, added = _trace_values(self), _trace_values(other)
        if added == _NO_TRACE_VALUES:
            return self
        if own == _NO_TRACE_VALUES:
            return other
        merged: dict[str, Any] = {}
        for name, mine, theirs, nothing in zip(
            _TRACE_FIELDS, own, added, _NO_TRACE_VALUES, strict=True
        ):
            if mine == theirs == nothing:
                continue
            if name == "counts":
                names = dict.fromkeys((*mine, *theirs))
                merged[name] = {key: mine.get(key, 0) + theirs.get(key, 0) for key in names}
            elif name == "relevant_spans":
                merged[name] = {**mine, **theirs}
            elif name == "warnings":
                merged[name] = mine + tuple(w for w in theirs if w not in mine)
            elif isinstance(mine, str):
                merged[name] = mine if theirs in ("", mine) else f"{mine}, {theirs}".strip(", ")
            else:
                merged[name] = mine + theirs
        return Trace(**merged)

    def to_json(self) -> dict[str, Any]:
        """The fields by name, as they are written to files; relevant spans where there are some.

        `msgspec.convert(values, Trace)` reads them back.
        """
        values: dict[str, Any] = msgspec.to_builtins(self)
        if not self.relevant_spans:
            del values["relevant_spans"]
        return values


_TRACE_FIELDS = tuple(one.name for one in fields(Trace))
_trace_values = operator.attrgetter(*_TRACE_FIELDS)
_NO_TRACE_VALUES: tuple[Any, ...] = _trace_values(Trace())


def well_formed(text: str) -> str:
    """`text` with paired surrogates joined and each lone one replaced by U+FFFD.

    Lone surrogates come from JSON escapes cut in half and from undecodable file names; no
    tokenizer, file or terminal takes them.
    """
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _check_places(doc_ids: tuple[str, ...], scores: tuple[float | None, ...]) -> None:
    """Raises ContractViolation for an id that is there twice and for scores out of order."""
    scored: Sequence[Any] = scores
    if scores and scores[-1] is None:
        scored = scores[: len(scores) - scores.count(None)]
    sound = (
        len(doc_ids) == len(scores) == len(set(doc_ids))
        and None not in scored
        and all(map(operator.ge, scored, scored[1:]))
        and (not scored or (math.isfinite(scored[0]) and math.isfinite(scored[-1])))
    )
    if not sound:
        raise _broken(_first_fault(doc_ids, scores))


def _first_fault(doc_ids: Sequence[str], scores: Sequence[float | None]) -> str:
    """What is wrong with a ranking, at its first place that is."""
    seen: set[str] = set()
    above: float | None = math.inf
    for position, (doc_id, score) in enumerate(zip(doc_ids, scores, strict=False), 1):
        if doc_id in seen:
            return f"rank {position} of {doc_id!r} at position {position}, which is there twice"
        if score is not None and not (
            above is not None and math.isfinite(score) and score <= above
        ):
            return f"score {score!r} of {doc_id!r} at rank {position}"
        above = score
        seen.add(doc_id)
    return f"{len(doc_ids)} documents with {len(scores)} scores"


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


@dataclass(frozen=True, slots=True)
class Bounded:
    """A number with its 95 % interval; None for an end that the data cannot bound."""

    value: float
    low: float | None = None
    high: float | None = None
