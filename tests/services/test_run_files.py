"""Runs of other systems: uploaded, checked, and evaluated beside pipelines of the lab."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rerank_lab.components.registry import resolve
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import Corpus
from rerank_lab.corpora.runs import read_run
from rerank_lab.evaluation.experiments import evaluate
from rerank_lab.evaluation.measures import measure
from rerank_lab.pipeline.engine import Engine
from rerank_lab.services.run_files import add_run_file, delete_run_file, run_files

CORPUS = Corpus(
    "small",
    tuple(Document(name, f"text of {name}") for name in "abc"),
    (Query("q1", "text a"), Query("q2", "text b")),
    {"q1": {"a": 2, "b": 1}, "q2": {"c": 1}},
)
RUN = b"q1 Q0 b 1 9.5 es\nq1 Q0 a 2 1.25 es\nq1 Q0 gone 3 1.0 es\nq2 Q0 c 1 3 es\n"


def test_an_uploaded_run_is_measured_as_the_file_itself(home: Path) -> None:
    run = add_run_file("other engine.trec", RUN, CORPUS)
    assert (run.answered, run.asked, run.unknown) == (2, 2, 1)
    assert str(run.pipeline) == f'run(path="uploaded:{run.name}")'
    assert run_files() == {run.name: run.pipeline}
    stored = home / "run-files" / run.name
    assert stored.read_bytes() == RUN

    names = ["nDCG@10", "RR@10"]
    both = evaluate(CORPUS, [run.pipeline, "bm25"], measures=names)
    expected = measure(CORPUS.qrels, read_run(stored).rankings, names)
    assert both.outcomes[0].measures == pytest.approx(expected.measures)
    assert both.common == ("q1", "q2")
    row, ours = both.table().rows
    assert (row.outcome.latency.p50, row.untimed) == (None, "another system")
    assert ours.outcome.latency.p50 is not None
    reranked = evaluate(CORPUS, [f"{run.pipeline} >> overlap"], measures=names)
    assert reranked.outcomes[0].latency.p50 is not None


def test_the_same_run_is_kept_once_and_another_beside_it() -> None:
    first = add_run_file("a.trec", RUN, CORPUS)
    assert add_run_file("a.trec", RUN, CORPUS) == first
    other = add_run_file("a.trec", RUN.replace(b"9.5", b"9.25"), CORPUS)
    assert set(run_files()) == {first.name, other.name}


def test_a_deleted_run_is_gone(home: Path) -> None:
    run = add_run_file("a.trec", RUN, CORPUS)
    delete_run_file(run.name)
    assert run_files() == {}
    assert not (home / "run-files" / run.name).exists()
    with pytest.raises(InvalidInput, match="There is no uploaded run"):
        delete_run_file(run.name)
    with pytest.raises(InvalidInput, match="not the name of an uploaded run"):
        delete_run_file("../lab.db")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a run|no ranking"),
        (b"hello\n", "not a"),
        (RUN.replace(b"q1", b"x1").replace(b"q2", b"x2"), "none of the queries of small"),
        (b"q1 Q0 x 1 2 es\n", "none of the documents of small"),
    ],
)
def test_what_is_no_run_of_this_corpus_is_refused_and_not_kept(
    content: bytes, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        add_run_file("a.trec", content, CORPUS)
    assert run_files() == {}


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b.trec", "..", "x\x00.run", "ü ber.run"])
def test_a_name_leads_nowhere_but_into_the_data_folder(name: str, home: Path) -> None:
    run = add_run_file(name, RUN, CORPUS)
    assert [path.name for path in (home / "run-files").iterdir()] == [run.name]


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", ".hidden", ""])
def test_a_pipeline_can_name_no_file_outside_the_folder_of_uploads(name: str) -> None:
    node = resolve(f'run(path="uploaded:{name}")').source
    engine = Engine()
    engine.readable = ()
    [problem] = engine.retriever(node).problems(replace(CORPUS))
    assert "not the name of an uploaded run" in problem.message
