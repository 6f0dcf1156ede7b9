"""Depth, grid and options as a visitor asks for them: begun, waited for, shown, taken along."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rerank_lab.corpora import load_corpus
from rerank_lab.evaluation.experiments import evaluate
from rerank_lab.services.run_files import add_run_file, run_files
from tests.ui import pages
from tests.ui.pages import drawn, open_page, until, words


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()


@pytest.fixture
def experiment_id() -> str:
    corpus = load_corpus("helpdesk")
    specs = ["bm25(k=10)", "bm25(k=10) >> overlap"]
    return evaluate(corpus, specs, queries=corpus.queries[:8], measures=["nDCG@10"]).id


@pytest.mark.parametrize(
    ("question", "button", "sentence", "file"),
    [
        ("depth", "depth_start", "candidates", "depth.csv"),
        ("grid", "grid_start", "first stage", "grid.csv"),
        ("search", "search_begin", "held-out", "tuning.csv"),
    ],
)
def test_a_question_is_begun_answered_and_taken_along(
    experiment_id: str, question: str, button: str, sentence: str, file: str
) -> None:
    at = open_page("evaluate", exp=experiment_id, question=question)
    at.button(key=button).click()
    until(drawn(at), "All of it (JSON)")
    assert sentence in words(at)
    labels = [one.label for one in at.download_button if file[:-4] in str(one.key)]
    assert labels == ["CSV", "Markdown", "Parquet", "LaTeX", "All of it (JSON)"]
    # The answer is kept: a fresh page shows it, and offers to ask again.
    at = open_page("evaluate", exp=experiment_id, question=question)
    assert sentence in words(at)
    assert at.button(key=button) is not None


def test_an_uploaded_run_is_deleted() -> None:
    corpus = load_corpus("helpdesk")
    line = f"{corpus.queries[0].id} Q0 {corpus.documents[0].id} 1 1.0 x\n"
    for name in ("first.trec", "second.trec"):
        add_run_file(name, line.encode(), corpus)
    at = open_page("evaluate", corpus="helpdesk", p=["bm25"])
    box = next(box for box in at.selectbox if box.label == "Uploaded run")
    names = list(run_files())
    assert list(box.options) == names
    box.set_value(names[1])
    drawn(at)
    at.button(key="run_file_delete").click()
    drawn(at)
    assert list(run_files()) == names[:1]
