"""The Calibrate page: from a press of the button to a threshold, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from rerank_lab.core.spend import SpendMeter
from rerank_lab.corpora import import_corpus
from rerank_lab.remote.urls import ALLOW_PRIVATE
from rerank_lab.testing.provider_servers import KEY, FakeProvider
from rerank_lab.ui.shared import resources
from tests.ui import pages
from tests.ui.pages import FRAME, drawn, open_page, until, words


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()


def test_before_anything_the_page_says_what_it_is_for() -> None:
    at = open_page("calibrate", corpus="helpdesk", p=["bm25 >> overlap"])
    assert "does not say how likely one is relevant" in words(at)
    assert at.button(key="calibrate").label == "Calibrate"


def test_a_press_fits_a_curve_and_offers_a_threshold() -> None:
    at = open_page("calibrate", corpus="helpdesk", p=["bm25", "bm25 >> overlap"])
    assert str(at.selectbox(key="calibrate_pipeline").value) == "bm25 >> overlap"
    at.button(key="calibrate").click()
    until(drawn(at), "Brier score")
    assert at.query_params["cal"] == "bm25(k=50) >> overlap"
    assert "judged candidates" in words(at)
    at.slider(key="calibrate_precision").set_value(50)
    drawn(at)
    assert "From a probability of" in words(at) or "No threshold keeps" in words(at)
    assert any(">> platt(" in code.value or ">> isotonic(" in code.value for code in at.code)


def test_a_link_shows_the_same_calibration() -> None:
    at = open_page("calibrate", corpus="helpdesk", cal="bm25(k=20) >> overlap", grade="2")
    until(at, "with grade 2 or more")


def test_a_pipeline_that_gives_no_scores_is_explained() -> None:
    at = open_page("calibrate", corpus="helpdesk", cal="bm25(k=20) >> both-ends")
    until(at, "gives no scores for judged documents")


def test_judgments_that_rule_a_calibration_out_are_told_before_anything_runs(
    tmp_path: Path,
) -> None:
    rows = [{"_id": f"d{n}", "text": f"text {n}"} for n in range(25)]
    (tmp_path / "docs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    queries = [{"_id": f"q{n}", "text": f"text {n}"} for n in range(25)]
    (tmp_path / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    (tmp_path / "qrels.txt").write_text("\n".join(f"q{n} 0 d{n} 1" for n in range(25)))
    import_corpus(tmp_path / "docs.jsonl", name="positive",
                  queries=tmp_path / "queries.jsonl", qrels=tmp_path / "qrels.txt")  # fmt: skip
    shown = words(open_page("calibrate", corpus="positive", cal="bm25(k=20) >> overlap"))
    assert "25 judged queries with 25 relevant and 0 other documents" in shown
    assert "Judge some with grade 0" in shown
    assert not [job for job in resources.jobs().jobs() if job.name.startswith("Calibrating")]


def test_a_link_with_a_wrong_pipeline_is_an_error_card() -> None:
    at = open_page("calibrate", corpus="helpdesk", cal="bm25 >> no-such-thing")
    assert "there is no reranker" in words(at)


def test_a_corpus_without_judgments_is_told_what_is_needed(tmp_path: Path) -> None:
    file = tmp_path / "docs.jsonl"
    file.write_text("\n".join(json.dumps({"_id": str(n), "text": f"text {n}"}) for n in range(3)))
    import_corpus(file, name="plain")
    at = open_page("calibrate", corpus="plain")
    assert "plain has no judged queries" in words(at)
    assert "at least 10 judged queries" in words(at)


def test_a_provider_is_asked_with_the_key_and_within_the_limit_of_the_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    monkeypatch.delenv("COHERE_API_KEY", raising=False)
    with FakeProvider("cohere") as server:
        spec = f'bm25(k=20) >> cohere(base_url="{server.url}",price=0.001)'
        at = AppTest.from_file(str(FRAME), default_timeout=240)
        at.session_state["session_keys"] = {"COHERE_API_KEY": KEY}
        at.session_state["spend_meter"] = SpendMeter(limit=0.0305)
        at.query_params["corpus"], at.query_params["p"] = "helpdesk", [spec]
        drawn(at)
        at.switch_page("calibrate.py")
        drawn(at).button(key="calibrate").click()
        until(drawn(at), "Brier score")
        assert len(server.requests) == 30
        assert at.session_state["spend_meter"].spent <= 0.0305


def test_a_link_alone_asks_no_provider() -> None:
    spec = "bm25(k=5) >> cohere"
    at = open_page("calibrate", corpus="helpdesk", cal=spec, p=["bm25 >> cohere"])
    assert "would ask a provider every judged query" in words(at)
    assert "60 requests" in words(at)
    assert not [job for job in resources.jobs().jobs() if job.name.startswith("Calibrating")]
