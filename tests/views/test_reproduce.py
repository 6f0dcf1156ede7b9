"""What leaves the app gives the same rankings elsewhere, at a depth that is no door's default."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import shlex
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rerank_lab.cli import main
from rerank_lab.core.types import Query
from rerank_lab.corpora import Corpus, import_corpus, load_corpus
from rerank_lab.corpora.exclusions import with_exclusions
from rerank_lab.corpora.runs import read_run
from rerank_lab.evaluation.experiments import Design, plan, run
from rerank_lab.pipeline.engine import default_engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services.comparisons import comparison_of
from rerank_lab.views.compare import CompareOptions, CompareView, compare
from rerank_lab.views.evaluate_export import queries_csv, results_csv, results_json, runs_zip
from rerank_lab.views.export import to_csv, to_json, to_trec
from rerank_lab.views.own_documents import OwnDocuments, choice_of, excluding_words
from rerank_lab.views.reproduce import evaluate_command, python_code, rank_command
from rerank_lab.views.topic import Topic
from tests.views.made import outcome_of

DEPTH = 20
SPECS = ("bm25", "bm25 >> overlap(top=10)", "rrf(bm25,rank-bm25)")
Rankings = dict[str, tuple[str, ...]]
"""By pipeline as a door writes it, the ids of its documents in order."""


@pytest.fixture(autouse=True)
def _fresh(home: Path) -> Iterator[None]:
    default_engine.cache_clear()
    yield
    default_engine.cache_clear()


def on_screen(corpus: Corpus, text: str) -> CompareView:
    topic = Topic.of(text, corpus)
    results = [Pipeline(spec).at_depth(DEPTH).run(topic.query, corpus) for spec in SPECS]
    outcomes = [outcome_of(spec, result) for spec, result in zip(SPECS, results, strict=True)]
    return compare(topic, outcomes, CompareOptions())


def rankings_on(view: CompareView) -> list[tuple[str, ...]]:
    return [c.outcome.ranking.doc_ids for c in view.columns if c.outcome.ranking is not None]


def ran(spec: str, query: Query, corpus: Corpus) -> tuple[str, ...]:
    ranking = Pipeline(spec).run(query, corpus).ranking
    assert ranking is not None
    return ranking.doc_ids


def by_command(command: str, capsys: pytest.CaptureFixture[str], *more: str) -> Rankings:
    program, *words = shlex.split(command)
    assert program == "rerank-lab"
    capsys.readouterr()
    assert main(["--json", *words[:1], *more, *words[1:]]) == 0
    rankings = json.loads(capsys.readouterr().out)["rankings"]
    return {one["pipeline"]: tuple(hit["doc_id"] for hit in one["hits"]) for one in rankings}


def by_python(code: str) -> list[tuple[str, ...]]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "snippet.py", "exec"), {})
    lines = out.getvalue().splitlines()
    return [tuple(part.strip("' ") for part in line.split("(")[-1].rstrip(")").split(",") if part)
            for line in lines]  # fmt: skip


def test_whatever_leaves_compare_gives_the_rankings_on_screen(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    corpus = load_corpus("helpdesk")
    query = corpus.queries[3]
    view = on_screen(corpus, query.text)
    expected = rankings_on(view)
    assert [len(ids) for ids in expected] == [DEPTH] * 3

    rows = list(csv.DictReader(io.StringIO(to_csv(view))))
    in_csv = list(dict.fromkeys(row["pipeline"] for row in rows))
    in_json = [one["pipeline"] for one in json.loads(to_json(view))["rankings"]]
    in_trec = [to_trec(view, column).splitlines()[0].split(" ")[-1] for column in view.columns]
    for specs in (in_csv, in_json, in_trec):
        assert [ran(spec, query, corpus) for spec in specs] == expected

    assert list(by_command(rank_command(view), capsys).values()) == expected
    assert by_python(python_code(view)) == expected


def test_a_recording_opens_at_the_depth_that_it_was_made_with(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    corpus = load_corpus("helpdesk")
    query = corpus.queries[3]
    file = tmp_path / "recorded.json"
    command = shlex.join(["rerank-lab", "rank", "helpdesk", query.text, "-p", *SPECS])
    expected = by_command(command, capsys, "--record", str(file))
    header = comparison_of(file.read_bytes()).header
    again = [
        ran(str(Pipeline(spec).at_depth(header.depth)), query, corpus) for spec in header.pipelines
    ]
    assert again == list(expected.values())


def test_a_query_of_ones_own_that_looks_like_an_option_is_asked_as_it_stands(
    capsys: pytest.CaptureFixture[str],
) -> None:
    view = on_screen(load_corpus("helpdesk"), '-k it\'s "password"')
    expected = rankings_on(view)
    assert list(by_command(rank_command(view), capsys).values()) == expected
    assert by_python(python_code(view)) == expected


def design_of(corpus: Corpus, count: int = 5) -> Design:
    specs = [str(Pipeline(spec).at_depth(DEPTH)) for spec in SPECS[:2]]
    return plan(corpus, specs, queries=corpus.queries[:count], measures=["nDCG@10"]).design


def test_whatever_leaves_evaluate_gives_the_same_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    corpus = load_corpus("helpdesk")
    specs = [str(Pipeline(spec).at_depth(DEPTH)) for spec in SPECS[:2]]
    done = run(plan(corpus, specs, queries=corpus.queries[:5], measures=["nDCG@10"]))
    expected = [done.run(spec).rankings["hd-q01"].doc_ids for spec in specs]

    tables = [list(csv.DictReader(io.StringIO(make(done)))) for make in (results_csv, queries_csv)]
    in_json = [one["pipeline"] for one in json.loads(results_json(done))["results"]]
    for named in (*([row["pipeline"] for row in table] for table in tables), in_json):
        assert [ran(spec, corpus.queries[0], corpus) for spec in dict.fromkeys(named)] == expected
    with zipfile.ZipFile(io.BytesIO(runs_zip(done))) as archive:
        archive.extractall(tmp_path)
    runs = [read_run(file) for file in sorted(tmp_path.glob("*.trec"))]
    assert [one.rankings["hd-q01"].doc_ids for one in runs] == expected

    program, *words = shlex.split(evaluate_command(done.design, corpus))
    assert program == "rerank-lab"
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["results"] == done.to_json()["results"]


def test_no_command_is_given_for_what_the_corpus_alone_does_not_give() -> None:
    corpus = load_corpus("helpdesk")
    design = design_of(corpus)
    assert "--limit 5" in evaluate_command(design, corpus)
    assert "--limit" not in evaluate_command(design_of(corpus, 60), corpus)
    others = replace(design, queries=(Query("own", "asked with --queries"), *design.queries[1:]))
    assert evaluate_command(others, corpus) == ""
    assert evaluate_command(replace(design, corpus_hash="0"), corpus) == ""


@pytest.fixture
def own_documents(tmp_path: Path) -> Corpus:
    """Each query is a document, as in ArguAna."""
    words = ("moon rocks", "moon dust", "moon light")
    lines = "".join(json.dumps({"_id": f"d{n}", "text": t}) + "\n" for n, t in enumerate(words))
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "corpus.jsonl").write_text(lines)
    (folder / "queries.jsonl").write_text(lines)
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nd0\td1\t1\nd1\td2\t1\n")
    import_corpus(folder, "own")
    return load_corpus("own")


@pytest.mark.parametrize("excludes", [True, False])
def test_the_choice_about_own_documents_leaves_with_the_rest(
    own_documents: Corpus, excludes: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = with_exclusions(own_documents, excludes)
    view = on_screen(corpus, "moon rocks")
    expected = rankings_on(view)
    assert ("d0" in expected[0]) is not excludes
    assert list(by_command(rank_command(view), capsys).values()) == expected
    assert by_python(python_code(view)) == expected

    about = OwnDocuments.of(own_documents)
    assert (about.queries, about.same_texts) == (3, True)
    design = design_of(corpus)
    assert choice_of(design.queries, about.same_texts) == ("by text" if excludes else "kept")
    assert ("--no-exclude-identical" in evaluate_command(design, own_documents)) is not excludes
    words = "2 queries leave their own document out"
    assert excluding_words(design) == (words if excludes else "")
