"""Every registered reranker that can run here keeps the contract, and the contract can fail."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rerank_lab.components.base import Info
from rerank_lab.core.work import Work
from rerank_lab.rerankers.base import TOP, PointwiseReranker
from rerank_lab.rerankers.local.bi_encoder import BiEncoderReranker
from rerank_lab.rerankers.local.cross_encoder import CrossEncoderReranker
from rerank_lab.rerankers.local.late_interaction import LateInteractionReranker
from rerank_lab.rerankers.local.splade import SpladeReranker
from rerank_lab.rerankers.rules.bm25_candidates import BM25Candidates
from rerank_lab.rerankers.rules.identity import Identity
from rerank_lab.rerankers.rules.long_context_reorder import LongContextReorder
from rerank_lab.rerankers.rules.mmr import MMR
from rerank_lab.rerankers.rules.overlap import Overlap
from rerank_lab.rerankers.rules.score_stages import Isotonic, Platt, Threshold
from rerank_lab.testing import (
    FailingReranker,
    FakeReranker,
    MalformedReranker,
    NonFiniteReranker,
    ReferenceContract,
    SlowReranker,
    failure_of,
    reranker_contract,
)

TestIdentity = reranker_contract(Identity)
TestCrossEncoder = pytest.mark.models(reranker_contract(CrossEncoderReranker))
TestLateInteraction = pytest.mark.models(reranker_contract(LateInteractionReranker))
TestBiEncoder = pytest.mark.models(reranker_contract(BiEncoderReranker))
TestSplade = pytest.mark.models(reranker_contract(SpladeReranker))
TestShortInputs = pytest.mark.models(reranker_contract(CrossEncoderReranker, max_length=32))
TestBestPassage = pytest.mark.models(
    reranker_contract(CrossEncoderReranker, long="max", max_length=64)
)
TestHeadAndTail = pytest.mark.models(
    reranker_contract(BiEncoderReranker, long="head+tail", max_length=64)
)
TestLongContextReorder = reranker_contract(LongContextReorder)
TestMMR = reranker_contract(MMR)
TestMMROfVectors = pytest.mark.models(reranker_contract(MMR, model="bge-small-en"))
TestPlatt = reranker_contract(Platt, slope=0.8, intercept=-1.0)
TestIsotonic = reranker_contract(Isotonic, points="0:0.1 0.5:0.1 1:0.9")
TestThreshold = reranker_contract(Threshold)
TestOverlap = reranker_contract(Overlap)
TestBM25Candidates = reranker_contract(BM25Candidates)
TestFake = reranker_contract(FakeReranker)
TestSlow = reranker_contract(SlowReranker, seconds=0.001)


class Careless(PointwiseReranker):
    """Scores a text by its place in the batch, and never looks at the clock."""

    info = Info("careless", "reranker", "test", "Careless.", "logit", (TOP,))
    batch_size = None

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        return [float(place) for place in range(len(texts))]


def broken_checks(contract: type[ReferenceContract]) -> set[str]:
    broken = set()
    for name in dir(contract):
        if name.startswith("test_"):
            try:
                getattr(contract(), name)()
            except AssertionError:
                broken.add(name)
            except Exception:
                broken.add(name)
    return broken


def test_the_contract_finds_a_reranker_that_breaks_it() -> None:
    assert broken_checks(reranker_contract(Careless)) == {
        "test_scores_do_not_depend_on_company_or_order"
    }
    assert "test_result_is_a_permutation" in broken_checks(reranker_contract(MalformedReranker))


@pytest.mark.parametrize(
    ("fake", "kind"),
    [
        (FailingReranker(), "backend_error"),
        (MalformedReranker(), "contract_violation"),
        (NonFiniteReranker(), "backend_error"),
    ],
)
def test_fakes_fail_as_their_names_say(fake: PointwiseReranker, kind: str) -> None:
    error = failure_of(fake)
    assert error.kind == kind
    assert error.hint


def test_a_failing_fake_recovers() -> None:
    fake = FailingReranker(times=1, retryable=True)
    assert failure_of(fake).retryable
    assert failure_of(fake) is None
