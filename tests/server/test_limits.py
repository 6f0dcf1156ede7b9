"""What is refused: too much, not understood, not allowed; by which status and in which words."""

from __future__ import annotations

import hashlib
import json
import logging
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from tokenizers import Tokenizer

from rerank_lab.core.errors import InvalidInput
from rerank_lab.pipeline.engine import Engine
from rerank_lab.remote.urls import ALLOW_PRIVATE
from rerank_lab.server.keys import ApiKeys, read_keys
from rerank_lab.server.limits import RequestLimits
from rerank_lab.server.pipelines import served_pipelines
from tests.models import tiny
from tests.server.conftest import QUERY, TEXTS, MakeClient, listening

BODY: dict[str, Any] = {"model": "any", "query": QUERY, "documents": TEXTS}
JSON = {"content-type": "application/json"}
KEY = "a-key-of-thirty-two-characters-00"
RERANK_PATHS = ("/v2/rerank", "/v1/rerank", "/rerank", "/infinity/rerank")


def test_too_many_documents_are_refused_with_the_limit(client: MakeClient) -> None:
    api = client(limits=RequestLimits(documents=2))
    for path in ("/v2/rerank", "/v1/rerank", "/rerank"):
        answer = api.post(path, json=BODY)
        assert answer.status_code == 422
        assert "documents: there are 3; the limit of this server is 2 a request." in answer.text
    tei = api.post("/rerank", json={"query": QUERY, "texts": TEXTS})
    assert tei.json()["error"].startswith("texts: there are 3")


def test_too_many_tokens_are_refused_in_the_shape_that_was_asked(client: MakeClient) -> None:
    """Without a tokenizer: 4 words of the query and the documents' 13, some longer than 3 bytes."""
    api = client(limits=RequestLimits(tokens=30))
    words = "documents: with the query they have more than 30 tokens, the limit of this server"
    v2 = api.post("/v2/rerank", json=BODY)
    assert (v2.status_code, v2.json()["message"].startswith(words)) == (422, True)
    assert api.post("/v1/rerank", json=BODY).json()["detail"].startswith(words)
    assert api.post("/rerank", json=BODY).json()["error"]["message"].startswith(words)
    tei = api.post("/rerank", json={"query": QUERY, "texts": TEXTS}).json()
    assert tei["error"].startswith("texts: with the query")
    assert tei["error_type"] == "Validation"
    few = api.post("/v2/rerank", json={**BODY, "documents": TEXTS[:1]})
    assert few.status_code == 200
    schema = api.get("/openapi.json").json()["paths"]["/v2/rerank"]["post"]["requestBody"]
    documents = schema["content"]["application/json"]["schema"]["properties"]["documents"]
    assert "at most 30 tokens" in documents["description"]


def test_tokens_are_those_of_the_models_own_tokenizer(client: MakeClient, tmp_path: Path) -> None:
    path = tiny.save_cross_encoder(tmp_path / "model")
    spec = f'bm25 >> cross-encoder(model="{path}", backend="torch")'
    served = served_pipelines({"tiny": spec}, 10)
    (pipeline,) = served
    tokenizer = Tokenizer.from_file(str(Path(path) / "tokenizer.json"))
    text = "the heat pump, with words that nobody knows"
    tokens = len(tokenizer.encode(text, add_special_tokens=False).ids)
    assert pipeline.reranker.token_count(Engine(tmp_path))(text) == tokens
    query = len(tokenizer.encode(QUERY, add_special_tokens=False).ids)
    body = {"query": QUERY, "documents": [text]}
    for limit, status in ((query + tokens, 200), (query + tokens - 1, 422)):
        api = client(specs={"tiny": spec}, limits=RequestLimits(tokens=limit))
        assert api.post("/v2/rerank", json=body).status_code == status


def test_a_body_that_says_to_be_too_long_is_refused_before_it_arrives(home: Path) -> None:
    with listening(home) as address:
        url = httpx.URL(address)
        with socket.create_connection((url.host, url.port), timeout=5) as client:
            head = "POST /v2/rerank HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json"
            client.sendall(f"{head}\r\ncontent-length: 9000000\r\n\r\n".encode())
            assert client.recv(100).startswith(b"HTTP/1.1 413 ")


def test_bodies_that_arrive_at_once_have_a_limit_together(client: MakeClient) -> None:
    api = client(limits=RequestLimits(all_bodies_bytes=100))
    for _ in range(2):  # what was read is given back
        refused = api.post("/v2/rerank", json=BODY)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert api.post("/v2/rerank", json={"query": "a", "documents": ["b"]}).status_code == 200


