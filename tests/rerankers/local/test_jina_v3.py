"""The jina-v3 reranker: a cosine a document, kept with its company."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.types import Document, Query, Status
from rerank_lab.rerankers.base import PointwiseReranker
from rerank_lab.rerankers.local.jina_v3 import JinaV3
from rerank_lab.rerankers.score_cache import ScoreCache
from rerank_lab.testing import reranker_contract
from tests.models.tiny_lm import QUERY, TEXTS
from tests.models.torch.test_one_context import cosines, save_jina, states

DOCS = [Document(f"d{i}", text) for i, text in enumerate(TEXTS)]
ASKED = Query.of(QUERY)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_jina(tmp_path_factory.mktemp("jina"))


def test_the_ranking_is_that_of_the_published_scores(folder: Path) -> None:
    theirs = cosines(*states(folder, QUERY, TEXTS))
    done = JinaV3(model=str(folder), device="cpu").rerank(ASKED, DOCS, Context())
    assert done.ranking.scale == "cosine"
    for hit in done.ranking:
        assert hit.score == pytest.approx(theirs[int(hit.doc_id[1:])], abs=1e-4)
    assert not issubclass(JinaV3, PointwiseReranker), "its scores depend on company"


def test_scores_are_kept_for_one_company_in_one_order(folder: Path, tmp_path: Path) -> None:
    ctx = Context(cache=ScoreCache(tmp_path / "scores.sqlite"))
    reranker = JinaV3(model=str(folder), device="cpu")
    first, again = (reranker.rerank(ASKED, DOCS, ctx) for _ in range(2))
    assert first.ranking == again.ranking
    assert (again.status, again.trace.calls) == (Status.CACHED, 0)
    for other in (DOCS[::-1], DOCS[:-1]):
        assert reranker.rerank(ASKED, other, ctx).trace.calls == 1


def test_instruction_and_block_are_part_of_what_scores_are_kept_under(folder: Path) -> None:
    made = [
        JinaV3(model=str(folder), device="cpu", **more)  # type: ignore[arg-type]
        for more in ({}, {"block": 4}, {"instruction": "only Berlin"})
    ]
    assert len({reranker.fingerprint() for reranker in made}) == 3
    rankings = [reranker.rerank(ASKED, DOCS, Context()).ranking for reranker in made]
    assert len({tuple(hit.score for hit in ranking) for ranking in rankings}) == 3


def test_it_keeps_the_contract(folder: Path) -> None:
    contract = reranker_contract(JinaV3, model=str(folder), device="cpu")()
    for name in dir(contract):
        if name.startswith("test_"):
            getattr(contract, name)()
