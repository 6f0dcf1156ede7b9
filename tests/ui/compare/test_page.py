"""The Compare page through the frame: empty, normal, error, huge; links, samples, edits."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from rerank_lab.core.paths import FOLDERS_VARIABLE
from rerank_lab.core.types import Document, Query, Ranking, Status
from rerank_lab.corpora import Corpus
from rerank_lab.corpora.store import save_corpus
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.rerankers.rules.identity import Identity
from rerank_lab.ui.shared import resources
from tests.named_key import NamedKey
from tests.ui import pages
from tests.ui.compare.card_columns import all_cards_html, cards_html, press
from tests.ui.pages import FRAME, drawn, words

Q = "forgot password iphone app"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()


def opened(**query: str | list[str]) -> AppTest:
    """The app as a link with these parameters opens it."""
    at = AppTest.from_file(str(FRAME), default_timeout=240)
    for key, value in query.items():
        at.query_params[key] = value
    return drawn(at)


def settled(at: AppTest, seconds: float = 60) -> AppTest:
    """Draw until no column waits any more, as the polling browser does."""
    end = time.monotonic() + seconds
    while any(str(button.key).startswith("stop_") for button in at.button):
        assert time.monotonic() < end, "still waiting"
        time.sleep(0.05)
        drawn(at)
    return drawn(at)


def html(at: AppTest) -> str:
    bodies = [str(element.proto.body) for element in at.get("html")]
    return "\n".join([*bodies, all_cards_html(at)])


def titles(at: AppTest, slot: int) -> list[str]:
    found = re.findall(r'data-press="open"><p>(.*?)</p>', cards_html(at, slot))
    return list(map(unescape, found))


def test_going_back_to_a_link_without_pipelines_shows_the_usual_ones() -> None:
    """The browser empties the bound list then; taking the last one away leaves none."""
    at = opened()
    usual = list(at.session_state["p"])
    at.query_params.pop("p", None)
    at.session_state["p"] = []
    assert drawn(at).session_state["p"] == usual
    while at.session_state["p"]:
        remove = next(button for button in at.button if str(button.key).startswith("remove_"))
        remove.click()
        drawn(at)
    assert drawn(at).session_state["p"] == []


def test_the_first_visit_teaches_and_offers_queries() -> None:
    at = opened()
    assert "One query, several rerankers, side by side" in words(at)
    examples = [b for b in at.button if str(b.key).startswith("example_")]
    assert 4 <= len(examples) <= 6
    assert at.selectbox(key="corpus").value == "helpdesk"
    assert at.session_state["p"] == [
        "bm25", "bm25 >> ms-marco-minilm-l12", "rrf(bm25,dense) >> ms-marco-minilm-l12",
    ]  # fmt: skip


def test_an_example_asks_its_query() -> None:
    at = opened(p=["bm25"])
    example = next(b for b in at.button if b.key == "example_0")
    label = example.label.replace("\\", "")
    settled(example.click().run())
    assert at.session_state["q"] == label
    assert len(titles(at, 0)) == 10


def test_a_link_shows_the_screen_it_was_copied_from() -> None:
    at = settled(opened(q=Q, p=["bm25", "bm25 >> identity"], depth="20", show="5", pin="hd-002"))
    assert at.session_state["depth"] == 20
    assert len(titles(at, 0)) == len(titles(at, 1)) == 5, words(at)
    assert titles(at, 0)[0] == "Reset a forgotten password in the iPhone app"
    assert "◆" in html(at)
    assert "best judged answer" in html(at)


def test_columns_show_measures_movement_and_marked_words() -> None:
    shown = html(settled(opened(q=Q, p=["bm25", "bm25 >> identity"])))
    assert "nDCG@10" in shown
    assert "headroom" in shown
    assert "<mark>password</mark>" in shown
    assert "grade 3" in shown


def test_one_column_fails_in_place_and_the_other_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    at = settled(opened(q=Q, p=["bm25", 'bm25 >> cross-encoder(model="no-such/model")']))
    assert len(titles(at, 0)) == 10
    assert titles(at, 1) == []
    assert "no-such/model" in words(at)
    assert any(str(b.key).startswith("retry_") for b in at.button)


def test_what_a_link_asks_for_in_vain_is_told_and_left_out() -> None:
    at = settled(opened(q=Q, p=["bm25", "bm25 >> bm52"], corpus="nope", depth="51"))
    said = words(at)
    assert "corpus 'nope'" in said
    assert "depth '51'" in said
    assert "there is no reranker 'bm52'" in said
    assert len(titles(at, 0)) == 10


@pytest.mark.parametrize(
    "query",
    [
        {"p": "__import__('os').system('x')"},
        {"p": "(" * 5000},
        {"q": "<script>alert(1)</script> $x$ :material/home:"},
        {"q": "x" * 50_000},
        {"show": "-1", "depth": "1e9"},
        {"doc": "no such document", "q": Q},
        {"pin": "\u0000", "q": Q},
    ],
    ids=range(7),
)
def test_no_link_breaks_the_page(query: dict[str, str]) -> None:
    settled(opened(**({"p": ["bm25"]} | query)))


def test_more_than_six_pipelines_are_cut_with_a_notice() -> None:
    many = [f"bm25(k={k})" for k in range(10, 80, 10)]
    at = opened(p=many)
    assert "Only the first 6 pipelines" in words(at)


def test_removing_a_chip_removes_the_column() -> None:
    at = settled(opened(q=Q, p=["bm25", "bm25 >> identity"]))
    at.button(key="remove_1").click().run()
    settled(at)
    assert at.session_state["p"] == ["bm25"]
    assert titles(at, 1) == []


def test_a_press_for_what_is_no_longer_shown_does_nothing() -> None:
    at = settled(opened(q=Q, p=["bm25"]))
    for wrong in (
        {"query": "another"}, {"doc": "hd-999"}, {"rank": 2}, {"rank": "1"}, {"rank": [1]},
        {"doc": None},
    ):  # fmt: skip
        drawn(press(at, 0, 1, "open", **wrong))
        assert at.session_state["doc"] == ""
    drawn(press(at, 0, 1, "grade", option="17"))
    assert "Who is judging?" not in words(at)
    assert JudgmentStore.open().rows("helpdesk") == []


def test_clicking_a_title_opens_the_document_and_puts_it_in_the_link() -> None:
    at = settled(opened(q=Q, p=["bm25", "bm25 >> identity"]))
    drawn(press(at, 0, 1, "open"))
    assert at.session_state["doc"] == "hd-002"
    assert "rl-table" in html(at)
    at.button(key="pin_document").click().run()
    drawn(at)
    assert at.session_state["pin"] == "hd-002"


@pytest.mark.models
def test_an_open_document_shows_what_each_model_read_of_it() -> None:
    filler = "The museum opens at nine. Tickets are sold at the door of the old building. " * 20
    answer = "Berlin has a population of 3,520,031 inhabitants."
    docs = (Document("guide", filler + answer, "<b>Guide</b>"), Document("short", "In Berlin."))
    save_corpus(Corpus("longer", docs), {"name": "longer"}, slug="longer")
    head, best = (
        f'bm25 >> ms-marco-minilm-l12(long="{policy}",max_length=128)' for policy in ("head", "max")
    )
    at = settled(opened(corpus="longer", q="population of Berlin", p=[head, best], doc="guide"))
    shown = html(at)
    grey = re.findall(r'<span class="rl-unread"[^>]*>(.*?)</span>', shown)
    assert 'class="rl-decided"' not in shown
    assert "3,520,031" in "".join(grey)
    assert "The grey part never reached the model" in words(at)
    control = next(c for c in at.get("button_group") if str(c.proto.id).find("read_by_") >= 0)
    control.set_value(1).run()
    decided = re.findall(r'<span class="rl-decided"[^>]*>(.*?)</span>', html(at))
    assert "3,520,031" in "".join(decided)
    assert 'class="rl-unread"' not in html(at)
    assert "decided" in words(at)


def test_the_editor_changes_a_pipeline_by_its_form() -> None:
    at = settled(opened(q=Q, p=["bm25"]))
    at.button(key="edit_0").click().run()
    k1 = next(n for n in at.number_input if "k1" in n.label)
    k1.set_value(0.9).run()
    assert at.text_area[0].value == "bm25(k1=0.9)"


def test_a_spec_typed_wrong_is_answered_in_place() -> None:
    at = settled(opened(q=Q, p=["bm25"]))
    at.button(key="edit_0").click().run()
    at.text_area[0].set_value("bm25 >> ms-marco").run()
    assert "there is no reranker 'ms-marco'" in words(at)
    assert at.button(key="editor_use").disabled


@pytest.mark.parametrize("tab", ["Latency", "Agreement", "Raw"])
def test_the_evidence_is_drawn_when_asked_for(tab: str) -> None:
    at = settled(opened(q=Q, p=["bm25", "bm25 >> identity"]))
    at.segmented_control(key="evidence_tab").set_value(tab).run()
    assert not at.exception
    if tab == "Latency":
        assert list(at.dataframe[0].value["Stage"]) == ["bm25", "bm25", "identity"]
    if tab == "Agreement":
        assert "Rank-biased overlap" in words(at)


def test_orders_without_scores_are_not_offered_in_a_shape_that_needs_them() -> None:
    at = settled(opened(q=Q, p=["bm25", "bm25 >> identity"]))
    at.segmented_control(key="evidence_tab").set_value("Raw").run()
    files = {button.key: button for button in at.download_button}
    assert not files["cohere_lines"].disabled
    assert "1 without any" in files["cohere_lines"].help
    assert "without" not in files["rerankers_lines"].help
    at = settled(opened(q=Q, p=["bm25 >> identity"]))
    at.segmented_control(key="evidence_tab").set_value("Raw").run()
    files = {button.key: button for button in at.download_button}
    assert files["cohere_lines"].disabled
    assert not files["rerankers_lines"].disabled


def test_measuring_afresh_runs_without_the_cache() -> None:
    at = settled(opened(q=Q, p=["bm25 >> identity"]))
    at.segmented_control(key="evidence_tab").set_value("Latency").run()
    before = len(resources.jobs().jobs())
    at.button(key="afresh_button").click().run()
    settled(at)
    assert len(resources.jobs().jobs()) == before + 1


@pytest.fixture
def busy_cpu() -> Iterator[threading.Event]:
    """The one CPU lane occupied until the event is set, so that rerankers have to queue."""
    free = threading.Event()
    resources.jobs().submit(NamedKey("busy"), lambda ctx: free.wait(60), lane="cpu")
    yield free
    free.set()


def jobs_named(word: str, *states: str) -> bool:
    """Whether the jobs of that name come to these states; a first stage takes its moment."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if [job.state for job in resources.jobs().jobs() if word in job.name] == list(states):
            return True
        time.sleep(0.02)
    return False


