"""OpenSearch as first stage, by the official client opensearch-py."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from rerank_lab.core.errors import LabError
from rerank_lab.retrievers.engines.base import engine_info, package
from rerank_lab.retrievers.engines.search_api import SearchAPI, search_params


class OpenSearchEngine(SearchAPI):
    """Searches an index of OpenSearch: multi_match, k-NN, or a search body of the user's own."""

    title = "OpenSearch"
    info = engine_info(
        name="opensearch",
        summary="Searches an index of your OpenSearch: words, k-NN, or a search body of yours.",
        params=search_params("RERANK_LAB_ENGINE_OPENSEARCH"),
    )

    @cached_property
    def _client(self) -> Any:
        package("opensearchpy", "opensearch", "OpenSearch")
        from opensearchpy import OpenSearch

        return OpenSearch(
            self._bare_address,
            http_auth=self._login,
            timeout=self.timeout_s,
            max_retries=0,
            retry_on_timeout=False,
        )

    def _call(self, api: str, body: dict[str, Any]) -> Mapping[str, Any]:
        call = getattr(self._client, api)
        answer: Mapping[str, Any] = call(index=self.option("index"), body=body)
        return answer

    def _nearest(self) -> dict[str, Any]:
        neighbours: dict[str, Any] = {"vector": "{vector}", "k": "{k}"}
        if self._filters():
            neighbours["filter"] = {"bool": {"filter": self._filters()}}
        return {"query": {"knn": {self.option("vector"): neighbours}}}

    def _failure(self, error: Exception) -> LabError:
        from opensearchpy import exceptions

        if isinstance(error, exceptions.ConnectionError):
            return self.unreachable(str(error.info))
        if isinstance(error, exceptions.TransportError) and isinstance(error.status_code, int):
            return self.explained(error.status_code, error.info or error.error)
        return self.unexpected(error)

    def close(self) -> None:
        """Close the client's connections."""
        super().close()
        client = self.__dict__.pop("_client", None)
        if client is not None:
            client.close()
