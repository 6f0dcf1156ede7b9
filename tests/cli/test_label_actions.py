"""`labels agreement` and `labels next`: the shapes that programs read, and what people read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from rerank_lab.cli import main
from rerank_lab.core.database import FILE_NAME
from rerank_lab.evaluation.experiments.store import list_experiments
from rerank_lab.judging.records import (
    JudgeKind,
    JudgingPair,
    Judgment,
    LabelSession,
    PairOrigin,
)
from rerank_lab.judging.store import JudgmentStore
from tests.cli.conftest import fail_json, run_json

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
PAIRS = (("q1", "long"), ("q1", "short"), ("q1", "other"), ("q2", "short"), ("q2", "long"))


def label(judge: str, *grades: int | None, kind: JudgeKind = JudgeKind.HUMAN) -> None:
    """Grades of one judge for PAIRS, in this order."""
    JudgmentStore.open().append(
        [
            Judgment("my corpus", *pair, grade, judge, kind, NOW)
            for pair, grade in zip(PAIRS, grades, strict=False)
        ]
    )


def test_agreement_has_a_value_and_an_interval_for_each_measure(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    label("ann", 3, 0, 0, 2, 0)
    label("bob", 3, 0, 1, 2, None)
    label("robot", 0, 3, 3, 0, 3, kind=JudgeKind.SIMULATED)
    shown = run_json(capsys, "labels", "agreement", str(folder))

    assert shown["judges"] == {"ann": 5, "bob": 4}  # a simulated judge has no say
    assert shown["cannot_tell"] == {"ann": 0, "bob": 1}
    assert shown["pairs"] == 4
    assert shown["measures"]["observed_agreement"] == 0.75
    # Cohen by hand: expected (2*1 + 0*1 + 1*1 + 1*1) / 16 = 1/4.
    assert shown["measures"]["cohen_kappa"] == pytest.approx((0.75 - 0.25) / 0.75)
    assert shown["measures"].keys() == shown["intervals"].keys() >= {"krippendorff_alpha"}
    low, high = shown["intervals"]["cohen_kappa"]
    assert low <= shown["measures"]["cohen_kappa"] <= high
    (dispute,) = shown["disputed"]
    assert dispute == {"query_id": "q1", "doc_id": "other", "grades": {"ann": 0, "bob": 1}}
    assert main(["labels", "agreement", str(folder)]) == 0
    text = capsys.readouterr().out
    assert "bob: 4 grades, cannot tell 1" in text
    assert "q1  other  ann 0, bob 1" in text


def test_agreement_without_labels_says_so_instead_of_nan(
    capsys: pytest.CaptureFixture[str], folder: Path, home: Path
) -> None:
    shown = run_json(capsys, "labels", "agreement", str(folder))

    assert set(shown["measures"].values()) == {None}
    assert shown["undefined"]["cohen_kappa"] == "Nothing is graded."
    assert not (home / FILE_NAME).exists()  # asking makes no file
    assert main(["labels", "agreement", str(folder)]) == 0
    assert "nan" not in capsys.readouterr().out.casefold()


def test_agreement_with_pipelines_says_whether_the_winner_depends_on_the_judge(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    label("ann", 3, 0, 0, 2, 0)
    label("bob", 0, 3, 0, 0, 2)
    command = ["labels", "agreement", str(folder), "-p", "bm25", "bm25(k1=0.1)"]
    ranking = run_json(capsys, *command)["ranking"]

    assert set(ranking["order"]) == {"bm25", "bm25(k1=0.1)"}
    assert 0 <= ranking["order_holds"] <= ranking["winner_holds"] <= 1
    assert [one["judge"] for one in ranking["by_judge"]] == ["ann", "bob"]
    assert main(command) == 0
    assert "ann: best is bm25" in capsys.readouterr().out


def test_agreement_of_a_session_says_what_its_pool_misses(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    pairs = (
        JudgingPair("q1", "long"),
        JudgingPair("q1", "other", PairOrigin.BELOW_POOL, 0.5),
        JudgingPair("q2", "long", PairOrigin.BELOW_POOL, 0.5),
    )
    store = JudgmentStore.open()
    store.save_session(LabelSession("s1", "my corpus", "Trial", ("bm25",), 1, pairs, NOW))
    grades = (("q1", "long", 2), ("q1", "other", 1), ("q2", "long", 0))
    store.append(
        [
            Judgment("my corpus", q, d, grade, "ann", JudgeKind.HUMAN, NOW, session_id="s1")
            for q, d, grade in grades
        ]
    )
    command = ["labels", "agreement", str(folder), "--session", "s1"]
    missed = run_json(capsys, *command)["missed_by_pool"]

    assert (missed["estimate"], missed["population"], missed["recall"]) == (2, 4, 1 / 3)
    low, high = missed["interval"]
    assert low < 2 < high
    assert main(command) == 0
    assert "about 2 relevant documents missed" in capsys.readouterr().out


def test_a_judge_without_labels_is_named(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    label("ann", 1)
    found = fail_json(capsys, "labels", "agreement", str(folder), "--judge", "eve")

    assert "eve graded nothing in my corpus" in found["message"]


def test_next_names_pairs_the_leader_and_how_sure_it_is(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    command = ["labels", "next", str(folder), "-p", "bm25", "bm25(k1=0.1)", "rm3"]
    shown = run_json(capsys, *command, "-n", "1", "--judgments", "lab")

    assert len(shown["pairs"]) <= 1
    assert all(pair.keys() == {"query_id", "doc_id", "expected_change"} for pair in shown["pairs"])
    assert shown["leader"] in shown["win_chances"]
    assert shown["confidence"] == max(shown["win_chances"].values())
    assert shown["labels"] == 0
    unjudged = shown["unjudged"]
    label("ann", 3, 0, 0, 2, 0)
    after = run_json(capsys, *command, "--judgments", "lab")
    assert (after["labels"] > 0, after["unjudged"] < unjudged) == (True, True)
    judged = set(PAIRS)
    assert not judged & {(pair["query_id"], pair["doc_id"]) for pair in after["pairs"]}
    assert main(command) == 0
    assert "leads with an expected nDCG@10" in capsys.readouterr().out
    assert list_experiments() == []


@pytest.mark.parametrize(
    ("options", "message"),
    [(["-p", "bm25"], "fewer than two pipelines"), (["-p", "bm25", "rm3", "-m", "Bpref"], "Bpref")],
)
def test_next_refuses_what_cannot_be_decided(
    capsys: pytest.CaptureFixture[str], folder: Path, options: list[str], message: str
) -> None:
    assert message in fail_json(capsys, "labels", "next", str(folder), *options)["message"]
