"""The Evaluate page: from a press of the button to results, failures, resuming, a large set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from rerank_lab.core.context import Context
from rerank_lab.corpora import import_corpus, load_corpus
from rerank_lab.evaluation.experiments import (
    Experiment,
    list_experiments,
    load_experiment,
    plan,
    run,
)
from rerank_lab.evaluation.experiments.store import ExperimentRecord
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.remote.urls import ALLOW_PRIVATE
from rerank_lab.services.workers import WORKERS_VARIABLE, WorkersChoice
from rerank_lab.testing.provider_servers import KEY, FakeProvider
from tests.ui import pages
from tests.ui.pages import drawn, open_page, until, words


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()


def pressed(*pipelines: str, corpus: str = "helpdesk", first: int = 10) -> AppTest:
    at = open_page("evaluate", corpus=corpus, p=list(pipelines))
    box = next(box for box in at.selectbox if box.label == "Queries")
    if first < int(box.value):
        box.set_value(first)
        drawn(at)
    at.button(key="evaluate").click()
    return until(drawn(at), "TREC runs")


def html(at: AppTest) -> str:
    return "".join(str(part.value) for part in at.html)


def kept(*specs: str, done: int = 0) -> Experiment:
    """An experiment of which `done` cells were run."""
    made = plan(load_corpus("helpdesk"), specs, measures=["nDCG@10"])
    if done:

        class Enough(Exception):
            pass

        entered: list[str] = []

        def stop(pipeline: str) -> AbstractContextManager[None]:
            if len(entered) == done:
                raise Enough
            entered.append(pipeline)
            return nullcontext()

        with pytest.raises(Enough):
            run(made, engine=default_engine(), turn=stop)
    return made


def test_before_anything_the_page_says_what_it_will_do() -> None:
    at = open_page("evaluate")
    assert "60 judged queries are asked of each pipeline" in words(at)
    assert "Evaluate" in [button.label for button in at.button]


def test_a_corpus_without_queries_says_what_is_needed(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("a text")
    import_corpus(tmp_path / "mine.txt", "mine")
    assert "has no queries yet" in words(open_page("evaluate", corpus="mine"))


def test_two_pipelines_are_measured_compared_and_listed_query_by_query() -> None:
    at = pressed("bm25", "bm25(b=0.0)")
    assert "On 10 queries, " in html(at)
    assert "10 answered" in html(at)
    table = at.dataframe[-1].value
    assert list(table.columns[:5]) == ["Compare", "Query", "Apart", "bm25", "bm25(b=0.0)"]
    assert len(table) == 10
    assert list(table["Apart"]) == sorted(table["Apart"], reverse=True)
    assert [d.label for d in at.download_button] == [
        "CSV", "JSON", "Markdown", "Parquet", "LaTeX", "CSV", "JSON", "Parquet", "TREC runs",
        "HTML", "Markdown", "With its data (ZIP)",
    ]  # fmt: skip


def test_the_link_to_results_shows_them_on_a_fresh_server() -> None:
    made = kept("bm25")
    run(made)
    at = open_page("evaluate", exp=made.id)
    assert "reaches" in html(at)
    assert "60 answered" in html(at)


def test_other_measures_of_the_same_answers_come_without_asking_again() -> None:
    at = pressed("bm25")
    at.multiselect(key="measures").set_value(["R@10", "AP"])
    drawn(at)
    at.button(key="evaluate").click()
    drawn(at)
    until(at, "TREC runs")
    assert "R@10" in html(at)
    assert "nDCG" not in html(at)


def test_without_a_measure_there_is_nothing_to_press() -> None:
    at = open_page("evaluate", p=["bm25"])
    at.multiselect(key="measures").set_value([])
    assert next(b for b in drawn(at).button if b.key == "evaluate").disabled


@pytest.mark.usefixtures("plugin")
def test_a_pipeline_that_fails_says_so_and_leaves_the_other_alone() -> None:
    at = pressed("bm25", "bm25 >> faulty")
    shown = words(at)
    assert "no such luck" in shown
    assert "answered no query" in shown
    assert "bm25 answered 10 of 10 queries, " in html(at)
    assert "nothing to compare." in html(at)
    assert "0 answered" in html(at)


@pytest.mark.usefixtures("plugin")
def test_the_list_of_queries_begins_with_a_pipeline_that_answered() -> None:
    experiment = kept("bm25", "bm25 >> faulty", "bm25(b=0.0)")
    run(experiment)
    at = open_page("evaluate", exp=experiment.id)
    against = next(box for box in at.selectbox if box.label == "Against the baseline")
    assert against.options == ["bm25(b=0.0)", "bm25 >> faulty"]


def test_what_was_cut_short_is_shown_and_goes_on() -> None:
    made = kept("bm25", "bm25(b=0.0)", done=7)
    at = open_page("evaluate", exp=made.id)
    assert "7 of 120 answers are in" in words(at)
    at.button(key="evaluate_resume").click()
    until(drawn(at), "TREC runs")
    until(at, "TREC runs")
    assert "answers are in" not in words(at)
    assert "60 answered" in html(at)


def test_kept_experiments_are_listed_opened_and_deleted() -> None:
    made = kept("bm25", done=7)
    at = open_page("evaluate")
    assert "60 queries, 7 of 60 answers in" in words(at)
    at.button(key=f"open_{made.id}").click()
    assert "7 of 60 answers are in" in words(drawn(at))
    at = open_page("evaluate")
    at.button(key=f"delete_{made.id}").click()
    assert "Kept from before" not in words(drawn(at))
    assert list_experiments() == []


def test_an_experiment_of_other_documents_is_not_gone_on_with() -> None:
    made = kept("bm25", done=7)
    changed = replace(made.design, corpus_hash="0" * 64)
    ExperimentRecord(made.id, default_engine().home).open(changed)
    at = open_page("evaluate", exp=made.id)
    assert any("helpdesk holds other documents now" in warning.value for warning in at.warning)
    at.button(key="evaluate_resume").click()
    assert "the results of before stay as they are" in words(drawn(at))


@pytest.mark.parametrize("wrong", ["nope", "../../etc", "0123456789abcdef0123"])
def test_a_wrong_link_is_an_error_card_not_a_crash(wrong: str) -> None:
    shown = words(open_page("evaluate", exp=wrong))
    assert "experiment" in shown
    assert "Choose one of the list" in shown


def test_a_large_query_set_is_shown_whole(tmp_path: Path) -> None:
    lines = [json.dumps({"_id": f"d{n}", "text": f"word{n} and more"}) for n in range(300)]
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines))
    queries = [json.dumps({"_id": f"q{n}", "text": f"word{n}"}) for n in range(300)]
    (tmp_path / "queries.jsonl").write_text("\n".join(queries))
    qrels = ["query-id\tcorpus-id\tscore", *(f"q{n}\td{n}\t1" for n in range(300))]
    (tmp_path / "qrels.tsv").write_text("\n".join(qrels))
    import_corpus(tmp_path, "many")
    at = pressed("bm25", "bm25(b=0.0)", corpus="many", first=300)
    assert len(at.dataframe[-1].value) == 300
    assert "On 300 queries" in html(at)


def test_kept_results_of_other_pipelines_say_so_and_can_be_put_above() -> None:
    made = kept("bm25(k=50)", "bm25(b=0.0,k=50)", done=7)
    at = open_page("evaluate", p=["rank-bm25"], exp=made.id)
    assert "Kept results of other pipelines" in words(at)
    at.button(key="use_theirs").click()
    drawn(at)
    assert at.session_state["p"] == ["bm25", "bm25(b=0.0)"]
    assert "Kept results of other pipelines" not in words(drawn(at))


def test_a_provider_is_estimated_before_and_asked_with_the_key_of_the_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    monkeypatch.delenv("COHERE_API_KEY", raising=False)
    with FakeProvider("cohere") as server:
        spec = f'bm25 >> cohere(base_url="{server.url}",top=5)'
        at = open_page("evaluate", corpus="helpdesk", p=[spec])
        assert "asks for up to 60 requests, about 60 search units, price not known" in words(at)
        assert server.requests == []
        at.session_state["session_keys"] = {"COHERE_API_KEY": KEY}
        box = next(box for box in at.selectbox if box.label == "Queries")
        box.set_value(10)
        drawn(at)
        at.button(key="evaluate").click()
        until(drawn(at), "TREC runs")
        assert len(server.requests) == 10
    found = list_experiments(default_engine().home)
    assert KEY not in repr(found)


def test_the_queries_that_got_worse_are_shown_alone_with_their_signed_loss() -> None:
    made = kept("bm25", "bm25(b=0.0)")
    run(made)
    at = open_page("evaluate", exp=made.id)
    at.segmented_control(key=f"changed_{made.id}").set_value("worse").run()
    table = at.dataframe[-1].value
    losses = list(table["± bm25(b=0.0)"])
    assert 0 < len(table) < 60
    assert losses == sorted(losses)
    assert max(losses) < 0
    assert losses == pytest.approx(list(table["bm25(b=0.0)"] - table["bm25"]))


def test_whether_queries_find_their_own_document_is_chosen_in_sight_and_in_the_link(
    tmp_path: Path,
) -> None:
    texts = ("moon rocks", "moon dust", "moon light")
    lines = [json.dumps({"_id": f"d{n}", "text": text}) for n, text in enumerate(texts)]
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines))
    (tmp_path / "queries.jsonl").write_text("\n".join(lines))
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nd0\td1\t1\nd1\td2\t1\n")
    import_corpus(tmp_path, "own")

    at = open_page("evaluate", corpus="own", p=["bm25"])
    box = next(box for box in at.selectbox if box.label == "A query's own document")
    assert box.value == "by text"
    assert "Left out: queries and documents of one id have the same text." in words(at)
    at.button(key="evaluate").click()
    until(drawn(at), "2 queries leave their own document out")

    at = open_page("evaluate", corpus="own", p=["bm25"], own="kept")
    at.button(key="evaluate").click()
    until(drawn(at), "TREC runs")
    assert "own document out" not in words(at)
    assert "--no-exclude-identical" in words(at)
    assert len(list_experiments()) == 2

    at = open_page("compare", corpus="own", q="moon rocks", p=["bm25"], own="kept")
    assert "d0" in html(until(at, "Evidence") if "d0" not in html(at) else at)
    assert "A query's own document" not in [
        box.label for box in open_page("compare", corpus="helpdesk").selectbox
    ]


def test_what_pipelines_are_compared_by_is_in_the_link() -> None:
    made = plan(load_corpus("helpdesk"), ["bm25", "bm25(b=0.0)"], measures=["nDCG@10", "RR@10"])
    run(made)
    at = open_page("evaluate", exp=made.id, by="RR@10", baseline="bm25(b=0.0)")
    assert "RR@10 against the baseline" in html(at)
    assert list(at.dataframe[-1].value)[-1] == "± bm25"
    next(box for box in at.selectbox if box.label == "Compare by").set_value("nDCG@10")
    assert "nDCG@10 against the baseline" in html(drawn(at))
    assert "by" not in at.query_params
    assert "bm25(b=0.0)" in at.query_params["baseline"]


def test_the_queries_to_show_are_in_the_link_and_going_back_brings_the_others_back() -> None:
    made = plan(load_corpus("helpdesk"), ["bm25", "bm25(b=0.0)", "bm25(k1=0.1)"])
    run(made)
    at = open_page("evaluate", exp=made.id, queries="worse", versus="bm25(k1=0.1)")
    worse = at.segmented_control(key=f"changed_{made.id}")
    assert worse.value == "worse"
    table = at.dataframe[-1].value
    assert 0 < len(table) < 60
    assert max(table["± bm25(k1=0.1)"]) < 0
    worse.set_value("better")
    drawn(at)
    assert "better" in at.query_params["queries"]
    # A browser that goes back changes the link alone.
    at.query_params["queries"] = "worse"
    del at.query_params["versus"]
    drawn(at)
    assert at.segmented_control(key=f"changed_{made.id}").value == "worse"
    assert max(at.dataframe[-1].value["± bm25(b=0.0)"]) < 0
    at.query_params["by"] = "RR@10"
    assert "RR@10 against the baseline" in html(drawn(at))


def test_a_link_opens_a_deeper_question_and_another_takes_its_place() -> None:
    made = kept("bm25", "bm25(b=0.0)")
    run(made)
    at = open_page("evaluate", exp=made.id, question="helps", of="hd-q13")
    assert "bm25(b=0.0)" in words(at)
    assert "Largest wins" in words(at)
    text = next(query.text for query in made.design.queries if query.id == "hd-q13")
    assert text in words(at).replace("\\", "")
    for name, sentence in (
        ("tags", "By length"),
        ("unjudged", "the highest that these judgments hold"),
        ("certainty", "Queries that would be needed"),
    ):
        at.session_state[f"question_{made.id}"] = name
        until(drawn(at), sentence)
        assert name in at.query_params["question"]


def test_several_queries_at_a_time_give_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WORKERS_VARIABLE, "3")
    at = open_page("evaluate", corpus="helpdesk", p=["bm25 >> overlap"])
    at_a_time = next(box for box in at.selectbox if box.label == "At a time")
    assert at_a_time.options == ["1 query", "3 queries", "4 queries", "8 queries", "16 queries"]
    assert at_a_time.value == WorkersChoice(3)
    at.button(key="evaluate").click()
    until(drawn(at), "TREC runs")
    [entry] = list_experiments()
    there = load_experiment(entry.id)
    here = run(
        plan(load_corpus("helpdesk"), there.design.pipelines, measures=there.design.measures),
        Context(cache=None),
    )
    assert there.finished
    assert {key: cell.ranking for key, cell in there.cells.items()} == {
        key: cell.ranking for key, cell in here.cells.items()
    }
    assert there.outcomes[0].measures == here.outcomes[0].measures


def test_a_setting_of_workers_that_says_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WORKERS_VARIABLE, "many")
    at = open_page("evaluate")
    assert "RERANK_LAB_WORKERS: many is not N, ray or ray:N" in words(at)
    assert "Evaluate" in [button.label for button in at.button]