def test_too_long_bodies_and_queries_are_refused(client: MakeClient) -> None:
    api = client(limits=RequestLimits(body_bytes=500, query_chars=20))
    long_body = api.post("/v2/rerank", json={**BODY, "documents": ["x" * 600]})
    assert (long_body.status_code, "500 bytes" in long_body.text) == (413, True)
    long_query = api.post("/v2/rerank", json={**BODY, "query": "y" * 21})
    assert long_query.status_code == 422
    assert long_query.json()["message"].startswith("query: it is 21 characters long")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"query": 3}, "query: Expected `str | null`, got `int`."),
        ({"query": None}, "query: it is missing."),
        ({"query": " \n"}, "query: it is empty."),
        ({"documents": []}, "documents: there are none."),
        ({"documents": "one"}, "documents: Expected"),
        ({"documents": ["a", 7]}, "documents[1]: Expected"),
        ({"documents": [{"image": "a"}]}, "documents[0]: Object missing required field `text`."),
        ({"top_n": 0}, "top_n: Expected `int` >= 1."),
        ({"top_n": True}, "top_n: Expected"),
        ({"rank_fields": ["title"]}, "rank_fields: only"),
        ({"top_k": 3}, "top_k: no such field; known are model, query,"),
    ],
)
def test_a_wrong_field_is_named(client: MakeClient, change: dict[str, Any], words: str) -> None:
    answer = client().post("/v2/rerank", json={**BODY, **change})
    assert answer.status_code == 422
    assert answer.json()["message"].startswith(words)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'{"query": "a", "documents": ["b"]',
        b'{"query": "\xff", "documents": ["b"]}',
        b'{"query": NaN, "documents": ["b"]}',
        b"[" * 100_000,
        b'{"query": "a", "documents": ' + b"[" * 100_000,
    ],
    ids=["empty", "list", "null", "cut", "bytes", "nan", "deep", "deep-field"],
)
def test_a_hostile_body_is_a_clients_error(client: MakeClient, body: bytes) -> None:
    for path in ("/v2/rerank", "/rerank", "/v1/search"):
        answer = client().post(path, content=body, headers=JSON)
        assert 400 <= answer.status_code < 500, (path, answer.text)
        assert answer.headers["content-type"] == "application/json"


def test_odd_texts_are_answered(client: MakeClient) -> None:
    texts = b'"query": "pump \\ud800", "documents": ["\\u0000 pump", "\\udc00"]'
    raw = b"{" + texts + b', "return_documents": true}'
    answer = client().post("/v2/rerank", content=raw, headers=JSON)
    assert answer.status_code in (200, 400), answer.text


def test_forms_and_packed_bodies_are_refused(client: MakeClient) -> None:
    """A page of another site can send those without being asked for leave."""
    body = json.dumps(BODY)
    for headers in (
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {**JSON, "content-encoding": "gzip"},
    ):
        assert client().post("/v2/rerank", content=body, headers=headers).status_code == 415


def test_pages_of_other_sites_get_no_leave_and_no_other_host_name(client: MakeClient) -> None:
    api = client(hosts=("localhost", "127.0.0.1", "[::1]"))
    asked = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    preflight = api.options("/v2/rerank", headers=asked)
    assert (preflight.status_code, preflight.headers["allow"]) == (405, "POST")
    assert not [name for name in preflight.headers if name.startswith("access-control")]
    assert api.get("/health", headers={"host": "evil.example"}).status_code == 400
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert api.get("/health", headers={"host": host}).status_code == 200


def test_a_wrong_key_is_401_in_the_shape_and_health_needs_none(client: MakeClient) -> None:
    api = client(keys=ApiKeys([KEY]))
    for header in ("", "Bearer", f"Bearer {KEY}x", KEY, f"Basic {KEY}"):
        answer = api.post("/v2/rerank", json=BODY, headers={"authorization": header})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["message"].startswith("The API key is missing or wrong")
    for path in ("/v1/models", "/metrics"):
        assert api.get(path).status_code == 401
    assert api.get("/health").status_code == api.get("/ready").status_code == 200
    right = {"authorization": f"Bearer {KEY}"}
    assert api.post("/v2/rerank", json=BODY, headers=right).status_code == 200


