"""What the deeper questions of Evaluate say: helps and hurts, tags, unjudged, how sure."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

from rerank_lab.charts import evaluate as charts
from rerank_lab.charts.figures import LIGHT
from rerank_lab.core.types import Document
from rerank_lab.corpora import Corpus
from rerank_lab.evaluation.by_tag import by_tag, groups_of, weighted_means
from rerank_lab.evaluation.first_stage import first_stage_headroom
from rerank_lab.evaluation.sensitivity import sensitivity
from rerank_lab.evaluation.unjudged import flip_risk, unjudged_bounds
from rerank_lab.views import by_tag as tag_views
from rerank_lab.views import certainty, unjudged
from rerank_lab.views.document_titles import Titles
from rerank_lab.views.query_panel import query_panel
from rerank_lab.views.where_it_helps import headroom_sentence, helps_view, query_heat
from tests.charts.validated import validated
from tests.evaluation.ranked import ranked
from tests.evaluation.test_by_tag import KIND, PLACES, tagged
from tests.evaluation.test_sensitivity import DEEP
from tests.evaluation.test_unjudged import QRELS, TWO
from tests.views.evaluations import evaluation

CORPUS = Corpus("mine", (Document("right", "text", "The right one"),))


def test_wins_and_losses_come_with_the_documents_that_moved() -> None:
    done = evaluation({"bm25": [5, 1, 2, 3], "dense": [1, 4, 2, 3]})
    view = helps_view(done, "RR@10", "bm25", "dense", Titles(CORPUS))

    assert view.sentence == (
        "dense is better than bm25 on 1 query, worse on 1 and the same on 2, by RR@10. Largest "
        "win: +0.80 on “question 0”. Largest loss: −0.75 on “question 1”."
    )
    (win,), (loss,) = view.wins, view.losses
    assert (win.query_id, win.words, win.documents[0].words) == ("q0", "+0.80", "rank 5 → 1")
    assert (win.documents[0].title, win.documents[0].grade) == ("The right one", 1)
    assert (loss.query_id, loss.documents[0].words) == ("q1", "rank 1 → 4")


def test_the_heat_map_has_a_row_a_query_fifty_at_a_time_and_its_cells_can_be_clicked() -> None:
    places = {"bm25": [1, None] * 500, "dense": [4, 2] * 500}
    done = evaluation(places, measures=("RR@10",))
    heat = query_heat(done, "RR@10", "bm25")
    assert (len(heat.queries), heat.values[0], heat.values[-1]) == (1000, (1.0, 0.25), (None, 0.5))
    assert (len(heat.parts), heat.parts[1]) == (20, "51 to 100")
    last = heat.part(19)
    figure = validated(charts.query_heat_chart(last, LIGHT))
    bm25, dense = figure.data
    assert (len(bm25.y), len(dense.y)) == (0, 50)  # no cell without an answer
    assert dense.y[0] == f"951. {last.queries[0]}"
    assert list(dense.customdata[0]) == [last.query_ids[0], 0.5]
    assert len(figure.to_json()) < 20_000


def test_headroom_says_what_is_left_to_the_reranker_and_to_the_first_stage() -> None:
    done = ranked(
        {"bm25": {"q1": "x a", "q2": "x y"}}, {"q1": {"a": 1}, "q2": {"a": 1}}, ("RR@10",)
    )
    (row,) = first_stage_headroom(done, "RR@10")
    assert headroom_sentence([row], {"bm25": "bm25"}) == (
        "bm25 reaches 0.25 RR@10; the best order of its candidates would reach 0.50. They hold 50% "
        "of the relevant documents, and none in 1 query. Left to gain: 0.25 by a better order, "
        "0.50 by a better first stage."
    )
    assert row.empty == 1


def test_a_query_by_itself_has_values_documents_and_a_bump_chart_without_a_new_run() -> None:
    done = evaluation({"bm25": [5, 1], "dense": [1, None]})
    panel = query_panel(done, "q0", Titles(CORPUS))
    assert panel is not None
    assert panel.chart is not None
    assert panel.measures["RR@10"] == [0.2, 1.0]
    assert panel.documents["Document"][0] == "The right one"
    assert (panel.documents["Grade"][0], panel.documents["dense"][0]) == (1, 1)
    line = next(line for line in panel.chart.lines if line.doc_id == "right")
    assert (line.places, line.key) == ((5, 1), "grade:1")
    assert query_panel(done, "q9", Titles(None)) is None
    failed = query_panel(done, "q1", Titles(None))
    assert failed is not None
    assert (failed.measures["RR@10"], failed.chart) == ([1.0, None], None)


def test_by_tag_names_the_crossover_and_the_tags_with_too_few() -> None:
    labels = {spec: spec for spec in PLACES}
    done = tagged(PLACES, KIND)
    result = by_tag(done, "kind")
    assert tag_views.tag_sentence(result, labels) == (
        "By kind, pipelines change places: bm25 is ahead of dense on code (+0.75) and behind on "
        "words (−0.75)."
    )
    table = tag_views.tag_table(result, labels)
    assert table.columns["bm25"] == [1.0, 0.25]
    assert str(table.columns["± dense"][0]) == "−0.75 [−0.75, −0.75] *"
    few = tagged(PLACES, {"kind": ["code"] * 20 + ["words"] * 4})
    assert tag_views.few_words(by_tag(few, "kind")) == (
        "Fewer than 10 queries say hardly anything: words (4)."
    )
    alone = by_tag(tagged({"bm25": PLACES["bm25"]}, KIND), "kind")
    assert tag_views.tag_sentence(alone, {"bm25": "bm25"}) == (
        "bm25 does best on code (1.00) and worst on words (0.25), among tags with enough queries."
    )
    assert len(validated(charts.tag_chart(result, labels, {}, LIGHT)).data) == 2
    (group,) = (one for one in groups_of(done) if one.name == "kind")
    means = weighted_means(done, group.weights(tag_views.default_shares(group)))
    rows = tag_views.weighted_table(means, labels, "bm25")
    assert rows["Against the baseline"][0] == "baseline"


def test_unjudged_documents_that_could_flip_the_winner_are_listed_and_exported() -> None:
    done = ranked(TWO, QRELS, ("RR@10",))
    labels = {spec: spec for spec in TWO}
    bounds = unjudged_bounds(done)
    assert bounds is not None
    assert unjudged.unjudged_sentence(bounds, labels) == (
        "The winner depends on what nobody judged: pooled if all unjudged documents are "
        "irrelevant, new if all are relevant, new if only judged documents count."
    )
    assert unjudged.default_challenger(bounds) == "new"
    risk = flip_risk(done, "pooled", "new")
    assert unjudged.risk_sentence(risk, labels) == (
        "If 1 document of 2 is relevant, the lead of pooled over new (0.167 RR@10) is gone."
    )
    dangerous = replace(risk, documents=(replace(risk.documents[0], doc_id="=1+1"),))
    (row,) = csv.DictReader(io.StringIO(unjudged.risk_csv(dangerous)))
    assert (row["query_id"], row["doc_id"][0], row["leader_rank"]) == ("q1", "'", "")


def test_how_sure_names_measures_with_another_winner_and_claims_with_a_margin() -> None:
    labels = {spec: spec for spec in DEEP.design.pipelines}
    result = sensitivity(DEEP, "RR@10", ("R@5", "P@1"))
    assert result is not None
    assert certainty.sensitivity_sentence(result, labels) == (
        "early wins by 2 of 3 measures; full by R@5. By R@5, early is shown to be worse: choose "
        "the measure first."
    )
    claims = certainty.margin_table(DEEP, "RR@10", "full", 0.02, labels)
    assert claims["Not worse by more than 0.02"] == ["shown"]
    assert certainty.margin_table(DEEP, "RR@10", "early", 0.02, labels)[
        "Better by more than 0.02"
    ] == ["no: the opposite is shown"]
    close = evaluation({"bm25": [1, 2] * 10, "dense": [1, 2] * 8 + [1, 1, 2, 2]})
    needed = certainty.needed_table(close, "RR@10", "bm25", {"bm25": "bm25", "dense": "dense"})
    assert needed["To find out"] == ["no difference seen"]
    assert "fewer than 60 queries" in certainty.few_words(59)
    assert certainty.few_words(60) == ""
