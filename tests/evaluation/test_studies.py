"""Studies of experiments: kept in the lab database, the newest answer to a question counts."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from rerank_lab.evaluation.studies import save_study, studies

ONE, OTHER = "a" * 20, "b" * 20


@pytest.mark.usefixtures("lab_database")
def test_a_study_is_read_as_it_was_saved() -> None:
    result = {"points": [{"depth": 5, "nDCG@10": 0.25}], "note": "naïve\x00 😀", "knee": None}
    saved = save_study(ONE, "depth", {"depths": [5, 10]}, result)
    assert studies(ONE) == [saved]
    assert (saved.request, saved.result) == ({"depths": [5, 10]}, result)
    assert studies(OTHER) == []


@pytest.mark.usefixtures("lab_database")
def test_the_newest_answer_to_a_question_counts_and_others_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times = map(float, count(1))
    # The clock of that module alone: threads of other tests may look at theirs.
    clock = SimpleNamespace(time=lambda: next(times))
    monkeypatch.setattr("rerank_lab.evaluation.studies.time", clock)
    save_study(ONE, "depth", {"a": 1, "b": 2}, {"answer": "old"})
    save_study(ONE, "load", {"a": 1, "b": 2}, {"answer": "load"})
    save_study(OTHER, "depth", {"a": 1, "b": 2}, {"answer": "other"})
    save_study(ONE, "depth", {"b": 2, "a": 1}, {"answer": "new"})
    save_study(ONE, "depth", {"a": 1}, {"answer": "another question"})

    assert [study.result["answer"] for study in studies(ONE)] == ["another question", "new", "load"]
    assert [study.result["answer"] for study in studies(ONE, "load")] == ["load"]
    assert [study.result["answer"] for study in studies(OTHER)] == ["other"]


def test_a_data_folder_has_studies_of_its_own(tmp_path: Path) -> None:
    save_study(ONE, "cost", {}, {"usd": 1}, home=tmp_path)
    assert [study.result for study in studies(ONE, home=tmp_path)] == [{"usd": 1}]
    assert studies(ONE) == []
