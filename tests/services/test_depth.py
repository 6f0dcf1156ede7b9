"""How many candidates are enough: knee, ceiling, harm of more; kept with its evaluation."""

from __future__ import annotations

from pathlib import Path

import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora.corpus import Corpus
from rerank_lab.evaluation.experiments import plan
from rerank_lab.evaluation.experiments import run as run_experiment
from rerank_lab.jobs.table import JobTable
from rerank_lab.pipeline.engine import Engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services import depth
from rerank_lab.services.depth import DepthRequest
from rerank_lab.services.session import Session
from rerank_lab.views.depth import depth_view

pytestmark = pytest.mark.usefixtures("plugin")
FALLS, GROWS = "as-given >> by-length", "as-given >> by-length(sign=-1)"


@pytest.fixture
def corpus() -> Corpus:
    """Sixty texts, each longer than those before; the first five are relevant to every query."""
    documents = tuple(Document(f"d{n:02}", "x" * (n + 1)) for n in range(60))
    queries = tuple(Query(f"q{n}", f"question {n}") for n in range(12))
    grades = {f"d{n:02}": 1 for n in range(5)}
    return Corpus("c", documents, queries, {query.id: grades for query in queries})


def _request(*specs: str, depths: tuple[int, ...] = (5, 10, 20, 50)) -> DepthRequest:
    return DepthRequest(tuple(Pipeline(spec).spec for spec in specs), "P@5", depths)


def test_a_reranker_that_drowns_is_told_with_the_size_of_the_loss(
    corpus: Corpus, tmp_path: Path
) -> None:
    engine = Engine(tmp_path)
    study = depth.run(_request(FALLS, GROWS), corpus, engine.context(), engine)
    falls, grows = study.curves
    assert [point.value for point in falls.points] == [1.0, 0.0, 0.0, 0.0]
    assert [point.recall for point in falls.points] == [1.0] * 4
    assert [point.oracle for point in falls.points] == [1.0] * 4
    assert falls.drowning is not None
    assert (falls.drowning.depth, falls.knee) == (5, falls.points[0])
    assert grows.drowning is None
    answer = depth_view(study, {FALLS: "long", GROWS: "short"}).answer
    assert answer[0] == (
        "long: 5 candidates are enough (P@5 1.000, the best of all depths). More make it worse: "
        "−1.00 [−1.00, −1.00] with 50 against 5 (Holm p = 0.003)."
    )
    assert answer[1].endswith("No loss from more of them is shown.")


def test_depths_beyond_the_corpus_are_left_out_and_times_are_said_to_be_estimates(
    corpus: Corpus, tmp_path: Path
) -> None:
    engine = Engine(tmp_path)
    request = _request("as-given", FALLS, depths=(100, 30, 1000))
    study = depth.run(request, corpus, engine.context(), engine)
    assert study.depths == (30, 100)
    assert [curve.timing for curve in study.curves] == ["measured", "estimated"]
    assert study.curves[1].points[1].candidates == 60
    rows = depth_view(study, {}).rows
    assert [row.p95.startswith("≈") for row in rows] == [False, False, True, True]
    again = depth.run(request, corpus, engine.context(), Engine(tmp_path))
    assert [curve.timing for curve in again.curves] == ["measured", ""]


def test_a_pipeline_that_fails_has_no_curve_and_takes_none_from_the_others(
    corpus: Corpus, tmp_path: Path
) -> None:
    engine = Engine(tmp_path)
    study = depth.run(_request("as-given >> faulty", FALLS), corpus, engine.context(), engine)
    assert (study.queries, len(study.curves[1].points)) == (12, 4)
    assert not study.curves[0].points
    assert study.curves[0].failed == 12
    assert len(depth_view(study, {}).problems) == 1


def test_a_study_is_kept_with_its_evaluation(corpus: Corpus, tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    evaluation = run_experiment(plan(corpus, [FALLS], measures=["P@5"]), engine=engine)
    request = depth.request_for(evaluation, depths=(5, 10))
    job = depth.start(request, evaluation, corpus, Session(engine, JobTable(), "me"))
    assert job.finished.wait(20)
    assert job.error is None
    (kept,) = depth.depth_studies(evaluation.id, engine.home)
    assert kept == job.result
    # every score was kept, so that the times of the evaluation tell what a candidate takes
    assert kept.curves[0].timing == "estimated"


def test_what_cannot_be_tried_is_said_before_any_work(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="1 to 1,000"):
        depth.designed(_request(FALLS, depths=(2000,)), corpus)
    unjudged = Corpus("c", corpus.documents, corpus.queries)
    with pytest.raises(InvalidInput, match="No query of 'c' is judged"):
        depth.designed(_request(FALLS), unjudged)
