"""Elasticsearch as first stage, by the official client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from rerank_lab.components.base import Param
from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.retrievers.engines.base import engine_info, environment, package
from rerank_lab.retrievers.engines.search_api import SearchAPI, search_params

_CANDIDATES = 100
"""`num_candidates` of a nearest-neighbour search at least; at most 10,000 are allowed."""


class ElasticsearchEngine(SearchAPI):
    """Searches an index of Elasticsearch: multi_match, kNN, or a search body of the user's own."""

    title = "Elasticsearch"
    info = engine_info(
        name="elasticsearch",
        summary="Searches an index of your Elasticsearch: words, kNN, or a search body of yours.",
        params=(
            *search_params("RERANK_LAB_ENGINE_ELASTICSEARCH"),
            Param(
                "key_env",
                "",
                "The environment variable with an API key; empty where the address has a user.",
                label="Key variable",
                variable=True,
            ),
        ),
    )

    @property
    def _key(self) -> str:
        variable = self.option("key_env")
        return environment(variable, "the API key") if variable else ""

    @property
    def _secrets(self) -> Sequence[str]:
        key = environment(self.option("key_env"), "the API key", required=False)
        return (*super()._secrets, key)

    @cached_property
    def _client(self) -> Any:
        package("elasticsearch", "elasticsearch", "Elasticsearch")
        from elasticsearch import Elasticsearch

        login: dict[str, Any] = {"basic_auth": self._login} if self._login else {}
        if self._key:
            login = {"api_key": self._key}
        return Elasticsearch(
            self._bare_address,
            request_timeout=self.timeout_s,
            max_retries=0,
            retry_on_timeout=False,
            **login,
            **self._tls,
        )

    def _call(self, api: str, body: dict[str, Any]) -> Mapping[str, Any]:
        call = getattr(self._client, api)
        answer: Mapping[str, Any] = call(index=self.option("index"), body=body).body
        return answer

    def _nearest(self) -> dict[str, Any]:
        neighbours: dict[str, Any] = {
            "field": self.option("vector"),
            "query_vector": "{vector}",
            "k": "{k}",
            "num_candidates": min(10_000, max(_CANDIDATES, 2 * self.depth)),
        }
        if self._filters():
            neighbours["filter"] = self._filters()
        return {"knn": neighbours}

    def _request(self, query: Any) -> dict[str, Any]:
        body = super()._request(query)
        knn = body.get("knn")
        if isinstance(knn, dict) and not self.option("template"):
            knn["num_candidates"] = max(int(knn["num_candidates"]), int(knn["k"]))
        return body

    def _failure(self, error: Exception) -> LabError:
        import elasticsearch

        if isinstance(error, elasticsearch.UnsupportedProductError):
            return InvalidInput(
                f"What answers at the address in {self.option('url_env')} is not Elasticsearch.",
                hint="For OpenSearch write opensearch(...) in place of elasticsearch(...).",
            )
        if isinstance(error, elasticsearch.ApiError):
            return self.explained(error.meta.status, error.body)
        if isinstance(error, elasticsearch.TransportError):
            return self.unreachable(error.message)
        return self.unexpected(error)

    def close(self) -> None:
        """Close the client's connections."""
        super().close()
        client = self.__dict__.pop("_client", None)
        if client is not None:
            client.close()
