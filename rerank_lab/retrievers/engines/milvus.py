"""Milvus as first stage, by the official client: a server, or a file by milvus-lite."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from rerank_lab.components.base import Param
from rerank_lab.core.errors import BackendError, InvalidInput, LabError
from rerank_lab.core.types import Document
from rerank_lab.retrievers.engines.base import EngineQuery, engine_info, package, tls_params
from rerank_lab.retrievers.engines.vector_database import (
    SEARCHES,
    WORDS,
    VectorDatabase,
    database_params,
    key_param,
    shared_client,
)

_LONGEST = 16_384
"""Hits of one search at most, as Milvus has it."""


class Milvus(VectorDatabase):
    """Searches a collection of Milvus, by embeddings or by its BM25; `id` is the primary key."""

    title = "Milvus"
    info = engine_info(
        name="milvus",
        summary="Searches a collection of your Milvus, by embeddings or its full text.",
        params=(
            *database_params(
                "RERANK_LAB_ENGINE_MILVUS",
                "http://host:19530, or a file of milvus-lite",
                "collection",
                'year > 2020 and topic == "sport"',
            ),
            SEARCHES,
            Param(
                "words",
                "",
                "For words: the sparse field that BM25 fills from the texts.",
                label="Words field",
            ),
            key_param(),
            *tls_params(),
        ),
    )

    @property
    def _client(self) -> Any:
        package("pymilvus", "milvus", "Milvus")
        # It writes every error that it raises to the log as well, and with it the request.
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
        from pymilvus import MilvusClient

        address, key = self._address, self._key
        authority, certificate = self._authority, self._certificate
        files: dict[str, Any] = {"server_pem_path": authority} if authority else {}
        if certificate:
            files = {
                "ca_pem_path": authority,
                "client_pem_path": certificate,
                "client_key_path": certificate,
            }
        return shared_client(
            ("milvus", address, key, authority, certificate),
            lambda: MilvusClient(uri=address, token=key, timeout=self.timeout_s, **files),
        )

    def _check_options(self) -> None:
        super()._check_options()
        if self._certificate and not self._authority:
            raise InvalidInput(
                "milvus is to show a client certificate, and no authority is named.",
                hint='Name the variable with its file too: ca_env="RERANK_LAB_ENGINE_CA".',
            )
        if self.option("search") == WORDS and not self.option("words"):
            raise InvalidInput(
                "milvus is to search by words, and no words field is named.",
                hint='Name the sparse field of its BM25 function: words="sparse".',
            )

    def _search_request(self, query: EngineQuery) -> dict[str, Any]:
        by_words = self.option("search") == WORDS
        field = self.option("words") if by_words else self.option("vector")
        request: dict[str, Any] = {
            "data": [query.text if by_words else list(query.vector)],
            "limit": min(query.k, _LONGEST),
            "output_fields": self._fields(),
            "filter": self.option("filter"),
        }
        return request | ({"anns_field": field} if field else {})

    def _found(self, request: dict[str, Any]) -> list[tuple[Document, float]]:
        hits = self._client.search(self.option("collection"), timeout=self.timeout_s, **request)[0]
        name = self.option("id")
        scored = []
        for hit in hits:
            values = dict(hit["entity"])
            doc_id = values.get(name, hit.get(name, hit.get("id")))
            scored.append((self._document(values, doc_id), self._score(float(hit["distance"]))))
        return scored

    def _score(self, distance: float) -> float:
        """The distance as a score: more is better."""
        if self.option("search") == WORDS:
            return abs(distance)  # milvus-lite gives BM25 with the sign of a distance
        return -distance if self._metric == "L2" else distance

    @cached_property
    def _metric(self) -> str:
        """The metric of the vector field's index, as Milvus names it; "" when there is none."""
        client, collection = self._client, self.option("collection")
        for name in client.list_indexes(collection):
            index = client.describe_index(collection, name)
            if index.get("field_name") == self.option("vector") or not self.option("vector"):
                return str(index.get("metric_type", "")).upper()
        return ""

    def _fetch(self, doc_ids: Sequence[str]) -> list[Document]:
        name = self.option("id")
        values: list[Any] = list(doc_ids)
        if self._has_numbers:
            values = [int(one) for one in doc_ids if one.isdigit() and len(one) < 19]
        # JSON is how the language of Milvus writes texts too, so that an id stays a value.
        condition = f"{name} in {json.dumps(values)}"
        own = self.option("filter")
        return self._rows(f"({own}) and {condition}" if own else condition, len(doc_ids))

    @property
    def _has_numbers(self) -> bool:
        from pymilvus import DataType

        fields = self._client.describe_collection(self.option("collection"))["fields"]
        types = {field["name"]: field["type"] for field in fields}
        return bool(types.get(self.option("id")) == DataType.INT64)

    def _sample(self, size: int) -> list[Document]:
        return self._rows(self.option("filter"), size)

    def _rows(self, condition: str, limit: int) -> list[Document]:
        rows = self._client.query(
            self.option("collection"),
            filter=condition,
            output_fields=self._fields(),
            limit=limit,
            timeout=self.timeout_s,
        )
        return [self._document(row, row[self.option("id")]) for row in rows]

    def _count(self) -> int | None:
        rows = self._client.query(
            self.option("collection"),
            filter=self.option("filter"),
            output_fields=["count(*)"],
            timeout=self.timeout_s,
        )
        return int(rows[0]["count(*)"])

    def _failure(self, error: Exception) -> LabError:
        from pymilvus import MilvusException

        if not isinstance(error, MilvusException):
            return self.unexpected(error)
        words = " ".join(str(error.message).split())[:400]
        if "connect" in words.lower():
            return BackendError(
                f"Milvus cannot be reached: {words}.",
                hint=f"Check the address in {self.option('url_env')}, and that Milvus runs.",
                retryable=True,
            )
        return InvalidInput(
            f"Milvus says: {words}.",
            hint="Check the collection, the fields, the model and the filter.",
        )