def test_a_waiting_column_can_be_cancelled_and_started_again(busy_cpu: threading.Event) -> None:
    at = opened(q=Q, p=["bm25", "bm25 >> bge-small-en"])
    assert len(titles(at, 0)) == 10
    assert jobs_named(">> bge-small-en", "queued")
    assert "waiting" in words(drawn(at))
    at.button(key="stop_1").click().run()
    settled(at)
    assert "Cancelled" in words(at)
    assert jobs_named(">> bge-small-en", "cancelled")
    retry = next(b for b in at.button if str(b.key).startswith("retry_"))
    retry.click().run()
    drawn(at)
    assert jobs_named(">> bge-small-en", "cancelled", "queued")


def test_a_new_query_lets_go_of_the_old_one(busy_cpu: threading.Event) -> None:
    at = opened(q=Q, p=["bm25 >> bge-small-en"])
    assert jobs_named(">> bge-small-en", "queued")
    at.text_input(key="q").set_value("another query")
    at.button(key="compare").click().run()
    assert jobs_named(">> bge-small-en", "cancelled", "queued")


def test_an_empty_answer_says_so() -> None:
    at = settled(opened(q="zzzzqqq", p=["bm25"]))
    assert "no document matches" in html(at)


def test_nothing_that_crosses_rank_ten_is_said_in_words() -> None:
    at = settled(opened(q="payroll export spreadsheet", p=["bm25", "bm25 >> identity"]))
    assert "No document crosses rank 10" in words(at)


