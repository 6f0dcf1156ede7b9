"""Models are kept as text, come back equal, and are not believed when their file was changed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Query
from rerank_lab.fusion.learned.features import Features
from rerank_lab.fusion.learned.learners import fit
from rerank_lab.fusion.learned.model import (
    Fold,
    LearnedModel,
    Origin,
    Validation,
    importances,
    query_digest,
)
from rerank_lab.fusion.learned.settings import LearnerSettings
from rerank_lab.fusion.learned.store import (
    delete_model,
    list_models,
    load_model,
    load_trees,
    save_model,
)
from rerank_lab.pipeline.pipeline import Pipeline
from tests.fusion.learned.made import rows

SAVE_ONE = """
import sys, time
from dataclasses import replace
from rerank_lab.core.errors import InvalidInput
from rerank_lab.fusion.learned import store

seed = int(sys.argv[1])
spare = store.load_model("spare")
write = store.write_file
def slowly(*arguments):
    time.sleep(0.2)
    write(*arguments)
store.write_file = slowly
try:
    store.save_model(replace(spare, name="mine", settings=replace(spare.settings, seed=seed)))
except InvalidInput:
    sys.exit(3)
"""


def model(name: str = "mine", at: str = "2026-11-24T10:00:00+00:00") -> LearnedModel:
    trees = fit(*rows(), LearnerSettings(rounds=3))
    return LearnedModel(
        name,
        Features(("bm25",), ("year",)),
        LearnerSettings(rounds=3),
        Origin(
            "made", "c" * 64, "q" * 64, "bm25", "bm25", ("q1",),
            frozenset({query_digest(Query("q1", "A query"))}), 360, 40, 7, at, {"lightgbm": "4"},
        ),
        Validation("nDCG@10", (Fold(1, 0.5, 0.4, 0.3),), {"model": {"q1": 0.5}}, "bm25 score", {}),
        importances(["a", "b", "c", "d", "e"], trees.importances()),
        trees.text(),
    )  # fmt: skip


def test_a_model_comes_back_as_it_was(home: Path) -> None:
    made = model()
    assert save_model(made) == home / "ltr" / "mine.json"
    assert load_model("mine") == made
    matrix = rows()[0]
    assert len(set(load_trees(load_model("mine")).predict(matrix).tolist())) > 2


def test_the_pipeline_of_a_model_parses() -> None:
    assert str(Pipeline(model().spec)) == 'bm25 >> ltr(bm25,model="mine")'


def test_a_query_is_known_by_its_words_not_by_its_id() -> None:
    made = model()
    assert made.saw(Query("other", " a  QUERY"))
    assert not made.saw(Query("q1", "another query"))


def test_models_are_listed_latest_first_and_deleted() -> None:
    save_model(model("old", "2026-01-01T00:00:00+00:00"))
    save_model(model("new"))
    assert [one.name for one in list_models()] == ["new", "old"]
    delete_model("new")
    delete_model("never-there")
    assert [one.name for one in list_models()] == ["old"]


def test_a_model_trained_again_takes_the_place_of_the_old_one() -> None:
    save_model(model())
    before = load_model("mine").digest
    again = replace(model(), trees=fit(*rows(seed=5), LearnerSettings(rounds=3)).text())
    save_model(again, replace=True)
    assert load_model("mine").digest != before


def test_a_model_of_the_same_name_is_not_replaced_without_a_word() -> None:
    save_model(model())
    before = load_model("mine").digest
    again = replace(model(), trees=fit(*rows(seed=5), LearnerSettings(rounds=3)).text())
    with pytest.raises(InvalidInput, match="a trained model 'mine' already") as caught:
        save_model(again)
    assert "--replace" in caught.value.hint
    assert load_model("mine").digest == before


def test_of_two_processes_that_save_under_one_name_one_is_refused(tmp_path: Path) -> None:
    save_model(model("spare"))
    script = tmp_path / "save.py"
    script.write_text(SAVE_ONE)
    processes = [
        subprocess.Popen([sys.executable, str(script), str(seed)], text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for seed in (1, 2)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert sorted(process.returncode for process in processes) == [0, 3], outputs
    winner = next(seed for seed, one in zip((1, 2), processes, strict=True) if not one.returncode)
    assert load_model("mine").settings.seed == winner


def test_an_unknown_model_is_refused_with_the_nearest_name() -> None:
    save_model(model("helpdesk-ltr"))
    with pytest.raises(InvalidInput, match="did you mean helpdesk-ltr") as caught:
        load_model("helpdesk-ltt")
    assert "Train" in caught.value.hint


@pytest.mark.parametrize("name", ["", "../mine", "a/b", "Über", "x" * 61, ".hidden", "a."])
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="name of a model"):
        load_model(name)


@pytest.mark.parametrize(
    "change",
    [
        {"trees": "other trees"},
        {"format": 2},
        {"settings": {"learner": "pickle"}},
        {"settings": {"unknown": 1}},
        {"features": []},
        {"validation": None},
        {"importances": [{"feature": "a"}]},
    ],
)
def test_a_changed_file_is_not_believed(change: dict[str, object]) -> None:
    file = save_model(model())
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(InvalidInput, match="cannot be read") as caught:
        load_model("mine")
    assert "train it again" in caught.value.hint
    assert list_models() == []


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_a_file_that_is_something_else_is_not_believed(text: str) -> None:
    save_model(model()).write_text(text)
    with pytest.raises(InvalidInput, match="cannot be read"):
        load_model("mine")
