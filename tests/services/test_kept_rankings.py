"""Questions to kept rankings: as jobs, with the corpus' columns, and on to a labelling session."""

from __future__ import annotations

import gc
import time
import weakref
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.by_tag import groups_of
from rerank_lab.evaluation.unjudged import flip_risk, unjudged_bounds
from rerank_lab.jobs.table import JobTable
from rerank_lab.judging.query_sets import lab_query
from rerank_lab.judging.records import LabQuerySet, QueryOrigin
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.pipeline.engine import Engine
from rerank_lab.services.chosen_sessions import deciding_session
from rerank_lab.services.kept_rankings import KeptRankings
from rerank_lab.services.query_columns import with_query_columns
from rerank_lab.services.query_sets import with_query_set
from rerank_lab.services.session import Session
from tests.evaluation.ranked import ranked
from tests.evaluation.test_unjudged import QRELS, TWO

DONE = ranked(TWO, QRELS, ("RR@10",))
CORPUS = Corpus("mine", tuple(Document(d, f"text of {d}") for d in ("a", "x", "n1", "n2", "n3")))


def test_the_same_question_is_one_job_and_its_answer_that_of_the_core(tmp_path: Path) -> None:
    session = Session(Engine(tmp_path), JobTable(), "me")
    kept = KeptRankings(DONE, "stamp", session)
    job = kept.bounds("RR@10")
    assert job.wait(30) == unjudged_bounds(DONE, "RR@10")
    assert kept.bounds("RR@10") is job
    assert KeptRankings(DONE, "another", session).bounds("RR@10") is not job
    risk = kept.flip_risk("pooled", "new", "RR@10").wait(30)
    assert [one.doc_id for one in risk.documents] == ["n1", "n2"]
    assert len(kept.headroom("RR@10").wait(30)) == 2


def test_the_documents_that_decide_become_a_session_the_weightiest_first(tmp_path: Path) -> None:
    risk = flip_risk(DONE, "pooled", "new")
    session = deciding_session(DONE, risk, CORPUS, tmp_path, 1)
    assert [(pair.query_id, pair.doc_id) for pair in session.pairs] == [("q1", "n1")]
    assert JudgmentStore.open(tmp_path).session(session.session_id).pairs == session.pairs
    # What was judged since is not asked for again.
    judged = replace(CORPUS, qrels={"q1": {"n1": 0}, "q2": {"n2": 1}})
    with pytest.raises(InvalidInput, match="nothing to judge"):
        deciding_session(DONE, risk, judged, tmp_path)


def test_queries_kept_without_columns_take_those_of_the_corpus() -> None:
    queries = tuple(Query(f"q{n}", f"question q{n}", {"kind": "yes, no"}) for n in (1, 2))
    tagged = with_query_columns(DONE, replace(CORPUS, queries=queries))
    assert [dict(query.meta) for query in tagged.design.queries] == [
        {"kind": ["yes", "no"]}, {"kind": ["yes", "no"]}, {},
    ]  # fmt: skip
    assert groups_of(tagged) == ()


def test_a_query_set_gives_its_tags_and_frequencies_to_the_corpus_own_queries(
    tmp_path: Path,
) -> None:
    store = JudgmentStore.open(tmp_path)
    query = lab_query("question q1", QueryOrigin.LOG, ("head",), query_id="q1", frequency=7)
    store.save_query_set(LabQuerySet("mine", "log", (query,), datetime.now(UTC)))
    own = Query("q1", "question q1", {"kind": "short"}, frozenset({"x"}))
    (asked,) = with_query_set(replace(CORPUS, queries=(own,)), "log", store).queries
    assert dict(asked.meta) == {"kind": "short", "tags": ["head"], "frequency": 7}
    assert asked.excluded == {"x"}


def test_a_job_that_is_done_holds_its_answer_and_not_all_rankings(tmp_path: Path) -> None:
    evaluation = replace(DONE)
    alive = weakref.ref(evaluation)
    session = Session(Engine(tmp_path), JobTable(), "me")
    job = KeptRankings(evaluation, "stamp", session).sensitivity("RR@10", ())
    assert job.wait(30) is not None
    del evaluation
    end = time.monotonic() + 5
    while alive() is not None and time.monotonic() < end:
        gc.collect()
        time.sleep(0.05)
    assert alive() is None
