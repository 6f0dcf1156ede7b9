"""A server that repeats the key, in whatever encoding, gets it shown nowhere."""

from __future__ import annotations

import json
import logging
from itertools import product

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


@pytest.mark.parametrize(
    ("name", "form"),
    [
        *(("voyage", form) for form in FORMS),
        *product(["cohere", "bedrock", "tei", "listwise"], ["JSON in JSON", "hex", "URL twice"]),
    ],
)
def test_a_repeated_key_is_in_no_message_and_no_log(
    name: str, form: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    caplog.set_level(logging.DEBUG)
    written = FORMS[form](KEY)
    body = f'{{"message": "no such key: {written}", "error": {{"message": "{written}"}}}}'
    headers = [f"X-Amzn-ErrorType: {written}"] if written.isascii() else []
    with RawServer([reply(body.encode(), *headers, status="402 No")]) as server:
        reranker = load("reranker", name)(base_url=server.url, retries=0)
        with pytest.raises(BackendError) as caught:
            reranker.rerank(QUERY, DOCS, Context(secrets=dict.fromkeys(VARIABLES, KEY)))
    shown = (
        json.dumps(caught.value.to_json()) + str(caught.value) + repr(caught.value) + caplog.text
    )
    assert written not in shown
    assert KEY not in shown
    assert "key removed" in shown


def test_a_key_in_the_address_of_a_redirect_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    written = FORMS["URL twice"](KEY)
    place = f"Location: https://elsewhere.example.com/?key={written}"
    with RawServer([reply(b"", place, status="307 Elsewhere")]) as server:
        reranker = load("reranker", "voyage")(base_url=server.url, retries=0)
        with pytest.raises(BackendError, match="redirects to another address") as caught:
            reranker.rerank(QUERY, DOCS, Context(secrets=dict.fromkeys(VARIABLES, KEY)))
    assert written not in json.dumps(caught.value.to_json())