@pytest.mark.models
def test_pipelines_are_not_called_alike_before_all_have_ended(busy_cpu: threading.Event) -> None:
    pipelines = ["bm25", "bm25 >> identity", "bm25 >> bge-small-en"]
    at = opened(q="payroll export spreadsheet", p=pipelines)
    end = time.monotonic() + 60
    while len(titles(at, 1)) < 10 and time.monotonic() < end:
        drawn(at)
    assert "No document crosses rank 10 so far" in words(at)
    assert "all pipelines show the same" not in words(at)


def test_no_pipeline_at_all_asks_for_one() -> None:
    at = opened(q=Q, p=["bm25"])
    at.button(key="remove_0").click().run()
    drawn(at)
    assert "Add a pipeline" in words(at)


def test_a_huge_hostile_corpus_is_shown() -> None:
    bad = "<script>alert(1)</script> [x](javascript:y) $a$ :material/home: "
    documents = [Document(f"h{i}", bad * 50 + "needle", bad) for i in range(3000)]
    documents.append(Document("long", "needle" + "A" * 100_000, "B" * 100_000))
    save_corpus(Corpus("huge", tuple(documents)), {"name": "huge"}, slug="huge")
    resources.refresh_corpora()
    at = settled(opened(corpus="huge", q="needle", p=["bm25", "bm25 >> identity"], show="50"))
    assert len(titles(at, 0)) == 50
    assert "<script" not in html(at)


