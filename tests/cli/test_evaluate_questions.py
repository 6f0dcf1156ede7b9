"""`evaluate --by-tag` and `--bounds`: the numbers of the page, only when asked for."""

from __future__ import annotations

import json

import pytest

from rerank_lab.cli import main
from rerank_lab.evaluation.by_tag import by_tag, groups_of, weighted_means
from rerank_lab.evaluation.experiments import list_experiments, load_experiment
from rerank_lab.evaluation.unjudged import flip_risk, unjudged_bounds
from rerank_lab.views import by_tag as tag_views
from rerank_lab.views.unjudged import default_challenger

COMMAND = [
    "evaluate",
    "science-answers",
    "-p",
    "bm25",
    "bm25(b=0.0)",
    "-m",
    "nDCG@10",
    "--limit",
    "30",
]


def test_by_tag_and_bounds_are_those_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COMMAND, "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert "by_tag" not in plain
    assert "bounds" not in plain

    assert main([*COMMAND, "--json", "--by-tag", "kind", "--bounds"]) == 0
    asked = json.loads(capsys.readouterr().out)
    done = load_experiment(list_experiments()[0].id)
    (kind,) = asked["by_tag"]
    of_page = by_tag(done, "kind")
    assert {tag["tag"] for tag in kind["tags"]} >= {"negation", "number"}
    assert kind == json.loads(json.dumps(of_page.to_json()))
    bounds = unjudged_bounds(done)
    assert bounds is not None
    assert asked["bounds"] == json.loads(json.dumps(bounds.to_json()))
    risk = flip_risk(done, bounds.winner, default_challenger(bounds))
    assert asked["deciding_documents"] == json.loads(json.dumps(risk.to_json()))


def test_people_read_the_sentences_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COMMAND, "--by-tag", "length", "--bounds"]) == 0
    out = capsys.readouterr().out
    done = load_experiment(list_experiments()[0].id)
    labels = {spec: spec for spec in done.design.pipelines}
    assert tag_views.tag_sentence(by_tag(done, "length"), labels) in out
    assert "All documents in the top 10 are judged" in out
    assert main([*COMMAND, "--by-tag", "colour"]) == 2
    assert "not grouped by 'colour'" in capsys.readouterr().err


def test_tags_are_weighed_as_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    shares = ["--by-tag", "kind", "--tag-weights", "negation=3", "number=1"]
    assert main([*COMMAND, "--json", *shares]) == 0
    asked = json.loads(capsys.readouterr().out)["weighted"]
    done = load_experiment(list_experiments()[0].id)
    group = next(one for one in groups_of(done) if one.name == "kind")
    of_page = weighted_means(done, group.weights({"negation": 3.0, "number": 1.0}))
    assert [one["mean"] for one in asked] == [one.mean for one in of_page]
    assert main([*COMMAND, *shares]) == 0
    assert "Weighted mean" in capsys.readouterr().out
    assert main([*COMMAND, "--by-tag", "kind", "--tag-weights", "negation"]) == 2
    assert "Write TAG=SHARE" in capsys.readouterr().err
    assert main([*COMMAND, "--tag-weights", "head=1"]) == 2
    assert "Give --by-tag with one of" in capsys.readouterr().err
    assert main([*COMMAND, "--tag-weights", "column"]) == 2
    assert "no query has a number in its column weight" in capsys.readouterr().err
