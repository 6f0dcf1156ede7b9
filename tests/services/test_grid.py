"""Rerankers over first stages: which pairs add up, and what limits them."""

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
from rerank_lab.services import grid
from rerank_lab.services.session import Session
from rerank_lab.views.grid import grid_rows, grid_view

pytestmark = pytest.mark.usefixtures("plugin")
GOOD, BAD = "by-length", "by-length(sign=-1)"


@pytest.fixture
def corpus() -> Corpus:
    """Sixty texts, each longer than those before; relevant are the fourth to the sixth, and two
    that no first stage of 20 candidates finds."""
    documents = tuple(Document(f"d{n:02}", "x" * (n + 1)) for n in range(60))
    queries = tuple(Query(f"q{n}", f"question {n}") for n in range(12))
    grades = dict.fromkeys(("d03", "d04", "d05", "d50", "d51"), 1)
    return Corpus("c", documents, queries, {query.id: grades for query in queries})


def test_which_pairs_add_up_and_what_limits_them_is_said_in_words(
    corpus: Corpus, tmp_path: Path
) -> None:
    engine = Engine(tmp_path)
    request = grid.request_for(["as-given(k=6)", "as-given(k=20)"], [GOOD, BAD], "RR@10")
    study = grid.run(request, corpus, engine.context(), engine)
    assert [[round(pair.value, 3) for pair in study.pairs]] == [[0.25, 1.0, 0.25, 0.25, 0, 0.25]]
    few, many = study.pair("as-given(k=6)", GOOD), study.pair("as-given(k=20)", GOOD)
    assert few is not None
    assert many is not None
    assert (few.adds_up, many.harms) == (True, True)
    assert not study.limited_by_first_stage(many)
    view = grid_view(study)
    assert view.answer[0] == "Best: as-given(k=6) >> by-length, RR@10 1.000."
    assert view.answer[1].startswith(
        "as-given(k=6): it adds up with by-length (+0.75, p = 0.002); no change is shown with "
    )
    assert grid_rows(view)[1] == ["as-given(k=6)", "0.250", "1.000 ↑", "0.250"]
    assert "finds 60% of the relevant documents, in best order 1.000" in view.notes[1]


def test_a_first_stage_that_misses_more_than_the_order_loses_is_the_bottleneck(
    corpus: Corpus, tmp_path: Path
) -> None:
    engine = Engine(tmp_path)
    request = grid.request_for(["as-given(k=6)"], [GOOD], "R@10")
    study = grid.run(request, corpus, engine.context(), engine)
    assert (
        "The first stage is the bottleneck: what it misses costs 0.400"
        in (grid_view(study).answer[1])
    )


def test_answers_of_the_experiment_are_taken_over_and_the_grid_is_kept(
    corpus: Corpus, tmp_path: Path, plugin: list[tuple[str, object]]
) -> None:
    engine = Engine(tmp_path)
    specs = [f"as-given(k=20) >> {GOOD}", f"as-given(k=6) >> {BAD}"]
    evaluation = run_experiment(plan(corpus, specs, measures=["RR@10"]), engine=engine)
    firsts, rerankers = grid.parts_of(evaluation)
    assert (firsts, rerankers) == (("as-given(k=20)", "as-given(k=6)"), (GOOD, BAD))
    request = grid.request_for(firsts, rerankers, "RR@10", depth=grid.depth_of(evaluation))
    job = grid.start(request, evaluation, corpus, Session(engine, JobTable(), "me"))
    assert job.finished.wait(20)
    (kept,) = grid.grid_studies(evaluation.id, engine.home)
    assert kept == job.result
    assert len(kept.pairs) == 6
    timed = kept.pair("as-given(k=20)", GOOD)
    assert timed is not None
    assert timed.p95 is not None


def test_a_pair_that_fails_is_named_and_takes_nothing_from_the_others(
    corpus: Corpus, tmp_path: Path
) -> None:
    engine = Engine(tmp_path)
    request = grid.request_for(["as-given"], [GOOD, "faulty"], "RR@10")
    study = grid.run(request, corpus, engine.context(), engine)
    assert len(study.pairs) == 2
    assert study.queries == 12
    assert [cell.words for cell in grid_view(study).cells[0]][-1] == "–"
    assert len(grid_view(study).problems) == 1


def test_what_is_no_grid_is_refused(corpus: Corpus) -> None:
    with pytest.raises(InvalidInput, match="more than a first stage"):
        grid.request_for(["as-given >> by-length"], [GOOD])
    with pytest.raises(InvalidInput, match="at least one first stage"):
        grid.designed(grid.request_for(["as-given"], []), corpus)
