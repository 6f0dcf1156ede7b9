"""Qdrant as first stage, by the official client: a server, or a folder in local mode."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cached_property
from typing import Any

from rerank_lab.core.errors import BackendError, InvalidInput, LabError
from rerank_lab.core.text import load_json
from rerank_lab.core.types import Document
from rerank_lab.retrievers.engines.base import (
    EngineQuery,
    as_text,
    certificate_hint,
    engine_info,
    package,
    tls_params,
)
from rerank_lab.retrievers.engines.vector_database import (
    VectorDatabase,
    client_context,
    database_params,
    key_param,
    shared_client,
)

_EXAMPLE = '{"must": [{"key": "public", "match": {"value": true}}]}'
POINT = "_id"
"""The id option that means the ids of Qdrant's points, not a field of the payload."""
_DISTANCES = ("EUCLID", "MANHATTAN")
_local = threading.Lock()
"""The local mode is made for one thread."""


class Qdrant(VectorDatabase):
    """Searches a collection of Qdrant by embeddings; title and text are fields of the payload."""

    title = "Qdrant"
    info = engine_info(
        name="qdrant",
        summary="Searches a collection of your Qdrant by embeddings.",
        params=(
            *database_params(
                "RERANK_LAB_ENGINE_QDRANT",
                "https://host:6333, or a folder of the local mode",
                "collection",
                _EXAMPLE,
            ),
            key_param(),
            *tls_params(),
        ),
    )

    @property
    def _is_local(self) -> bool:
        return "://" not in self._address

    @property
    def _client(self) -> Any:
        package("qdrant_client", "qdrant", "Qdrant")
        from qdrant_client import QdrantClient

        address, key = self._address, self._key
        files = (self._authority, self._certificate)
        more: dict[str, Any] = {"verify": client_context(*files)} if any(files) else {}

        def make() -> Any:
            if self._is_local:
                return QdrantClient(path=address, force_disable_check_same_thread=True)
            return QdrantClient(
                url=address,
                api_key=key or None,
                timeout=max(1, round(self.timeout_s)),
                check_compatibility=False,
                **more,
            )

        return shared_client(("qdrant", address, key, *files), make)

    def _run(self, call: str, **values: Any) -> Any:
        with _local if self._is_local else nullcontext():
            return getattr(self._client, call)(self.option("collection"), **values)

    def _filter(self, *conditions: Any) -> Any:
        """The filter of the options and further conditions, None for none."""
        from qdrant_client import models

        text = self.option("filter")
        parts = list(conditions)
        if text:
            try:
                parts.append(models.Filter.model_validate(load_json(text)))
            except ValueError as error:
                first = " ".join(str(error).split())[:200]
                raise InvalidInput(
                    f"The filter of qdrant cannot be used: {first}",
                    hint=f"Write one such as {_EXAMPLE}.",
                ) from None
        return models.Filter(must=parts) if parts else None

    def _check_options(self) -> None:
        super()._check_options()
        if self.option("filter"):
            package("qdrant_client", "qdrant", "Qdrant")
            self._filter()

    def _search_request(self, query: EngineQuery) -> dict[str, Any]:
        request: dict[str, Any] = {"query": list(query.vector), "limit": query.k}
        if self.option("vector"):
            request["using"] = self.option("vector")
        if self.option("filter"):
            request["query_filter"] = load_json(self.option("filter"))
        return request

    def _found(self, request: dict[str, Any]) -> list[tuple[Document, float]]:
        values = {**request, "query_filter": self._filter(), "with_payload": True}
        answer = self._run("query_points", **values)
        sign = -1.0 if self._by_distance else 1.0
        return [(self._of_point(point), sign * float(point.score)) for point in answer.points]

    @cached_property
    def _by_distance(self) -> bool:
        """Whether the collection's metric is a distance, of which less is better."""
        vectors = self._run("get_collection").config.params.vectors
        if isinstance(vectors, dict):
            vectors = vectors.get(self.option("vector"))
        return str(getattr(vectors, "distance", "")).rpartition(".")[2].upper() in _DISTANCES

    def _of_point(self, point: Any) -> Document:
        payload = point.payload or {}
        name = self.option("id")
        return self._document(payload, point.id if name == POINT else as_text(payload.get(name)))

    def _fetch(self, doc_ids: Sequence[str]) -> list[Document]:
        from qdrant_client import models

        name = self.option("id")
        if name == POINT:
            known: list[Any] = [int(one) if one.isdigit() else one for one in doc_ids]
            wanted: Any = models.HasIdCondition(has_id=known)
        else:
            numbers = [int(one) for one in doc_ids if one.isdigit() and len(one) < 19]
            texts = models.FieldCondition(key=name, match=models.MatchAny(any=list(doc_ids)))
            either: list[Any] = [texts]
            if numbers:
                match = models.MatchAny(any=numbers)
                either.append(models.FieldCondition(key=name, match=match))
            wanted = models.Filter(should=either)
        return self._scrolled(self._filter(wanted), len(doc_ids))

    def _sample(self, size: int) -> list[Document]:
        return self._scrolled(self._filter(), size)

    def _scrolled(self, only: Any, limit: int) -> list[Document]:
        points, _ = self._run("scroll", scroll_filter=only, limit=limit, with_payload=True)
        return [self._of_point(point) for point in points]

    def _count(self) -> int | None:
        return int(self._run("count", count_filter=self._filter(), exact=True).count)

    def _failure(self, error: Exception) -> LabError:
        from qdrant_client.http import exceptions

        if isinstance(error, exceptions.ResponseHandlingException):
            return BackendError(
                f"Qdrant cannot be reached: {' '.join(str(error).split())[:300]}",
                hint=certificate_hint(str(error))
                or f"Check the address in {self.option('url_env')}, and that Qdrant runs.",
                retryable=True,
            )
        if isinstance(error, exceptions.UnexpectedResponse):
            content = error.content.decode("utf-8", "replace")
            try:
                words = as_text(load_json(content)["status"]["error"])
            except (ValueError, KeyError, TypeError):
                words = content or str(error.status_code)
            return InvalidInput(
                f"Qdrant says: {' '.join(words.split())[:400]}.",
                hint="Check the collection, the vector field, the model and the filter.",
            )
        if isinstance(error, ValueError | RuntimeError):  # the words of the local mode
            return InvalidInput(
                f"Qdrant says: {' '.join(str(error).split())[:400]}.",
                hint="Check the collection, the vector field and the model that embedded it.",
            )
        return self.unexpected(error)
