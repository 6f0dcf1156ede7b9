"""Two evaluations against each other, in words."""

from __future__ import annotations

from rerank_lab.evaluation.experiments import ExperimentEntry
from rerank_lab.evaluation.experiments.across import AcrossComparison
from rerank_lab.evaluation.statistics import against
from rerank_lab.views.across import across_view, entry_name
from tests.views.evaluations import evaluation

BASE = {f"q{number}": 0.2 + number / 100 for number in range(20)}
BETTER = {query: value + 0.3 for query, value in BASE.items()}
ALIKE = {query: value + (-1) ** place / 50 for place, (query, value) in enumerate(BASE.items())}


def comparison(**values: dict[str, float]) -> AcrossComparison:
    rows = sorted(against("bm25", {"bm25": BASE, **values}), key=lambda one: -one.difference)
    return AcrossComparison("a" * 20, "bm25", "b" * 20, "nDCG@10", tuple(rows), ("splade",))


def test_the_pipeline_that_is_better_is_named_with_its_numbers() -> None:
    view = across_view(comparison(dense=BETTER, other=ALIKE))
    assert view.sentence == (
        "Of the other evaluation, dense is better than bm25 here, on 20 queries: "
        "+0.30 nDCG@10, p < 0.001."
    )
    assert [row.pipeline for row in view.rows] == ["dense", "other"]
    assert view.rows[0].wins == "20 better, 0 worse, 0 the same"
    assert view.notes == ("splade answered no judged query.",)


def test_nothing_is_called_better_that_the_test_does_not_show() -> None:
    view = across_view(comparison(other=ALIKE))
    assert view.sentence.startswith(
        "No pipeline of the other evaluation is shown to be better than bm25 here"
    )


def test_an_evaluation_to_choose_has_its_name_pipelines_and_date() -> None:
    design = evaluation({"bm25": [1, 2], "dense": [1]}).design
    name = entry_name(ExperimentEntry(design, 3, 0.0, name="Weekly"))
    assert name.startswith("Weekly · bm25 | dense")
