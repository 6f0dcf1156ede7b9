"""The OpenAPI document is true: generated requests get what it says, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from rerank_lab.corpora.corpus import Corpus
from rerank_lab.server.keys import ApiKeys
from tests.server.conftest import MakeClient, rerank_api

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.positive_data_acceptance,
]
ROUTES = [
    *("/v2/rerank", "/v1/rerank", "/rerank", "/infinity/rerank", "/v1/search"),
    *("/v1/models", "/health", "/ready"),
]


@pytest.mark.parametrize("path", ROUTES)
def test_generated_requests_get_what_the_document_says(
    path: str, home: Path, corpus: Corpus
) -> None:
    application = rerank_api(home, corpus=corpus, hosts=()).application()
    document = schemathesis.openapi.from_asgi("/openapi.json", application)
    operation = next(iter(document.include(path=path).get_all_operations())).ok()
    modes = st.sampled_from(list(schemathesis.GenerationMode))

    @given(data=st.data())
    @settings(
        max_examples=40,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def exchange(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=data.draw(modes)))
        case.call_and_validate(checks=CHECKS)

    exchange()


def test_every_route_is_described_and_keys_are_where_they_are_needed(
    client: MakeClient, home: Path, corpus: Corpus
) -> None:
    key = "a-key-of-thirty-two-characters-00"
    api = client(corpus=corpus, keys=ApiKeys([key]))
    assert api.get("/openapi.json").status_code == 401
    document = api.get("/openapi.json", headers={"authorization": f"Bearer {key}"}).json()
    paths = {getattr(route, "path", "") for route in rerank_api(home).routes()}
    assert set(document["paths"]) == paths
    assert document["security"] == [{"key": []}]
    assert document["paths"]["/health"]["get"]["security"] == []


def test_a_server_without_a_corpus_describes_no_search(client: MakeClient) -> None:
    document = client().get("/openapi.json").json()
    assert "/v1/search" not in document["paths"]
    assert "security" not in document
