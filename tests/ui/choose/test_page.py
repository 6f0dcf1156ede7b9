"""The Choose page: empty, and with an evaluation and limits in the link."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from rerank_lab.corpora import load_corpus
from rerank_lab.evaluation.experiments import evaluate
from tests.ui import pages
from tests.ui.pages import drawn, open_page, words


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()


def html(at: object) -> str:
    return "".join(str(part.value) for part in at.html)  # type: ignore[attr-defined]


def test_without_an_evaluation_the_page_teaches_and_leads_to_one() -> None:
    at = open_page("choose", corpus="helpdesk")
    assert "Which reranker should you take?" in words(at)
    assert at.button(key="choose_to_evaluate").label == "Evaluate pipelines on helpdesk"


def test_the_newest_evaluation_is_decided_under_the_limits_of_the_link() -> None:
    corpus = load_corpus("helpdesk")
    done = evaluate(
        corpus, ["bm25", "bm25 >> overlap"], queries=corpus.queries[:8], measures=["RR@10"]
    )  # fmt: skip
    at = open_page("choose", corpus="helpdesk", licence="Open source", local="true")
    assert at.query_params["exp"] in (done.id, [done.id])
    assert "Who remains" in words(at)
    assert "rl-verdict" in html(at)
    buttons = {one.proto.label for one in at.get("download_button")}
    assert {"YAML", "Python module", "Golden cases"} <= buttons
    assert "Forms that this pipeline does not have" in [one.label for one in at.expander]
    at.number_input(key="price").set_value(0.5)
    drawn(at)
    assert "No pipeline meets all of these requirements." in html(at)
    assert "its price is not known. Missing: the price of an hour of your hardware." in html(at)
    at.number_input(key="hour").set_value(0.0)
    drawn(at)
    assert "Who fell" not in words(at)


def test_judgments_of_other_documents_are_told_with_what_helps() -> None:
    corpus = load_corpus("helpdesk")
    qrels = {query.id: {"elsewhere-1": 1} for query in corpus.queries[:8]}
    done = evaluate(
        replace(corpus, qrels=qrels), ["bm25", "bm25(b=0.3)"], queries=corpus.queries[:8],
        measures=["RR@10"],
    )  # fmt: skip
    at = open_page("choose", exp=done.id)
    assert "The data cannot decide. Every pipeline has RR@10 0 on all 8 queries." in html(at)
    assert "The one document judged relevant is not in the corpus" in words(at)
    assert at.button(key="choose_corpora_0").label == "Open corpora"
    assert "Ship" not in words(at)