@pytest.mark.models
def test_the_default_pipelines_answer_with_real_models() -> None:
    at = settled(opened(q="stop asking me to type a code every single morning"), seconds=200)
    assert [len(titles(at, slot)) for slot in range(3)] == [10, 10, 10]
    assert "moves" in html(at)


def test_a_link_does_not_have_any_file_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "theirs.trec"
    run.write_text("q Q0 hd-001 1 1 secret\n")
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path / "elsewhere"))
    at = settled(opened(q=Q, p=["bm25", f'run(path="{run}")']))
    assert "The app may not read" in words(at)
    assert FOLDERS_VARIABLE in words(at)
    assert "secret" not in words(at) + html(at)
    assert len(titles(at, 0)) == 10


def test_the_editor_shows_the_depth_of_the_page_until_a_number_is_chosen() -> None:
    at = settled(opened(q=Q, p=["bm25"], depth="20"))
    at.button(key="edit_0").click().run()

    def box() -> Any:
        return next(n for n in at.number_input if n.label.startswith("Candidates"))

    assert (box().value, box().placeholder) == (None, "20 (page's depth)")
    box().set_value(30).run()
    assert at.text_area(key="editor_text").value == "bm25(k=30)"
    assert box().value == 30
    box().set_value(None).run()
    assert at.text_area(key="editor_text").value == "bm25"
    box().set_value(100).run()
    assert (box().value, box().placeholder) == (None, "20 (page's depth)")
    assert "100" in at.toast[0].value


def test_a_reranker_that_never_moves_anything_is_named_suspect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def in_order(self: Identity, query: Query, docs: Any, work: Any) -> tuple[Ranking, Status]:
        scores = {doc.id: -float(place) for place, doc in enumerate(docs)}
        return Ranking.from_scores(query.id, scores, "logit"), Status.OK

    monkeypatch.setattr(Identity, "info", replace(Identity.info, has_model=True))
    monkeypatch.setattr(Identity, "_rank", in_order)
    at = settled(opened(q=Q, p=["bm25 >> identity"]))
    assert "It left the order" not in html(at)
    at.text_input(key="q").set_value("publish the rota")
    at.button(key="compare").click().run()
    assert "It left the order of the first stage as it was for all 2 queries." in html(settled(at))
    assert ">suspect<" in html(at)


def test_the_editor_swaps_the_first_stage_and_keeps_the_rerankers() -> None:
    at = opened(q=Q, p=["bm25 >> mmr(top=5)"])
    at.button(key="edit_0").click()
    drawn(at)
    next(box for box in at.selectbox if box.label == "First stage").select("rm3")
    drawn(at)
    assert at.text_area[0].value == "rm3 >> mmr(top=5)"
    groups = next(group for group in at.button_group if group.label == "More rerankers")
    assert str(next(iter(groups.options))).startswith("Runs here")
