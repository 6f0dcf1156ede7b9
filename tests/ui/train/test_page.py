"""The Train page: from a press to the answer, and what it says when there is little to learn."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from rerank_lab.core.work import Work
from rerank_lab.corpora import import_corpus, load_corpus
from rerank_lab.fusion.learned.model import LearnedModel
from rerank_lab.fusion.learned.settings import LearnerSettings
from rerank_lab.fusion.learned.store import list_models, save_model
from rerank_lab.learning import plan, train
from rerank_lab.services.health import HealthRequest
from rerank_lab.ui.shared import resources
from tests.ui import pages
from tests.ui.pages import drawn, open_page, until, words


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()


def html(at: AppTest) -> str:
    return "".join(str(part.value) for part in at.html)


def pressed(signals: list[str], **query: str) -> AppTest:
    at = open_page("train", corpus="helpdesk", **query)
    at.multiselect(key="train_signals").set_value(signals)
    at.number_input(key="train_rounds").set_value(10)
    drawn(at)
    at.button(key="train").click()
    return drawn(at)


@functools.cache
def trained() -> LearnedModel:
    """A model named "mine", trained once for all tests of this file."""
    return train(
        plan(
            load_corpus("helpdesk"),
            "bm25 >> ltr(bm25,overlap)",
            "mine",
            settings=LearnerSettings(rounds=5),
        )
    )


def kept() -> None:
    """The trained model lies in the data folder of the test."""
    save_model(trained(), replace=True)


def test_before_anything_the_page_says_what_it_does() -> None:
    at = open_page("train", corpus="helpdesk")
    assert "A model learns from 60 judged queries" in words(at)
    assert "Models kept" not in words(at)


def test_a_press_trains_and_answers_first() -> None:
    at = until(pressed(["bm25", "overlap"]), "What the model goes by")
    assert "on 60 queries that it did not see" in html(at)
    assert at.query_params["model"] == "helpdesk-ltr"
    assert [next(iter(table.value.columns)) for table in at.dataframe] == [
        "Ranked by", "Fold", "Feature",
    ]  # fmt: skip
    assert next(iter(at.dataframe[0].value["Ranked by"])) == "learned: helpdesk-ltr"
    assert len(at.dataframe[1].value) == 5
    assert "the figures here are the ones to quote" in words(at)
    assert [code.value for code in at.code] == [
        'bm25(k=50) >> ltr(bm25,overlap,model="helpdesk-ltr")'
    ]


def test_a_name_that_is_taken_is_asked_about_before_it_is_replaced() -> None:
    kept()
    before = list_models()[0]
    at = open_page("train", corpus="helpdesk")
    at.multiselect(key="train_signals").set_value(["bm25", "overlap"])
    at.number_input(key="train_rounds").set_value(10)
    at.text_input(key="train_name_helpdesk_1").set_value("mine")
    drawn(at)
    assert at.button(key="train").disabled
    at.checkbox(key=f"train_replace_{before.digest}").check()
    drawn(at)
    at.button(key="train").click()
    until(drawn(at), "What the model goes by")
    [after] = list_models()
    assert (after.name, after.settings.rounds) == ("mine", 10)


def test_use_in_compare_adds_the_pipeline() -> None:
    kept()
    at = open_page("train", corpus="helpdesk", model="mine", p=["bm25"])
    at.button(key="train_compare").click()
    drawn(at)
    assert at.session_state["p"] == ["bm25", 'bm25 >> ltr(bm25,overlap,model="mine")']


def test_kept_models_are_listed_opened_and_deleted() -> None:
    kept()
    at = open_page("train", corpus="helpdesk")
    assert "nDCG@10" in words(at)
    at.button(key="open_mine").click()
    until(drawn(at), "What the model goes by")
    at.button(key="delete_mine").click()
    assert "Models kept" not in words(drawn(at))
    assert "model" not in at.query_params
    assert list_models() == []


def test_a_corpus_with_little_to_learn_from_says_the_numbers(tmp_path: Path) -> None:
    file = tmp_path / "docs.jsonl"
    file.write_text("\n".join(json.dumps({"_id": str(n), "text": f"text {n}"}) for n in range(3)))
    import_corpus(file, name="plain")
    shown = words(open_page("train", corpus="plain"))
    assert "plain has no query with a relevant document" in shown
    assert "at least 10 such queries" in shown


@pytest.mark.parametrize(
    ("signals", "told"),
    [
        (["no-such-thing"], "there is no reranker"),
        (['run(path="/etc/passwd")'], "/etc/passwd"),
        (["bm25)"], "pipeline"),
    ],
)
def test_a_signal_that_cannot_be_had_is_an_error_card(signals: list[str], told: str) -> None:
    at = pressed(signals)
    assert told in words(at)
    assert "root:" not in words(at)
    assert "model" not in at.query_params


@pytest.mark.usefixtures("plugin")
def test_a_signal_that_fails_is_told_with_its_reason() -> None:
    at = until(pressed(["bm25", "faulty"]), "no such luck")
    assert list_models() == []
    assert at.button(key="train").label == "Train"


@pytest.mark.parametrize("wrong", ["nope", "../../etc"])
def test_a_wrong_link_is_an_error_card(wrong: str) -> None:
    shown = words(open_page("train", corpus="helpdesk", model=wrong))
    assert "model" in shown
    assert "nope" in shown or "cannot be the name" in shown


def test_a_source_that_counts_words_is_no_broken_model() -> None:
    kept()
    spec = 'bm25 >> ltr(bm25,overlap,model="mine")'
    at = open_page("compare", corpus="helpdesk", q="a new query", p=[spec])
    for _ in range(100):
        drawn(at)
        if "lambdamart" in words(at):
            break
    assert "lambdamart" in words(at)
    checked = resources.jobs().jobs(HealthRequest)
    assert checked == []


def test_compare_says_when_the_query_was_trained_on() -> None:
    kept()
    spec = 'bm25 >> ltr(bm25,overlap,model="mine")'
    text = load_corpus("helpdesk").queries[0].text
    at = open_page("compare", corpus="helpdesk", q=text, p=[spec])
    for _ in range(100):
        if "trained on this query" in html(at):
            return
        drawn(at)
    raise AssertionError(html(at))


def test_what_hosted_signals_would_take_is_told_before_training() -> None:
    at = open_page("train", corpus="helpdesk")
    assert "Training asks" not in words(at)
    at.multiselect(key="train_signals").set_value(["bm25", "cohere"])
    shown = words(drawn(at))
    assert "A query here takes up to 1 request" in shown
    assert "Training asks 60 queries" in shown


def test_a_key_of_this_session_serves_its_training(monkeypatch: pytest.MonkeyPatch) -> None:
    from rerank_lab.rerankers.rules.overlap import Overlap

    seen: list[str] = []
    score = Overlap.score

    def listening(self: Overlap, query: str, texts: list[str], work: Work) -> list[float]:
        seen.append(work.ctx.secret("COHERE_API_KEY", required=False))
        return score(self, query, texts, work)

    monkeypatch.setattr(Overlap, "score", listening)
    monkeypatch.delenv("COHERE_API_KEY", raising=False)
    at = open_page("train", corpus="helpdesk")
    at.session_state["session_keys"] = {"COHERE_API_KEY": "typed-here"}
    at.multiselect(key="train_signals").set_value(["overlap"])
    at.number_input(key="train_rounds").set_value(5)
    drawn(at)
    at.button(key="train").click()
    until(drawn(at), "What the model goes by")
    assert set(seen) == {"typed-here"}
