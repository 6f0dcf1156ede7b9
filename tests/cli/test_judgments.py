"""Which judgments count: one number at the command line, in Python and in the app."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

import rerank_lab
from rerank_lab.cli import main
from rerank_lab.core.judgment_basis import Policy
from rerank_lab.fusion.learned.store import load_model
from rerank_lab.judging.records import JudgeKind, Judgment
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services import evaluate
from rerank_lab.services.qrels import JudgmentSource
from rerank_lab.ui.shared import resources
from rerank_lab.views.evaluate import evaluate_view
from rerank_lab.views.judgment_choice import source_of_choice
from rerank_lab.views.reproduce import evaluate_command
from tests.cli.conftest import Calls, run_json

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def label(corpus: str, query_id: str, doc_id: str, *grades: int) -> None:
    """A label by each of the judges j0, j1, ..., in this order."""
    JudgmentStore.open().append(
        [
            Judgment(corpus, query_id, doc_id, grade, f"j{place}", JudgeKind.HUMAN, NOW)
            for place, grade in enumerate(grades)
        ]
    )


def test_labels_count_by_default_and_are_said_to(
    capsys: pytest.CaptureFixture[str], folder: Path, plugin: Calls
) -> None:
    command = ["evaluate", str(folder), "-p", "as-given", "-m", "RR"]
    (own,) = run_json(capsys, *command)["results"]
    label("my corpus", "q1", "short", 3)
    shown = run_json(capsys, *command)

    assert own["measures"]["RR"] == (1 / 2 + 1) / 2
    assert shown["results"][0]["measures"]["RR"] == 1
    assert shown["judgments"]["source"] == "both"
    counts = {name: shown["judgments"][name] for name in ("own", "lab", "overridden", "unchecked")}
    assert counts == {"own": 2, "lab": 1, "overridden": 1, "unchecked": 1}
    assert main(command) == 0
    assert "judgments: 1 grade of the lab and 2 of the corpus' own" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "reciprocal_rank"),
    [
        (["--judgments", "own"], 3 / 4),
        (["--winner", "own"], 3 / 4),
        (["--judgments", "lab"], 1),
        (["--policy", "majority"], 3 / 4),
        (["--policy", "latest"], 1),
    ],
)
def test_the_options_say_whose_grades_count(
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    plugin: Calls,
    options: list[str],
    reciprocal_rank: float,
) -> None:
    label("my corpus", "q1", "short", 0, 0, 2)
    shown = run_json(capsys, "evaluate", str(folder), "-p", "as-given", "-m", "RR", *options)
    assert shown["results"][0]["measures"]["RR"] == reciprocal_rank


def test_a_file_of_judgments_is_not_mixed_with_labels_unless_asked(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path, plugin: Calls
) -> None:
    label("my corpus", "q1", "short", 3)
    (tmp_path / "judged.txt").write_text("q1 0 other 1\n")
    command = ["evaluate", str(folder), "-p", "as-given", "-m", "RR"]
    command += ["--qrels", str(tmp_path / "judged.txt")]
    assert run_json(capsys, *command)["results"][0]["measures"]["RR"] == 1 / 3
    both = run_json(capsys, *command, "--judgments", "both")
    assert both["results"][0]["measures"]["RR"] == 1


def test_calibrate_and_train_say_which_judgments_they_stand_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    corpus = rerank_lab.load_corpus("helpdesk")
    query = corpus.queries[0].id
    doc_id = next(iter(corpus.qrels[query]))
    label("helpdesk", query, doc_id, 3)
    fit = run_json(capsys, "calibrate", "helpdesk", "-p", "bm25(k=20)")
    assert (fit["judgments"]["source"], fit["judgments"]["lab"]) == ("both", 1)
    command = [
        "train",
        "helpdesk",
        "-p",
        "bm25(k=10) >> ltr(bm25,overlap)",
        "--rounds",
        "2",
        "--folds",
        "2",
    ]
    model = run_json(capsys, *command, "--name", "mine", "--winner", "own")
    assert model["judgments"]["winner"] == "own"
    assert load_model("mine").origin.basis.winner == "own"


def test_app_command_line_and_python_give_the_same_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    corpus = rerank_lab.load_corpus("helpdesk")
    for query in corpus.queries[:20]:
        ranking = Pipeline("bm25(k=10)").run(query, corpus).ranking
        assert ranking is not None
        label("helpdesk", query.id, ranking.doc_ids[1], 3, 0, 0)
    majority = JudgmentSource(policy=Policy.MAJORITY)
    python = rerank_lab.evaluate(
        rerank_lab.with_judgments(corpus, majority), ["bm25(k=10)"], measures=["nDCG@10"]
    )
    shown = run_json(
        capsys, "evaluate", "helpdesk", "-p", "bm25(k=10)", "-m", "nDCG@10", "--policy", "majority"
    )
    choice = source_of_choice("lab over own", "majority", ())
    on_screen = resources.judged_corpus("helpdesk", source=choice)
    request = evaluate.EvaluationRequest((Pipeline("bm25(k=10)").spec,), ("nDCG@10",))
    design = evaluate.planned(request, on_screen, default_engine()).design
    view = evaluate_view(resources.evaluation(design.id))

    value = python.outcomes[0].measures["nDCG@10"]
    own = rerank_lab.evaluate(corpus, ["bm25(k=10)"], measures=["nDCG@10"])
    assert own.outcomes[0].measures["nDCG@10"] != value
    assert shown["results"][0]["measures"]["nDCG@10"] == value
    assert view.rows[0].outcome.measures["nDCG@10"] == value
    assert design.id == python.id != own.id
    assert design.basis.digest == shown["judgments"]["digest"]
    command = evaluate_command(design, on_screen, labelled=True)
    assert "--judgments both --policy majority" in command
    assert "--judgments own" in evaluate_command(own.design, corpus, labelled=True)
