"""The health check finds what ruins rankings silently, and leaves sound models alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from rerank_lab.components.base import Info
from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import Cancelled
from rerank_lab.core.types import Ranking
from rerank_lab.core.work import Work
from rerank_lab.rerankers import health
from rerank_lab.rerankers.base import TOP, PointwiseReranker
from rerank_lab.rerankers.local.bi_encoder import BiEncoderReranker
from rerank_lab.rerankers.local.cross_encoder import CrossEncoderReranker
from rerank_lab.rerankers.local.late_interaction import LateInteractionReranker
from rerank_lab.rerankers.rules.identity import Identity
from rerank_lab.testing import FailingReranker, MalformedReranker, NonFiniteReranker
from tests.models.tiny import save_bi_encoder, save_cross_encoder

ANSWERS = {probe.answer: probe.query for probe in health.PROBES}


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_known", {})


class Oracle(PointwiseReranker):
    """Knows every answer. Subclasses spoil its scores in one way each."""

    info = Info("oracle", "reranker", "test", "Knows.", "logit", (TOP,))
    batch_size = None

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        return [(ANSWERS.get(text) == query) + len(text) / 1000 for text in texts]


class Constant(Oracle):
    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        return [0.5] * len(texts)


class Saturated(Oracle):
    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        return [min(1.0, 9 * score) for score in super().score(query, texts, work)]


class Reversed(Oracle):
    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        return [-score for score in super().score(query, texts, work)]


class Chance(Oracle):
    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        return [(hash_of(query + text) % 1000) / 1000 for text in texts]


class Drifting(Oracle):
    calls = 0

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        self.calls += 1
        return [s + self.calls * 0.01 for s in super().score(query, texts, work)]


class Relative(Oracle):
    """Min-max over the candidates, as some tools do."""

    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        scores = super().score(query, texts, work)
        return [(s - min(scores)) / (max(scores) - min(scores)) for s in scores]


def hash_of(text: str) -> int:
    import zlib

    return zlib.crc32(text.encode())


def codes(reranker: PointwiseReranker) -> tuple[str, set[str]]:
    found = health.check(reranker, Context())
    assert all(finding.message and finding.hint for finding in found.findings)
    return found.state, {finding.code for finding in found.findings}


def test_a_reranker_that_knows_the_answers_is_healthy() -> None:
    assert codes(Oracle()) == ("healthy", set())


@pytest.mark.parametrize(
    ("reranker", "state", "code"),
    [
        (Constant, "broken", "constant"),
        (Saturated, "broken", "saturated"),
        (Reversed, "broken", "reversed"),
        (Chance, "broken", "near-random"),
        (NonFiniteReranker, "broken", "fails"),
        (FailingReranker, "broken", "fails"),
        (MalformedReranker, "broken", "fails"),
        (Drifting, "suspect", "not-repeatable"),
        (Relative, "suspect", "depends-on-company"),
    ],
)
def test_each_way_of_being_wrong_has_its_finding(
    reranker: type[PointwiseReranker], state: str, code: str
) -> None:
    found_state, found = codes(reranker())
    assert found_state == state
    assert code in found


def test_the_baseline_is_healthy_and_a_paid_model_is_left_alone() -> None:
    class Paid(Oracle):
        info = Info("paid", "reranker", "test", "Costs.", "logit", (TOP,), key_variable="KEY")

        def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
            raise AssertionError("a check was billed")

    assert health.check(Identity(), Context()).state == "healthy"
    assert codes(Paid()) == ("unchecked", {"unchecked"})


def test_the_second_check_of_a_model_costs_nothing() -> None:
    reranker = Oracle()
    first = health.check(reranker, Context())
    reranker.score = lambda *_: pytest.fail("checked twice")  # type: ignore[method-assign]
    assert health.check(reranker, Context()) is first


def test_a_cancelled_check_is_no_verdict() -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        health.check(Oracle(), Context(cancel=token))
    assert health.check(Oracle(), Context()).state == "healthy"


def test_an_embedding_model_as_cross_encoder_is_broken_with_the_reason(tmp_path: Path) -> None:
    folder = save_bi_encoder(tmp_path / "m")
    found = health.check(CrossEncoderReranker(model=str(folder)), Context())
    assert found.state == "broken"
    assert "no trained relevance head" in found.findings[0].message


def test_a_random_head_is_broken(tmp_path: Path) -> None:
    folder = save_cross_encoder(tmp_path / "m")
    state, found = codes(CrossEncoderReranker(model=str(folder), backend="torch", device="cpu"))
    assert state == "broken"
    assert found & {"near-random", "reversed"}


def test_a_model_that_is_not_here_is_unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    state, found = codes(CrossEncoderReranker(model="someone/not-here"))
    assert (state, found) == ("unchecked", {"not-here"})


@pytest.mark.models
def test_the_carried_models() -> None:
    assert codes(CrossEncoderReranker()) == ("healthy", {"prefers-blank"})
    assert codes(BiEncoderReranker()) == ("healthy", set())
    found = health.check(LateInteractionReranker(), Context())
    assert (found.state, found.findings[0].message) == ("suspect", "no projection")


def ranking(query: str, ids: str, scale: str = "logit") -> Ranking:
    return Ranking.from_scores(query, {d: -float(i) for i, d in enumerate(ids)}, scale)


def test_never_changing_the_first_stage_is_suspect() -> None:
    same = [(ranking(q, "abcd"), ranking(q, "abcd")) for q in "xy"]
    finding = health.compare_with_first_stage(same)
    assert finding is not None
    assert finding.state == "suspect"
    assert health.compare_with_first_stage(same[:1]) is None, "one query can agree by chance"
    moved = [*same, (ranking("z", "abcd"), ranking("z", "abdc"))]
    assert health.compare_with_first_stage(moved) is None
    head = [(ranking(q, "abcde"), ranking(q, "abc").followed_by(["d", "e"])) for q in "xy"]
    assert health.compare_with_first_stage(head) is not None


class LikesNothing(Oracle):
    def score(self, query: str, texts: Sequence[str], work: Work) -> list[float]:
        scores = super().score(query, texts, work)
        return [score if text else 9.0 for text, score in zip(texts, scores, strict=True)]


def test_a_reranker_that_prefers_empty_texts_is_told_so_and_stays_healthy() -> None:
    verdict = health.check(LikesNothing(), Context())
    assert verdict.state == "healthy"
    assert [finding.code for finding in verdict.findings] == ["prefers-blank"]
