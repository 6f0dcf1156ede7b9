"""Positional arguments are found on either side of options that take several values."""

from __future__ import annotations

import pytest

from rerank_lab.cli.parser import read_arguments
from rerank_lab.core.errors import InvalidInput

BM25, OVERLAP = "bm25", "bm25 >> overlap"


@pytest.mark.parametrize(
    ("words", "pipelines"),
    [
        (["helpdesk", "a query", "-p", BM25, OVERLAP], [BM25, OVERLAP]),
        (["-p", BM25, "helpdesk", "a query"], [BM25]),
        (["-p", BM25, OVERLAP, "helpdesk", "a query"], [BM25, OVERLAP]),
        (["-p", BM25, "-p", OVERLAP, "helpdesk", "a query"], [BM25, OVERLAP]),
        (["-p", BM25, "helpdesk", "-p", OVERLAP, "a query"], [BM25, OVERLAP]),
        (["helpdesk", "-p", BM25, OVERLAP, "a query"], [BM25, OVERLAP]),
        (["-p", BM25, "helpdesk", "-k", "3", "a query"], [BM25]),
        (["-p", BM25, "helpdesk", "a query", "-k", "3"], [BM25]),
        (["--pipeline", BM25, "helpdesk", "a query", "--json"], [BM25]),
        (["-p", BM25, "--", "helpdesk", "a query"], [BM25]),
    ],
)
def test_corpus_and_query_stand_wherever_people_put_them(
    words: list[str], pipelines: list[str]
) -> None:
    read = read_arguments(["rank", *words])
    assert (read.corpus, read.query, read.pipelines) == ("helpdesk", "a query", pipelines)


def test_a_query_that_is_the_name_of_a_pipeline_is_the_query() -> None:
    read = read_arguments(["rank", "-p", "bm25", "helpdesk", "dense"])
    assert (read.corpus, read.query, read.pipelines) == ("helpdesk", "dense", ["bm25"])


@pytest.mark.parametrize(
    "words",
    [
        ["-p", BM25, "dense", "helpdesk", "-m", "AP", "nDCG@10"],
        ["-p", BM25, "dense", "-m", "AP", "nDCG@10", "helpdesk"],
        ["-m", "AP", "nDCG@10", "helpdesk", "-p", BM25, "dense"],
        ["-m", "AP", "nDCG@10", "-p", BM25, "dense", "helpdesk"],
    ],
)
def test_a_corpus_behind_pipelines_or_measures_is_neither(words: list[str]) -> None:
    read = read_arguments(["evaluate", *words])
    assert read.corpus == "helpdesk"
    assert read.pipelines == [BM25, "dense"]
    assert read.measures == ["AP", "nDCG@10"]


def test_files_behind_measures_are_judgments_and_run() -> None:
    read = read_arguments(["measure", "-m", "AP", "P@5", "qrels.txt", "run.trec"])
    assert (read.qrels, read.run, read.measures) == ("qrels.txt", "run.trec", ["AP", "P@5"])


@pytest.mark.parametrize(
    "words", [["rank", "-p", BM25], ["rank", "-p", BM25, "helpdesk"], ["evaluate", "-p", BM25]]
)
def test_what_is_missing_is_still_said(words: list[str]) -> None:
    with pytest.raises(InvalidInput, match=r"required: .*(CORPUS|QUERY)"):
        read_arguments(words)


def test_a_query_that_begins_with_a_dash_is_helped() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_arguments(["rank", "helpdesk", "-bash", "-p", BM25])
    assert "Put -- before" in caught.value.hint
    read = read_arguments(["rank", "-p", BM25, "--", "helpdesk", "-bash"])
    assert read.query == "-bash"
    for text in ("-18", "-bash: command not found"):
        assert read_arguments(["rank", "helpdesk", text, "-p", BM25]).query == text
        assert read_arguments(["rank", "-p", BM25, "helpdesk", text]).query == text
