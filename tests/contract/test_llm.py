"""The contract, kept by every form of LLM reranker over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rerank_lab.rerankers.llm.listwise import Listwise
from rerank_lab.rerankers.llm.pairwise import Pairwise
from rerank_lab.rerankers.llm.pointwise import PointwiseLLM
from rerank_lab.rerankers.llm.setwise import Setwise
from rerank_lab.testing import ReferenceContract, reranker_contract
from rerank_lab.testing.chat_server import FakeChat, sorter
from rerank_lab.testing.provider_servers import overlap


class Served(ReferenceContract):
    """The contract against a server of its own."""

    @pytest.fixture(autouse=True)
    def server(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("RERANK_LAB_ALLOW_PRIVATE_URLS", "1")
        with FakeChat(sorter(overlap), keys=()) as server:
            options: Any = {"base_url": server.url, **type(self).options}
            self.__dict__["options"] = options
            yield


def served(kind: Any, **options: Any) -> type[Served]:
    contract = reranker_contract(kind, **options)
    return type(contract.__name__, (Served,), dict(vars(contract)))


TestRankGPT = served(Listwise)
TestRankLLM = served(Listwise, form="rankllm", window=4, step=2)
TestJSON = served(Listwise, form="json")
TestFirst = served(Listwise, form="first")
TestShuffled = served(Listwise, shuffles=2)
TestSetwiseHeap = served(Setwise)
TestSetwiseBubble = served(Setwise, sort="bubblesort")
TestSetwiseLikelihood = served(Setwise, sort="likelihood")
TestPairwiseHeap = served(Pairwise, keep=2)
TestPairwiseBubble = served(Pairwise, sort="bubblesort", keep=2)
TestAllPairs = served(Pairwise, sort="allpairs")
TestYesNo = served(PointwiseLLM)
TestYesNoByPassages = served(PointwiseLLM, long="mean", passage_words=40)
TestLikelihood = served(PointwiseLLM, form="likelihood")


class TestTourRank(served(Listwise, form="tourrank", passes=2)):  # type: ignore[misc]
    def test_duplicate_texts_keep_both_ids_and_share_a_score(self) -> None:
        """Equal texts meet others in a tournament and may earn different points; both stay."""
        ranking = self._rank(self.make(), ("Berlin", "Paris", "Berlin")).ranking
        assert sorted(ranking.doc_ids) == ["d0", "d1", "d2"]
