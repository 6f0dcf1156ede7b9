"""What all engines share: options, bounded calls, hits into rankings, and errors without secrets.

An engine writes `place`, `_ask`, `_fetch`, `_count`, `_sample`, `request_text` and `_failure`; the
base owns the rest. See docs/add-an-engine.md.
"""

from __future__ import annotations

import math
import os
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from rerank_lab import models
from rerank_lab.components.base import Info, Param, digest
from rerank_lab.core.context import Context
from rerank_lab.core.errors import (
    BackendError,
    Cancelled,
    DeadlineExceeded,
    InvalidInput,
    LabError,
    MissingExtra,
    MissingKey,
    ModelUnavailable,
)
from rerank_lab.core.types import Document, Hit, Query, Ranking, Trace
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.corpora.live import LiveCorpus
from rerank_lab.models.token_budget import long_query_warning
from rerank_lab.remote.gather import watched
from rerank_lab.remote.redaction import redacted
from rerank_lab.remote.retries import TransportError
from rerank_lab.retrievers.base import Retriever

T = TypeVar("T")
ENGINE_SCALE = "engine score"
"""What the scores of an engine are called where only the engine knows their meaning."""
FRESH_S = 60
"""Seconds for which the hits of a query are reused, so that pipelines side by side share them."""
_COUNT_S = 5.0
"""A count may take so long at most: a corpus opens without it."""

TEMPLATE_HELP = (
    "The request as you would write it, with {query} where the words stand, {k} for the number of "
    "hits and {vector} for the query's embedding; empty for the usual one."
)
TIMEOUT = Param(
    "timeout",
    10.0,
    "Seconds that one call to the engine may take, connecting included.",
    low=0.1,
    high=600.0,
    unit="s",
    label="Timeout",
    execution=True,
)


def engine_info(name: str, summary: str, params: tuple[Param, ...]) -> Info:
    """What every engine says of itself; the extra that brings its client is called as it is."""
    return Info(
        name=name,
        kind="retriever",
        family="engine",
        summary=summary,
        scale=ENGINE_SCALE,
        extra=name,
        lane="light",
        has_index=False,
        has_model=False,
        live=True,
        params=params,
    )


def address_param(name: str, variable: str, form: str) -> Param:
    """The option that names the variable with the address, which looks like `form`."""
    return Param(
        name,
        variable,
        f"The environment variable with the address: {form}.",
        label="Address variable",
        variable=True,
    )


def tls_params() -> tuple[Param, ...]:
    """The options for certificates of the user's own; certificates are checked in any case."""
    return (
        Param(
            "ca_env",
            "",
            "The environment variable with the file of the authority that signed the engine's "
            "certificate; empty for the authorities that are trusted anyway.",
            label="Authority variable",
            variable=True,
            execution=True,
        ),
        Param(
            "cert_env",
            "",
            "The environment variable with the file of a client certificate and its key (PEM); "
            "empty for none.",
            label="Certificate variable",
            variable=True,
            execution=True,
        ),
    )


def field_params(id_default: str = "id", text_default: str = "text") -> tuple[Param, ...]:
    """The options that say which fields of the engine hold a document's id, title and text."""
    return (
        Param("id", id_default, "The field of the documents' ids.", label="Id field"),
        Param("title", "", "The field of the titles; empty for none.", label="Title field"),
        Param("text", text_default, "The field of the texts.", label="Text field"),
    )


def vector_params() -> tuple[Param, ...]:
    """The options of a search by embeddings."""
    return (
        Param("vector", "", "The field of the embeddings; empty for none.", label="Vector field"),
        Param(
            "model",
            "",
            "The model that embedded the documents: a catalogue name, a hub id or a folder.",
            label="Embedding model",
            local=True,
        ),
    )


@dataclass(frozen=True, slots=True)
class EngineQuery:
    """What an engine is asked: the words, at most `k` hits, and the words' embedding if wanted."""

    text: str
    k: int
    vector: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class EngineHit:
    """A document as the engine stores it, and its score; None where the engine gives none."""

    document: Document
    score: float | None


@dataclass(frozen=True, slots=True)
class EngineResponse:
    """Hits in the engine's order. `took_s` is the time that the engine says it needed, 0 unsaid."""

    hits: tuple[EngineHit, ...]
    took_s: float = 0.0
    warnings: tuple[str, ...] = ()


