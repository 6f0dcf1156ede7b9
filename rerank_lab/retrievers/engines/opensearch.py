"""OpenSearch as first stage, by the official client opensearch-py."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from rerank_lab.components.base import Param
from rerank_lab.core.errors import InvalidInput, LabError, MissingKey
from rerank_lab.retrievers.engines.base import engine_info, package
from rerank_lab.retrievers.engines.search_api import VECTOR, WORDS, SearchAPI, search_params

HYBRID, AWS = "hybrid", "aws"
_AWS_HOST = re.compile(r"\.([a-z]{2}[a-z0-9-]+-\d)\.(es|aoss)\.amazonaws\.com(?:\.cn)?$")
_FUSIONS: dict[str, dict[str, Any]] = {
    "rrf": {"score-ranker-processor": {"combination": {"technique": "rrf", "rank_constant": 60}}},
    "mean": {
        "normalization-processor": {
            "normalization": {"technique": "min_max"},
            "combination": {"technique": "arithmetic_mean"},
        }
    },
}
"""How OpenSearch fuses the lists of a hybrid query: processors of a search pipeline."""


class OpenSearchEngine(SearchAPI):
    """Searches an index of OpenSearch: multi_match, k-NN, or a search body of the user's own."""

    title = "OpenSearch"
    info = engine_info(
        name="opensearch",
        summary="Searches an index of your OpenSearch: words, k-NN, or a search body of yours.",
        params=(
            *search_params("RERANK_LAB_ENGINE_OPENSEARCH", (WORDS, VECTOR, HYBRID)),
            Param(
                "fusion",
                "rrf",
                "For hybrid: rrf fuses by rank (OpenSearch 2.19 or later), mean takes the mean of "
                "the scores, each scaled to 0 to 1 (2.10 or later).",
                choices=tuple(_FUSIONS),
                label="Fuse by",
            ),
            Param(
                "auth",
                "",
                "aws signs requests with the AWS credentials in the environment; empty for the "
                "user in the address, or none.",
                choices=("", AWS),
                label="Sign in by",
                execution=True,
            ),
        ),
    )

    @cached_property
    def _client(self) -> Any:
        package("opensearchpy", "opensearch", "OpenSearch")
        from opensearchpy import OpenSearch

        return OpenSearch(
            self._bare_address,
            http_auth=self._signer if self.option("auth") == AWS else self._login,
            timeout=self.timeout_s,
            max_retries=0,
            retry_on_timeout=False,
            **self._tls,
        )

    @property
    def _signer(self) -> Any:
        """Signs each request with the AWS credentials of the environment.

        Raises:
            MissingKey: There are none, or no region is known.
        """
        package("botocore", "cloud", "Signing requests for AWS")
        from botocore.session import Session
        from opensearchpy import Urllib3AWSV4SignerAuth

        session = Session()
        credentials = session.get_credentials()
        host = urlsplit(self._bare_address).hostname or ""
        match = _AWS_HOST.search(host)
        region = match[1] if match else session.get_config_variable("region")
        missing = "credentials" if credentials is None else "" if region else "region"
        if missing:
            raise MissingKey(
                f"opensearch is to sign its requests for AWS, and no {missing} can be found.",
                hint="Set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_DEFAULT_REGION, or "
                "AWS_PROFILE, where rerank-lab is started.",
            )
        return Urllib3AWSV4SignerAuth(credentials, region, match[2] if match else "es")

    @property
    def uses_vector(self) -> bool:
        """By embeddings, by both, or because the template asks for one."""
        if self.option("template"):
            return super().uses_vector
        return self.option("search") in (VECTOR, HYBRID)

    def _check_options(self) -> None:
        super()._check_options()
        if self.option("auth") == AWS and self._login is not None:
            raise InvalidInput(
                "opensearch is to sign its requests for AWS, and its address has a user.",
                hint="Take the user out of the address; AWS credentials are in variables of their "
                "own.",
            )

    def _body(self) -> dict[str, Any]:
        """As of both engines; a hybrid search is fused inside OpenSearch, by the rule named."""
        if self.option("template") or self.option("search") != HYBRID:
            return super()._body()
        queries = [self._words(), self._nearest()["query"]]
        return {
            "size": "{k}",
            "query": {"hybrid": {"queries": queries}},
            "search_pipeline": {"phase_results_processors": [_FUSIONS[self.option("fusion")]]},
        }

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
