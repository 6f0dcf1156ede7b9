"""Our training and prediction are the libraries' own, number by number, and repeat themselves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rerank_lab.core.errors import InvalidInput, LabError, MissingExtra
from rerank_lab.core.types import Ranking
from rerank_lab.evaluation.measures import measure
from rerank_lab.fusion.learned import learners
from rerank_lab.fusion.learned.learners import fit, load_library, read
from rerank_lab.fusion.learned.settings import LEARNERS, Learner, LearnerSettings
from tests.fusion.learned.made import Rows, rows

PUBLISHED = {"leaves": 31, "learning_rate": 0.1, "min_leaf": 20, "rounds": 100}
"""LightGBM's own defaults."""


def theirs(learner: Learner, train: Rows, test: Any, settings: LearnerSettings) -> Any:
    """The same by the estimators that LightGBM and XGBoost offer to scikit-learn."""
    matrix, grades, sizes = train
    if learner == "lightgbm":
        from lightgbm import LGBMRanker

        ranker = LGBMRanker(
            n_estimators=settings.rounds, num_leaves=settings.leaves,
            learning_rate=settings.learning_rate, min_child_samples=settings.min_leaf,
            random_state=settings.seed, n_jobs=1, deterministic=True, force_row_wise=True,
            verbosity=-1,
        )  # fmt: skip
        return ranker.fit(matrix, grades, group=sizes).predict(test)
    from xgboost import XGBRanker

    ranker = XGBRanker(
        objective="rank:ndcg", n_estimators=settings.rounds, max_leaves=settings.leaves,
        learning_rate=settings.learning_rate, random_state=settings.seed, n_jobs=1,
        tree_method="hist", grow_policy="lossguide", max_depth=0, device="cpu",
    )  # fmt: skip
    return ranker.fit(matrix, grades, group=sizes).predict(test)


@pytest.mark.parametrize("learner", LEARNERS)
def test_predictions_are_those_of_the_library_bit_for_bit(learner: Learner) -> None:
    settings = LearnerSettings(learner, rounds=20, leaves=5, learning_rate=0.1, min_leaf=5, seed=3)
    test = rows(5, seed=9)[0]
    ours = fit(*rows(), settings).predict(test)
    assert ours.tolist() == theirs(learner, rows(), test, settings).astype(np.float64).tolist()
    assert len(set(ours.tolist())) > 10


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_model_read_back_from_its_text_predicts_the_same(learner: Learner) -> None:
    settings = LearnerSettings(learner, rounds=20)
    made = fit(*rows(), settings)
    test = rows(5, seed=9)[0]
    again = read(learner, made.text())
    assert again.predict(test).tolist() == made.predict(test).tolist()
    assert again.importances() == made.importances()


@pytest.mark.parametrize("learner", LEARNERS)
def test_training_twice_gives_the_same_model(learner: Learner) -> None:
    settings = LearnerSettings(learner, rounds=10)
    assert fit(*rows(), settings).text() == fit(*rows(), settings).text()


@pytest.mark.parametrize("learner", LEARNERS)
def test_what_decides_is_what_is_important(learner: Learner) -> None:
    gains = [gain for gain, _ in fit(*rows(), LearnerSettings(learner)).importances()]
    gains += [0.0] * (5 - len(gains))
    assert set(sorted(range(5), key=lambda place: -gains[place])[:2]) == {0, 1}


@pytest.mark.parametrize("learner", LEARNERS)
def test_grades_out_of_range_do_not_stop_it(learner: Learner) -> None:
    matrix, grades, sizes = rows()
    grades[:3] = [-2, 400, 31]
    assert np.isfinite(
        fit(matrix, grades, sizes, LearnerSettings(learner, rounds=3)).predict(matrix)
    ).all()


@pytest.mark.parametrize("learner", LEARNERS)
@pytest.mark.parametrize("text", ["", "tree", "{}", '{"version": [3]}'])
def test_text_that_is_no_model_is_refused(learner: Learner, text: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be read") as caught:
        read(learner, text)
    assert "again" in caught.value.hint


def test_settings_that_the_library_refuses_are_told() -> None:
    with pytest.raises(InvalidInput, match="cannot train"):
        fit(*rows(), LearnerSettings(leaves=1))


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(MissingExtra) as caught:
        load_library("lightgbm")
    assert "rerank-lab[ltr]" in caught.value.hint


def test_without_openmp_the_library_of_torch_is_tried_and_then_the_hint_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries: list[str] = []

    def failing(name: str) -> Any:
        tries.append(name)
        if len(tries) < 2 or not torch_has_it:
            raise OSError("libgomp.so.1: cannot open shared object file")
        return "loaded"

    torch_has_it = True
    monkeypatch.setattr(learners.importlib, "import_module", failing)
    monkeypatch.setattr(learners, "_load_openmp", lambda: torch_has_it)
    assert load_library("lightgbm") == "loaded"
    torch_has_it = False
    with pytest.raises(LabError, match="does not load") as caught:
        load_library("lightgbm")
    assert "libgomp1" in caught.value.hint


@pytest.mark.data
@pytest.mark.parametrize(("learner", "expected"), [("lightgbm", 0.67), ("xgboost", 0.69)])
def test_the_published_letor_case(learner: Learner, expected: float, data_folder: Path) -> None:
    """LightGBM's own example data: nDCG@5 on its test set, and its own predictions."""
    train, test = (
        letor(data_folder / "ltr-lightgbm" / f"{part}.svm") for part in ("train", "test")
    )
    settings = LearnerSettings(learner, **PUBLISHED)
    ours = fit(*train, settings).predict(test[0])
    assert ours.tolist() == theirs(learner, train, test[0], settings).astype(float).tolist()
    rankings, qrels, start = {}, {}, 0
    for number, size in enumerate(test[2]):
        query_id, part = str(number), slice(start, start + size)
        scores = {str(i): float(s) for i, s in enumerate(ours[part])}
        rankings[query_id] = Ranking.from_scores(query_id, scores, "lambdamart")
        qrels[query_id] = {str(i): grade for i, grade in enumerate(test[1][part])}
        start += size
    # The exponential gain is what the published figure uses.
    found = measure(qrels, rankings, ["nDCG(dcg='exp-log2')@5"]).measures
    assert found["nDCG(dcg='exp-log2')@5"] == pytest.approx(expected, abs=0.01)


def letor(file: Path) -> Rows:
    from sklearn.datasets import load_svmlight_file

    matrix, labels, queries = load_svmlight_file(str(file), n_features=301, query_id=True)
    sizes = np.unique(queries, return_counts=True)[1]
    assert (np.diff(queries) >= 0).all()
    return matrix.toarray(), labels.astype(int).tolist(), sizes.tolist()
