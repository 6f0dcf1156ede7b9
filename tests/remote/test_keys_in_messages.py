"""A server that repeats the key, in whatever encoding, gets it shown nowhere."""

from __future__ import annotations

import json
import logging

import pytest

from rerank_lab.components.registry import load
from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError
from rerank_lab.core.types import Document, Query
from rerank_lab.remote.urls import ALLOW_PRIVATE
from tests.remote.raw_server import RawServer, reply
from tests.remote.test_redaction import FORMS, KEY

VARIABLES = ("VOYAGE_API_KEY", "OPENAI_API_KEY", "TEI_API_KEY", "COHERE_API_KEY",
             "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")  # fmt: skip
QUERY, DOCS = Query.of("x"), [Document("a", "x"), Document("b", "y")]


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("name", ["voyage", "cohere", "bedrock", "tei", "listwise"])
def test_a_repeated_key_is_in_no_message_and_no_log(
    name: str, form: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    caplog.set_level(logging.DEBUG)
    written = FORMS[form](KEY)
    body = f'{{"message": "no such key: {written}", "error": {{"message": "{written}"}}}}'
    with RawServer(
        [reply(body.encode(), f"X-Amzn-ErrorType: {written}", status="402 No")]
    ) as server:
        reranker = load("reranker", name)(base_url=server.url, retries=0)
        with pytest.raises(BackendError) as caught:
            reranker.rerank(QUERY, DOCS, Context(secrets=dict.fromkeys(VARIABLES, KEY)))
    shown = (
        json.dumps(caught.value.to_json()) + str(caught.value) + repr(caught.value) + caplog.text
    )
    assert written not in shown
    assert KEY not in shown
    assert "key removed" in shown