class EngineRetriever(Retriever):
    """A first stage that asks a search engine. Nothing is built; documents come with the hits."""

    title: str = ""
    """The engine's name for people, such as `PostgreSQL`."""

    @property
    @abstractmethod
    def place(self) -> str:
        """Where documents come from: address, index, fields, own template; no secrets.

        Engines of one place give the same text for an id, so that a live corpus of that place
        takes its documents from their hits.

        Raises:
            LabError: the address is not known, such as for want of an environment variable.
        """

    @abstractmethod
    def _ask(self, query: EngineQuery) -> EngineResponse:
        """One search. May raise whatever the client raises."""

    @abstractmethod
    def _fetch(self, doc_ids: Sequence[str]) -> list[Document]:
        """The documents of these ids that are there."""

    @abstractmethod
    def _count(self) -> int | None:
        """How many documents it holds."""

    @abstractmethod
    def _sample(self, size: int) -> list[Document]:
        """At most `size` documents."""

    @abstractmethod
    def request_text(self, query: EngineQuery) -> str:
        """What `_ask` would send, for people; a vector may be cut.

        Raises:
            InvalidInput: the template cannot be used.
        """

    @abstractmethod
    def template_text(self) -> str:
        """The request with its placeholders: the user's own template, or the usual one."""

    @abstractmethod
    def _failure(self, error: Exception) -> LabError:
        """What the client raised, in words: those of the engine, and what to do."""

    @property
    def _secrets(self) -> Sequence[str]:
        """Values that must never be shown."""
        return ()

    @property
    def uses_vector(self) -> bool:
        """Whether a search needs the embedding of the query."""
        return False

    def option(self, name: str) -> str:
        """An option as text, without blanks around it."""
        return str(self.options.get(name, "")).strip()

    @property
    def model(self) -> str:
        """The embedding model, "" where none is used."""
        return self.option("model") if self.uses_vector else ""

    @property
    def epoch(self) -> int:
        """Another one every minute: the engine may have changed."""
        return 1 + int(time.monotonic() // FRESH_S)

    def fingerprint(self) -> str:
        """Of the options and of the place that they mean in this environment."""
        return digest([super().fingerprint(), self.place])

    def weights_digest(self) -> str:
        """Of the embedding model. Raises ModelUnavailable when it is not here."""
        return models.model_digest(self.model, vectors=True) if self.model else ""

    def prepare(self, ctx: Context) -> None:
        """Download the embedding model when it is not here."""
        if self.model and models.availability(self.model).state == "downloadable":
            models.fetch(self.model, ctx)

    def problems(self, corpus: Corpus | None = None) -> list[LabError]:
        """A template, variable or model that cannot be used; the engine is not asked."""
        try:
            self._check_options()
            _ = self.place
            self.request_text(EngineQuery("query", 1, (0.0,) if self.uses_vector else ()))
        except LabError as error:
            return [error]
        availability = models.availability(self.model) if self.model else None
        if availability is not None and availability.state == "missing":
            return [ModelUnavailable(availability.reason, hint=availability.hint)]
        return []

    @property
    def _authority(self) -> str:
        """The file of the authority to trust, "" for the usual ones. Raises LabError."""
        return certificate_file(self.option("ca_env"), "the file of the certificate authority")

    @property
    def _certificate(self) -> str:
        """The file of the client's certificate and key, "" for none. Raises LabError."""
        return certificate_file(self.option("cert_env"), "the file of the client certificate")

    def _check_options(self) -> None:
        """Raises InvalidInput for options that do not go together."""
        _ = self._authority, self._certificate
        if self.uses_vector and not self.option("model"):
            raise InvalidInput(
                f"{self.info.name} is to search by embeddings, and no model is named.",
                hint='Name the one that embedded the documents, such as model="bge-small-en".',
            )

    def _build(self, corpus: Corpus, folder: Path | None, ctx: Context) -> None:
        ctx.report("connecting")
        ctx.checkpoint()
        self._check_options()
        self._encoder = models.open_encoder(self.model, ctx) if self.model else None
        self._corpus = corpus
        self._own = isinstance(corpus, LiveCorpus) and corpus.place == self.place

    def _search(self, query: Query, k: int, ctx: Context) -> Ranking:
        return self._traced(query, k, ctx)[0]

    def _traced(self, query: Query, k: int, ctx: Context) -> tuple[Ranking, Trace]:
        if not query.text.strip():
            return Ranking.from_scores(query.id, {}, self.scale), Trace()
        vector, trace = self._embedded(query.text, ctx)
        start = time.perf_counter()
        response = self.asked(EngineQuery(query.text, k, vector), ctx)
        trace += Trace(
            network_s=time.perf_counter() - start,
            server_s=response.took_s,
            backend=self.title,
            warnings=response.warnings,
        )
        hits, warnings = self._usable(response.hits, ctx)
        ranking, more = self._ranking(query.id, hits[:k])
        return ranking, trace + Trace(warnings=(*warnings, *more))

    def asked(self, query: EngineQuery, ctx: Context) -> EngineResponse:
        """One bounded search, as it is previewed too.

        Raises:
            LabError: in the engine's own words where it answered.
        """
        return self.bounded(lambda: self._ask(query), ctx)

    def preview(self, text: str, k: int, ctx: Context) -> EngineResponse:
        """The hits of one query, without a corpus: how a template is tried out."""
        self._check_options()
        self._encoder = models.open_encoder(self.model, ctx) if self.model else None
        return self.asked(EngineQuery(text, k, self._embedded(text, ctx)[0]), ctx)

    @property
    def scale(self) -> str:
        """What the scores of this search are."""
        return self.info.scale

    def _embedded(self, text: str, ctx: Context) -> tuple[tuple[float, ...], Trace]:
        """The query's embedding, where the search needs one, and what it took."""
        if not self.uses_vector or self._encoder is None:
            return (), Trace()
        usage = models.Usage()
        quiet = replace(ctx, progress=lambda _: None)
        vector = self._encoder.encode([text], "query", quiet, None, usage)[0]
        trace = Trace(
            load_s=usage.load_s,
            queue_s=usage.queue_s,
            tokens_in=usage.tokens,
            truncated=len(usage.truncated),
            model_asked=self.model,
            model_served=self.model,
            warnings=(
                *usage.warnings,
                *([long_query_warning(self.model)] if usage.truncated else []),
            ),
        )
        return tuple(map(float, vector)), trace

    def _usable(
        self, hits: Sequence[EngineHit], ctx: Context
    ) -> tuple[list[tuple[str, float | None]], list[str]]:
        """(document id, score) of the hits that can be ranked, and warnings about the others."""
        warnings: list[str] = []
        first: dict[str, EngineHit] = {}
        for hit in hits:
            if hit.document.id:
                first.setdefault(hit.document.id, hit)
        if len(first) < len(hits):
            warnings.append("The engine gave an id twice, or none; only the first hit counts.")
        if self._own and isinstance(self._corpus, LiveCorpus):
            changed = self._corpus.seen.remember(hit.document for hit in first.values())
            if changed:
                several = len(changed) > 1
                warnings.append(
                    f"{len(changed)} document{'s' if several else ''} "
                    f"{'have' if several else 'has'} another text in the engine than when last "
                    f"seen here, such as {changed[0]!r}."
                )
            return [(doc_id, hit.score) for doc_id, hit in first.items()], warnings
        self._corpus.prefetch(first)
        units = [(unit, hit.score) for doc_id, hit in first.items() for unit in self._units(doc_id)]
        unknown = sum(not self._units(doc_id) for doc_id in first)
        if unknown:
            warnings.append(
                f"{unknown} of the engine's hits are not in the corpus and were left out."
            )
        return units, warnings

    def _units(self, doc_id: str) -> list[str]:
        """The corpus' own units for a hit: itself, or its passages."""
        if doc_id in self._corpus.by_id:
            return [doc_id]
        return [passage.id for passage in self._corpus.passages_of.get(doc_id, ())]

    def _ranking(
        self, query_id: str, hits: Sequence[tuple[str, float | None]]
    ) -> tuple[Ranking, list[str]]:
        """The hits in the engine's order; without scores where these do not fall along it."""
        scores = [math.nan if score is None else score for _, score in hits]
        falling = all(a >= b for a, b in pairwise(scores))
        if falling and all(map(math.isfinite, scores)):
            ranked = tuple(Hit(d, rank, score) for rank, (d, score) in enumerate(hits, 1))
            return Ranking(query_id, ranked, self.scale), []
        warning = "The engine's scores do not fall along its order; the order is kept without them."
        return Ranking.from_order(query_id, [doc_id for doc_id, _ in hits]), [warning]

    def fetch(self, doc_ids: Sequence[str]) -> Sequence[Document]:
        """The documents of these ids that are there. Raises LabError."""
        return self.bounded(lambda: self._fetch(doc_ids), Context())

    def count(self) -> int | None:
        """How many documents it holds; None where it cannot say in a few seconds."""
        try:
            return self.bounded(self._count, Context(), _COUNT_S)
        except DeadlineExceeded:
            return None

    def sample(self, size: int) -> Sequence[Document]:
        """At most `size` documents, as the engine gives them. Raises LabError."""
        return self.bounded(lambda: self._sample(size), Context())

    @property
    def timeout_s(self) -> float:
        """Seconds that one call may take."""
        return float(self.options["timeout"])

    def bounded(self, work: Callable[[], T], ctx: Context, longest_s: float | None = None) -> T:
        """The client's work in a thread of its own, given up in time whatever it is stuck in.

        Raises:
            DeadlineExceeded: after `longest_s` (the option `timeout`) seconds.
            LabError: what the client raised, in words and without secrets.
        """
        seconds = self.timeout_s if longest_s is None else min(longest_s, self.timeout_s)
        try:
            return watched(work, ctx, seconds)
        except TransportError:
            raise DeadlineExceeded(
                f"{self.title} gave no answer within {seconds:g} s.",
                hint="Check that it is up and reachable from here; or allow more: timeout=60.",
            ) from None
        except (Cancelled, DeadlineExceeded):
            raise
        except LabError as error:
            raise self._redacted(error) from None
        except Exception as error:
            failure = self._failure(error)
            raise self._redacted(failure) from None

    def _redacted(self, error: LabError) -> LabError:
        secrets = [secret for secret in self._secrets if secret]
        error.message = redacted(error.message, secrets)
        error.hint = redacted(error.hint, secrets)
        error.details = redacted(error.details, secrets)
        error.args = (error.message,)
        return error

    def unexpected(self, error: Exception) -> LabError:
        """For what no engine's own words explain: the kind of error and its text."""
        text = " ".join(str(error).split())[:500]
        return BackendError(
            f"{self.title} could not be asked: {type(error).__name__}"
            + (f": {text}" if text else ""),
            hint="Check its address, and that it runs.",
            retryable=True,
        )


def environment(variable: str, what: str, *, required: bool = True) -> str:
    """The value of an environment variable; nothing of it is ever shown.

    Args:
        variable: its name, as an option has it.
        what: what it holds, for the error, such as `the address of the database`.

    Raises:
        MissingKey: it is not set, and required.
    """
    value = os.environ.get(variable, "").strip() if variable else ""
    if required and not value:
        raise MissingKey(
            f"The environment variable {variable!r}, {what}, is not set.",
            hint=f"Set {variable} where rerank-lab is started, then start it again.",
        )
    return value


def certificate_file(variable: str, what: str) -> str:
    """The path that an environment variable names; "" for no variable.

    Raises:
        MissingKey: It is not set.
        InvalidInput: There is no such file.
    """
    path = environment(variable, what) if variable else ""
    if path and not Path(path).is_file():
        raise InvalidInput(
            f"The environment variable {variable!r}, {what}, names no file that is here.",
            hint="Give the path of a PEM file that this process may read.",
        )
    return path


def certificate_hint(words: str) -> str:
    """What to do where a certificate is not trusted; "" for any other trouble."""
    if "certificate" not in words.lower():
        return ""
    return (
        "Put the path of the authority's certificate into an environment variable, and name that: "
        'ca_env="RERANK_LAB_ENGINE_CA".'
    )


def package(name: str, extra: str, what: str) -> None:
    """Raises MissingExtra when the client of an engine is not installed."""
    import importlib.util

    if importlib.util.find_spec(name) is None:
        raise MissingExtra.of(what, extra)


def as_text(value: object) -> str:
    """A stored value as text: None is nothing, lists are joined, the rest is written out."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return " ".join(map(as_text, value))
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "replace")
    return str(value)


def document_of(values: Mapping[str, object], doc_id: str, title: str, text: str) -> Document:
    """A document from stored fields, which `title` and `text` name; "" for no title.

    A dotted name leads into objects: `body.content`.
    """
    return Document(doc_id, as_text(_inside(values, text)), as_text(_inside(values, title)))


def _inside(values: Mapping[str, object], name: str) -> object:
    if not name or name in values:
        return values.get(name)
    value: object = values
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
