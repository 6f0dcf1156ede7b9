"""`rerank-lab calibrate`, and the example of its guide."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path

import pytest

from rerank_lab.cli import main
from rerank_lab.pipeline.pipeline import Pipeline

GUIDE = Path(__file__).parents[2] / "docs" / "calibration.md"


def test_the_command_gives_the_stage_and_the_figures_as_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(
        ["calibrate", "helpdesk", "-p", "bm25(k=20) >> overlap", "--precision", "0.5", "--json"]
    )
    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert found["queries"] == 60
    assert found["chosen"] in ("platt", "isotonic")
    assert str(Pipeline(found["spec"])) == found["spec"]
    assert {one["method"] for one in found["methods"]} == {"platt", "isotonic"}
    assert sum(one["count"] for one in found["methods"][0]["bins"]) == found["candidates"]
    chosen = next(one for one in found["methods"] if one["method"] == found["chosen"])
    assert found["covered"] == [chosen["bins"][0]["said"], chosen["bins"][-1]["said"]]
    assert f"{found['covered'][1]:.2f}" in found["answer"]
    figures = found["threshold_figures"]
    assert figures["threshold"] == found["threshold"]
    assert list(figures)[:2] == ["threshold", "kept"]
    assert figures["kept"] in [cut["kept"] for cut in chosen["cuts"]]
    assert f"{100 * figures['empty']:.0f} % of queries keep nothing" in found["threshold_answer"]
    emptied = figures["wrongly_empty"] > 0.5
    assert found["advised"] == (found["spec"] if emptied else found["threshold_spec"])


def test_the_command_answers_in_words_and_ends_with_a_pipeline(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["calibrate", "helpdesk", "-p", "bm25(k=20)", "--method", "platt"]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert "Brier score" in lines[0]
    assert "platt(" in lines[-1]


def test_a_limit_takes_the_first_judged_queries(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", "helpdesk", "-p", "bm25(k=20)", "--limit", "30", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["queries"] == 30


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--limit", "9"), "9 judged queries"),
        (("--grade", "4"), "0 relevant"),
        (("--folds", "70"), "60 judged queries"),
        (("--folds", "1"), "1 fold"),
    ],
)
def test_what_the_judgments_rule_out_is_refused_before_any_query_is_run(
    given: tuple[str, str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(*_: object, **__: object) -> None:
        raise AssertionError("a query was run")

    monkeypatch.setattr(Pipeline, "run", run)
    assert main(["calibrate", "helpdesk", "-p", "bm25(k=20)", *given, "--json"]) == 2
    error = json.loads(capsys.readouterr().err)
    assert message in error["message"]
    assert error["hint"]


def test_a_pipeline_without_scores_is_an_error_with_a_hint(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["calibrate", "helpdesk", "-p", "bm25(k=5) >> both-ends", "--json"]) == 2
    error = json.loads(capsys.readouterr().err)
    assert "gives no scores" in error["message"]
    assert error["hint"]


@pytest.mark.parametrize(
    ("command", "spec"),
    [("calibrate", "bm25(k=5) >> cohere"), ("train", "bm25(k=20) >> ltr(bm25,cohere)")],
)
def test_what_a_provider_would_be_asked_is_told_first(
    command: str,
    spec: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("COHERE_API_KEY", raising=False)
    name = ["--name", "asked"] if command == "train" else []
    assert main([command, "helpdesk", "-p", spec, *name]) == 2
    said = capsys.readouterr().err
    assert "asks for up to 60 requests" in said
    assert "No key is set: COHERE_API_KEY" in said


def test_the_guides_example_runs_as_it_stands() -> None:
    [example] = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text("utf-8"), re.M | re.S)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(example, "calibration.md", "exec"), {})
    assert said.getvalue().startswith(("platt(", "isotonic("))
