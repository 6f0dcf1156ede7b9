"""Kept evaluations on the page: named, found, put away, compared with the one on screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from rerank_lab.core.types import Ranking, Status
from rerank_lab.corpora import load_corpus
from rerank_lab.evaluation.experiments import Cell, list_experiments, plan
from rerank_lab.evaluation.experiments.store import ExperimentRecord
from rerank_lab.services.run_files import add_run_file
from tests.ui import pages
from tests.ui.pages import drawn, open_page, words


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()


def keep(spec: str, place: int) -> str:
    """An evaluation of some queries that has the first right document at this place."""
    corpus = load_corpus("helpdesk")
    planned = plan(corpus, [spec], queries=corpus.queries[:12], measures=["RR@10"])
    design = replace(planned.design, created_at=f"2026-01-0{place}T00:00:00+00:00")
    record = ExperimentRecord(planned.id)
    writer = record.writer(record.open(design))
    for query in design.queries:
        right = max(design.qrels[query.id], key=lambda one: design.qrels[query.id][one])
        doc_ids = [*(f"wrong-{number}" for number in range(place - 1)), right]
        writer.add(Cell(query.id, spec, Status.OK, Ranking.from_order(query.id, doc_ids)))
    return design.id


def test_an_uploaded_run_stands_beside_the_pipelines_above() -> None:
    corpus = load_corpus("helpdesk")
    lines = (f"{query.id} Q0 {corpus.documents[0].id} 1 1.0 x\n" for query in corpus.queries)
    run = add_run_file("other engine.trec", "".join(lines).encode(), corpus)
    at = open_page("evaluate", corpus="helpdesk", p=["bm25"])
    at.selectbox(key="run_file_choice").set_value(run.name)
    assert drawn(at).session_state["p"] == ["bm25", str(run.pipeline)]
    assert "left out" not in words(at)
    assert not any(str(box.key) == "run_file_choice" for box in at.selectbox)


def test_a_kept_evaluation_is_compared_named_and_put_away() -> None:
    first, second = keep("bm25(b=0.1)", 3), keep("bm25(b=0.2)", 1)
    keep("bm25(b=0.3)", 2)
    at = open_page("evaluate", exp=first)
    at.button(key=f"across_with_{second}").click()
    drawn(at)
    assert (at.query_params["question"], at.query_params["with"]) == ("across", second)
    assert "bm25(b=0.2) is better than bm25(b=0.1) here, on 12 queries" in words(at)

    at = open_page("evaluate", exp=first, question="across", **{"with": second})
    assert "bm25(b=0.2) is better than bm25(b=0.1) here" in words(at)
    at.button(key=f"edit_{second}").click()
    drawn(at)
    next(box for box in at.text_input if box.label == "Name").set_value("Weekly *run*")
    next(box for box in at.text_input if box.label.startswith("Tags")).set_value("prod, night")
    at.button(key=f"FormSubmitter:describe_{second}-Save").click()
    drawn(at)
    entry = next(one for one in list_experiments() if one.id == second)
    assert (entry.name, entry.tags) == ("Weekly *run*", ("prod", "night"))
    assert "prod, night" in words(at)

    at.text_input(key="kept_words").set_value("weekly")
    assert [b.key for b in drawn(at).button if str(b.key).startswith("open_")] == [f"open_{second}"]
    at.button(key=f"edit_{second}").click()
    drawn(at).button(key=f"archive_{second}").click()
    assert "None of the kept evaluations fits." in words(drawn(at))
