"""Base URLs: what is refused, when it is looked up, and where the connection really goes."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from rerank_lab.core.errors import BackendError, InvalidInput
from rerank_lab.remote import urls
from rerank_lab.testing.provider_servers import FakeProvider
from tests.rerankers.hosted.conftest import DOCS, QUERY, keyed, made, run

Start = Callable[..., FakeProvider]


@pytest.fixture(autouse=True)
def _public_only(_local: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(urls.ALLOW_PRIVATE)


PRIVATE = [
    "127.0.0.1", "localhost", "10.1.2.3", "192.168.0.9", "172.16.5.5", "169.254.169.254",
    "100.64.0.1", "0.0.0.0", "[::1]", "[fd00::1]", "[fe80::1]", "[::ffff:127.0.0.1]",
    "[64:ff9b::7f00:1]", "2130706433", "0x7f.1", "127.1", "224.0.0.1", "[fd00:ec2::254]",
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
def test_addresses_of_the_own_network_are_refused(host: str) -> None:
    with pytest.raises(InvalidInput, match="private network") as caught:
        urls.check(f"http://{host}:8080/rerank")
    assert urls.ALLOW_PRIVATE in caught.value.hint


def test_whoever_runs_the_app_can_allow_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(urls.ALLOW_PRIVATE, "1")
    assert urls.check("http://127.0.0.1:8080/rerank").port == 8080


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com", "file:///etc/passwd", "x.org/v1", "https:///v1", "https://a:b@x.org",
        "https://user@x.org", "https://x.org/?key=1", "https://x.org/#a", "https://x.org:99999",
        "https://x.org/a b", "https://x.org\\@127.0.0.1", "gopher://x.org", "https://[::1",
    ],
)  # fmt: skip
def test_malformed_addresses_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        urls.check_form(url)
    assert url not in str(caught.value)
    assert "https://" in caught.value.hint


def test_a_request_to_a_private_address_never_leaves(fake: Start) -> None:
    for provider in ("cohere", "voyage", "bedrock"):
        server = fake(provider)
        with pytest.raises(InvalidInput, match="private network"):
            run(provider, server)
        assert server.requests == []


def test_a_problem_with_the_address_is_found_before_any_work(fake: Start) -> None:
    problems = made("voyage", fake("voyage")).problems()
    assert ["private network" in problem.message for problem in problems] == [True]


def _resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    asked: list[str] = []

    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *more: Any, **named: Any) -> list[Any]:
        if urls._literal(host) is not None:
            return list(real(host, port, *more, **named))
        found = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in found]

    monkeypatch.setattr(urls.socket, "getaddrinfo", getaddrinfo)
    return asked


def test_a_name_is_refused_when_any_of_its_addresses_is_private(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _resolving(monkeypatch, ["8.8.8.8", "10.0.0.1"])
    with pytest.raises(InvalidInput, match="private network"):
        urls.check("https://rerank.example.com/v1")


def test_the_connection_goes_to_the_address_that_was_checked(
    fake: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Public when checked, and a second look-up would say otherwise: there must be no second one.
    server = fake("vllm")
    port = int(server.root.rsplit(":", 1)[1])
    asked = _resolving(monkeypatch, ["127.0.0.1"], ["10.9.9.9"])
    monkeypatch.setattr(urls, "_public", lambda address: str(address) == "127.0.0.1")
    from rerank_lab.components.registry import load

    reranker = load("reranker", "vllm")(base_url=f"http://rebound.example:{port}", retries=0)
    reranker.rerank(QUERY, DOCS, keyed_without_key())
    assert asked == ["rebound.example"]
    assert server.requests[0].headers["host"] == f"rebound.example:{port}"
    with pytest.raises(InvalidInput, match="private network"):
        reranker.rerank(QUERY, DOCS, keyed_without_key())


def keyed_without_key() -> Any:
    from rerank_lab.core.context import Context

    return Context()


def test_a_name_that_does_not_exist_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(urls.socket, "getaddrinfo", nowhere)
    with pytest.raises(BackendError, match="cannot be found") as caught:
        urls.check("https://nowhere.example/v1")
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("base", "path", "url"),
    [
        ("https://api.together.ai", "/v1/rerank", "https://api.together.ai/v1/rerank"),
        ("https://api.together.ai/v1/", "/v1/rerank", "https://api.together.ai/v1/rerank"),
        ("https://x.org/prefix", "/rerank", "https://x.org/prefix/rerank"),
        ("https://x.org/v1", "/rerank", "https://x.org/v1/rerank"),
    ],
)
def test_a_version_is_written_once(base: str, path: str, url: str) -> None:
    assert urls.joined(base, path) == url


def test_a_server_of_ones_own_needs_an_address() -> None:
    from rerank_lab.components.registry import load

    problem = load("reranker", "tei")().problems()[0]
    assert "address is not given" in problem.message
    assert "tei(base_url=" in problem.hint
    assert load("reranker", "voyage")().problems() == []
    assert keyed().secrets
