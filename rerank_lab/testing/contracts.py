"""The contract of every reranker, as tests for everyone who writes one.

    from rerank_lab.testing import reranker_contract

    TestMine = reranker_contract(MyReranker, model="some-model")

gives pytest a class whose tests check what pipelines, cache, jobs and screens rely on. Nothing here
needs pytest to be installed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import BackendError, Cancelled, ContractViolation, LabError
from rerank_lab.core.spec import Literal, Node, parse
from rerank_lab.core.types import Document, Query, Ranking
from rerank_lab.rerankers.base import Reranked, Reranker

QUERY = Query("q", "how many people live in Berlin?")
TEXTS = (
    "Berlin has 3,520,031 registered inhabitants.",
    "Berlin is well known for its museums.",
    "New York City is famous for its Metropolitan Museum of Art.",
    "東京の人口は約1400万人です。",
    "עיר גדולה עם אנשים רבים",
    "😀 emoji, a NUL \x00 and half a surrogate \ud83d",
    "",
    "word",
)
_TOLERANCE = 1e-3
"""Scores may differ by this, relative to their spread, between calls of different company."""


class ReferenceContract:
    """The checks. `make()` gives a fresh reranker; subclasses come from `reranker_contract`."""

    reranker: ClassVar[type[Reranker]]
    options: ClassVar[Mapping[str, Literal]]

    def make(self) -> Reranker:
        """A fresh reranker with the options under test."""
        return self.reranker(**self.options)

    def test_result_is_a_permutation(self) -> None:
        """Every document comes back once; `may_drop` alone leaves out those without text."""
        reranker = self.make()
        result = self._rank(reranker, TEXTS)
        leaves_out = {doc.id for doc in _docs(TEXTS) if doc.blank and reranker.may_drop}
        expected = {doc.id for doc in _docs(TEXTS)} - leaves_out
        assert sorted(result.ranking.doc_ids) == sorted(expected)
        assert result.trace.documents == len(TEXTS)

    def test_no_documents_give_an_empty_ranking(self) -> None:
        """No candidates are no error."""
        assert len(self._rank(self.make(), ()).ranking) == 0

    def test_one_document_is_not_special(self) -> None:
        """A single candidate is ranked like any other number of them."""
        assert self._rank(self.make(), TEXTS[:1]).ranking.doc_ids == ("d0",)

    def test_duplicate_texts_keep_both_ids_and_share_a_score(self) -> None:
        """Documents are told apart by their ids, scores by their texts."""
        ranking = self._rank(self.make(), (TEXTS[0], TEXTS[1], TEXTS[0])).ranking
        assert sorted(ranking.doc_ids) == ["d0", "d1", "d2"]
        scores = {hit.doc_id: hit.score for hit in ranking}
        assert scores["d0"] == scores["d2"]

    def test_a_very_long_text_is_ranked(self) -> None:
        """A text longer than the model reads is cut, not refused."""
        long = "People live in many cities, and Berlin is one. " * 2_000
        assert len(self._rank(self.make(), (*TEXTS[:2], long)).ranking) == 3

    def test_same_input_same_output(self) -> None:
        """Unless `info.deterministic` is False, the same question has the same answer."""
        reranker = self.make()
        if reranker.info.deterministic:
            first, second = self._rank(reranker, TEXTS), self._rank(reranker, TEXTS)
            assert first.ranking == second.ranking

    def test_scores_do_not_depend_on_company_or_order(self) -> None:
        """Holds for those that score alone: their scores are kept and used at any depth."""
        reranker = self.make()
        if not reranker.scores_alone:
            return
        whole = _scores(self._rank(reranker, TEXTS))
        docs = _docs(TEXTS)[::-1][1:]
        part = _scores(_reranked(reranker, docs))
        spread = max(whole.values()) - min(whole.values())
        for doc_id, score in part.items():
            assert abs(score - whole[doc_id]) <= _TOLERANCE * max(spread, 1e-9), doc_id

    def test_eight_threads_get_the_same_answer(self) -> None:
        """One instance serves several threads; the lab shares it between visitors."""
        reranker = self.make()
        expected = self._rank(reranker, TEXTS).ranking.doc_ids
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: self._rank(reranker, TEXTS), range(8)))
        assert {answer.ranking.doc_ids for answer in answers} == {expected}

    def test_cancel_is_heard_while_working(self) -> None:
        """The cancel token is looked at between batches: call `work.checkpoint`."""
        reranker = self.make()
        reranker.load(Context())
        token = CancelledAfter(1)
        try:
            _reranked(reranker, _docs(TEXTS * 4), Context(cancel=token))
        except Cancelled:
            return
        assert token.checks <= 1, "the cancel token was set while working, and nobody looked"

    def test_nothing_runs_when_cancelled_before(self) -> None:
        """A call that is cancelled before it begins raises Cancelled."""
        token = CancelToken()
        token.cancel()
        try:
            _reranked(self.make(), _docs(TEXTS), Context(cancel=token))
        except Cancelled:
            return
        raise AssertionError("a cancelled call gave a ranking")

    def test_the_same_document_twice_is_refused(self) -> None:
        """Two documents with one id are a ContractViolation."""
        try:
            _reranked(self.make(), [Document("a", "x"), Document("a", "y")])
        except ContractViolation:
            return
        raise AssertionError("two documents with one id were ranked")

    def test_scores_that_are_no_numbers_are_an_error_with_a_hint(self) -> None:
        """NaN from a model is a BackendError with a hint, never a ranking."""
        reranker = self.make()
        if not reranker.scores_alone:
            return
        reranker.load(Context())
        not_numbers = [math.nan] * len(TEXTS)
        setattr(reranker, "score", lambda query, texts, work: not_numbers[: len(texts)])  # noqa: B010
        error = failure_of(reranker)
        assert isinstance(error, BackendError), "NaN scores gave a ranking"
        assert error.hint

    def test_spec_round_trips(self) -> None:
        """The component with its options can be written as a spec and read again."""
        info = self.reranker.info
        node = Node(info.name, tuple(self.options.items()))
        assert parse(str(node)).source == node
        assert info.complete(node.values) == dict(self.make().options)

    def test_info_says_what_forms_and_help_need(self) -> None:
        """`info` has a summary, a scale, help for every option, and defaults that are allowed."""
        info = self.reranker.info
        assert info.kind == "reranker"
        assert info.summary
        assert info.scale
        assert info.param("top") is not None, "the pipeline reads the option `top`"
        assert all(param.help for param in info.params)
        assert not [p.name for p in info.params if p.check(p.default)[1]], "a default is refused"

    def test_constructing_is_instant(self) -> None:
        """Models are loaded in `_load`, so that forms and checks can construct it."""
        start = time.perf_counter()
        self.make()
        assert time.perf_counter() - start < 1.0, "load the model in _load, not in __init__"

    def test_closed_and_used_again(self) -> None:
        """After `close` a call loads the model again and gives the same order."""
        reranker = self.make()
        before = self._rank(reranker, TEXTS[:3]).ranking.doc_ids
        reranker.close()
        assert self._rank(reranker, TEXTS[:3]).ranking.doc_ids == before

    def test_fingerprint_is_stable_and_follows_options(self) -> None:
        """Two instances with the same options have one fingerprint, by which scores are kept."""
        assert self.make().fingerprint() == self.make().fingerprint()

    def _rank(self, reranker: Reranker, texts: Sequence[str]) -> Reranked:
        return _reranked(reranker, _docs(texts))


def reranker_contract(reranker: type[Reranker], **options: Literal) -> type[ReferenceContract]:
    """A class of tests for `reranker` with `options`: assign it to a name that starts with Test."""
    name = f"TestContractOf{reranker.__name__}"
    return type(name, (ReferenceContract,), {"reranker": reranker, "options": options})


class CancelledAfter(CancelToken):
    """A cancel token that is set once it has been asked `checks_allowed` times."""

    def __init__(self, checks_allowed: int) -> None:
        super().__init__()
        self.checks = 0
        self._allowed = checks_allowed

    @property
    def cancelled(self) -> bool:
        """Whether more than the allowed checks were made."""
        self.checks += 1
        return self.checks > self._allowed


def failure_of(
    reranker: Reranker, texts: Sequence[str] = TEXTS, ctx: Context | None = None
) -> LabError | None:
    """The LabError that reranking `texts` ends with, None when it works."""
    try:
        _reranked(reranker, _docs(texts), ctx)
    except LabError as error:
        return error
    return None


def _reranked(reranker: Reranker, docs: Sequence[Document], ctx: Context | None = None) -> Reranked:
    """As a pipeline asks: the documents come from a stage that ranked and scored them."""
    places = {doc.text: place for place, doc in enumerate(docs)}
    scored = {doc.id: 1.0 - places[doc.text] / 100 for doc in docs}
    before = Ranking.from_scores(QUERY.id, scored, "bm25", previous=[doc.id for doc in docs])
    return reranker.rerank(QUERY, docs, ctx or Context(), before)


def _docs(texts: Sequence[str]) -> list[Document]:
    return [Document(f"d{i}", text) for i, text in enumerate(texts)]


def _scores(result: Reranked) -> dict[str, float]:
    return {hit.doc_id: hit.score for hit in result.ranking if hit.score is not None}
