"""What every reranker promises, asked of every hosted one through its fake server."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rerank_lab.components.base import Info
from rerank_lab.components.registry import load, resolve
from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import Cancelled, ContractViolation, DeadlineExceeded, InvalidInput
from rerank_lab.core.types import Document, Query, Status
from rerank_lab.remote.providers import providers
from rerank_lab.remote.urls import ALLOW_PRIVATE
from rerank_lab.rerankers.hosted.base import HostedReranker
from rerank_lab.rerankers.score_cache import ScoreCache
from rerank_lab.testing.provider_servers import KEY, FakeProvider

NAMES = list(providers())
QUERY = Query.of("capital of France")


def _keys() -> dict[str, str]:
    keys = {provider.key: KEY for provider in providers().values()}
    return keys | {"AWS_ACCESS_KEY_ID": KEY}


def _ctx(cache: ScoreCache | None = None, **fields: object) -> Context:
    return Context(cache=cache, secrets=_keys(), **fields)  # type: ignore[arg-type]


@pytest.fixture(params=NAMES)
def reranker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    with FakeProvider(request.param) as server:
        yield load("reranker", request.param)(
            base_url=server.url, requests_per_minute=1_000_000, tokens_per_minute=1_000_000_000
        )


def _docs(texts: list[str]) -> list[Document]:
    return [Document(f"d{i}", text) for i, text in enumerate(texts)]


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.text(max_size=60), max_size=12))
def test_the_result_is_a_permutation_with_falling_finite_scores(
    reranker: HostedReranker, texts: list[str]
) -> None:
    docs = _docs(texts)
    done = reranker.rerank(QUERY, docs, _ctx())
    assert sorted(done.ranking.doc_ids) == sorted(doc.id for doc in docs)
    readable = sum(not doc.blank for doc in docs)
    scores = [hit.score for hit in done.ranking]
    assert all(score is None for score in scores[readable:])
    scored = [score for score in scores[:readable] if score is not None]
    assert len(scored) == readable
    assert all(map(math.isfinite, scored))
    assert scored == sorted(scored, reverse=True)
    assert done.ranking.scale == (reranker.info.scale if readable else "order")


def test_equal_texts_keep_their_previous_order(reranker: HostedReranker) -> None:
    docs = [Document(name, "the same text") for name in "zyxabc"]
    assert reranker.rerank(QUERY, docs, _ctx()).ranking.doc_ids == tuple("zyxabc")


def test_the_same_id_twice_is_refused(reranker: HostedReranker) -> None:
    with pytest.raises(ContractViolation):
        reranker.rerank(QUERY, [Document("a", "x"), Document("a", "y")], _ctx())


def test_asked_again_it_answers_the_same_and_from_the_cache(
    reranker: HostedReranker, tmp_path: Path
) -> None:
    docs, cache = _docs(["Paris is the capital of France", "bananas", "France"]), None
    first = reranker.rerank(QUERY, docs, _ctx())
    cache = ScoreCache(tmp_path / "s.sqlite")
    second = reranker.rerank(QUERY, docs, _ctx(cache))
    third = reranker.rerank(QUERY, docs, _ctx(cache))
    assert first.ranking == second.ranking == third.ranking
    assert third.status is Status.CACHED
    assert third.trace.network_s == 0.0


def test_nothing_is_sent_when_cancelled_or_late(reranker: HostedReranker) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        reranker.rerank(QUERY, _docs(["x"]), _ctx(cancel=token))
    with pytest.raises(DeadlineExceeded):
        reranker.rerank(QUERY, _docs(["x"]), _ctx(deadline=time.monotonic() - 1))


def test_closing_is_harmless_and_a_later_call_works(reranker: HostedReranker) -> None:
    reranker.close()
    reranker.load(_ctx())
    reranker.load(_ctx())
    reranker.close()
    reranker.close()
    assert len(reranker.rerank(QUERY, _docs(["x", "y"]), _ctx()).ranking) == 2


@pytest.mark.parametrize("name", NAMES)
def test_it_describes_itself(name: str) -> None:
    info: Info = load("reranker", name).info
    assert info.name == name
    assert info.kind == "reranker"
    assert (info.lane, info.extra) == ("network", "hosted")
    assert info.summary.endswith(".")
    assert all(param.help for param in info.params)
    for param in info.params:
        assert param.check(param.default)[1] == ""
    with pytest.raises(InvalidInput):
        load("reranker", name)(no_such_option=1)


@pytest.mark.parametrize("name", NAMES)
def test_a_spec_with_its_options_parses_back(name: str) -> None:
    spec = resolve(f'bm25 >> {name}(model="typed/by-hand:1",top=20)')
    assert resolve(str(spec)) == spec
    assert str(resolve(f"bm25 >> {name}")) == f"bm25 >> {name}"