def test_a_key_file_is_read_and_its_keys_do_not_stay_in_memory(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# for the app\n\n{KEY}\n")
    keys = read_keys(str(file))
    assert keys.key_of(f"bearer {KEY}").name == ""
    assert KEY not in repr(vars(keys))
    for text, words in (("", "holds no keys"), ("# a\nshort\n", "line 2"), ("ä" * 20, "line 1")):
        file.write_text(text)
        with pytest.raises(InvalidInput, match=words):
            read_keys(str(file))


def test_a_key_opens_what_its_line_says(
    client: MakeClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "rerank_lab.server")
    hashed = hashlib.sha256(b"shop-key-of-thirty-two-characters").hexdigest()
    file = tmp_path / "keys"
    file.write_text(
        f"{KEY}\nsha256:{hashed} shop rerank\nprometheus-reads-with-this prometheus metrics\n"
    )
    api = client(keys=read_keys(str(file)))

    def status(key: str, path: str) -> int:
        headers = {"authorization": f"Bearer {key}"}
        if path.endswith("rerank"):
            return api.post(path, json=BODY, headers=headers).status_code
        return api.get(path, headers=headers).status_code

    paths = ("/v2/rerank", "/metrics", "/v1/models")
    assert [status(KEY, path) for path in paths] == [200, 200, 200]
    assert [status("shop-key-of-thirty-two-characters", p) for p in paths] == [200, 403, 200]
    assert [status("prometheus-reads-with-this", p) for p in paths] == [403, 200, 200]
    assert status(hashed, "/v1/models") == status(f"sha256:{hashed}", "/v1/models") == 401
    refused = [json.loads(line) for line in caplog.messages if '"status": 403' in line]
    assert [entry["key_name"] for entry in refused] == ["shop", "prometheus"]
    assert "shop-key" not in caplog.text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"{KEY} shop rerank,write", "metrics,rerank,search"),
        (f"{KEY} shop rerank more", "without spaces"),
        ("sha256:12 shop", "64 hexadecimal digits"),
    ],
)
def test_a_line_of_the_key_file_that_is_not_understood_is_named_and_not_repeated(
    tmp_path: Path, line: str, words: str
) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# keys\n{line}\n")
    with pytest.raises(InvalidInput, match="keys, line 2: ") as refused:
        read_keys(str(file))
    assert words in str(refused.value)
    assert KEY not in str(refused.value)


def test_a_wrong_key_is_refused_in_the_shape_of_the_route(client: MakeClient) -> None:
    api = client(keys=ApiKeys([KEY]))
    bodies = {path: api.post(path, json=BODY).json() for path in RERANK_PATHS}
    words = "The API key is missing or wrong: send Authorization: Bearer KEY."
    assert bodies["/v2/rerank"] == {"message": words}
    assert bodies["/v1/rerank"] == {"message": words, "detail": words}
    assert bodies["/rerank"]["error"] == words
    assert bodies["/infinity/rerank"]["error"]["message"] == words


def test_logs_hold_no_text_and_no_key(
    client: MakeClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "rerank_lab.server")
    api = client(keys=ApiKeys([KEY]))
    headers = {"authorization": f"Bearer {KEY}"}
    api.post("/v2/rerank", json=BODY, headers=headers)

    def fail(*_: object) -> None:
        raise ValueError(TEXTS[1])

    monkeypatch.setattr("rerank_lab.server.app.rerank_given", fail)
    assert api.post("/v2/rerank", json=BODY, headers=headers).status_code == 500
    entry = json.loads(caplog.messages[0])
    assert (entry["route"], entry["status"], entry["documents"]) == ("/v2/rerank", 200, 3)
    assert len(caplog.messages) == 3
    assert "pump" not in caplog.text
    assert KEY not in caplog.text


def test_a_request_that_could_pass_the_spend_limit_is_refused(
    client: MakeClient, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    monkeypatch.setenv("RERANK_LAB_KEY_HOSTS", "127.0.0.1")
    monkeypatch.setenv("COHERE_API_KEY", KEY)
    with listening(home) as provider:
        spec = f'bm25 >> cohere(base_url="{provider}",price=0.002)'
        api = client(specs={"hosted": spec}, spend_limit=0.003)
        answered = api.post("/v2/rerank", json=BODY)
        assert answered.status_code == 200, answered.text
        refused = api.post("/v2/rerank", json=BODY)
        assert refused.status_code == 503
        assert "0.002 of the limit of 0.003 USD are spent" in refused.json()["message"]
        metrics = api.get("/metrics").text
    assert "rerank_lab_spend_usd_total 0.002000\n" in metrics
    assert "rerank_lab_spend_limit_usd 0.003000\n" in metrics
