"""A live corpus through every door: command line, Compare, Evaluate, Label; nothing is copied."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.cli import main
from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import list_corpora, load_corpus
from rerank_lab.corpora.live import HELD, LiveCorpus, LiveDocuments
from rerank_lab.corpora.live_opening import engine_of
from rerank_lab.jobs.table import JobTable
from rerank_lab.judging.records import JudgeKind, JudgingPair, Judgment, PairOrigin
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.pipeline.engine import Engine, default_engine
from rerank_lab.pipeline.pipeline import Pipeline
from rerank_lab.services import compare, labelling
from rerank_lab.services.compare import CompareRequest
from rerank_lab.services.qrels import lab_labels
from rerank_lab.services.session import Session
from rerank_lab.views.label import label_card
from tests.retrievers.engines.conftest import ARTICLES, DSN, Database

SPEC = f'postgres(dsn_env="{DSN}",table="articles",title="title")'


@pytest.fixture(autouse=True)
def fresh_process(home: Path) -> None:
    default_engine.cache_clear()


@pytest.fixture
def judged(tmp_path: Path) -> tuple[str, str]:
    """Files of queries and judgments; one judged document is not in the engine."""
    queries, qrels = tmp_path / "queries.tsv", tmp_path / "qrels.txt"
    queries.write_text("q1\tpassword rules\nq2\tlazy fox\n")
    qrels.write_text("q1 0 a3 2\nq1 0 a2 1\nq2 0 a1 2\nq2 0 gone 1\n")
    return str(queries), str(qrels)


@pytest.fixture
def connected(
    articles: Database, judged: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> Database:
    """`articles`, kept as the live corpus `help`."""
    queries, qrels = judged
    assert (
        main(["corpora", "connect", "help", SPEC, "--queries", queries, "--qrels", qrels]) == 0
    ), capsys.readouterr().err
    return articles


def run_json(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    code = main([*words, "--json"])
    output = capsys.readouterr()
    assert code == 0, output.err
    return json.loads(output.out)


def test_connecting_copies_nothing_and_says_what_the_engine_says(
    connected: Database, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    output = capsys.readouterr().out
    assert "5 documents in a search engine, 2 queries, 4 judgments; nothing was copied" in output
    assert "1 of 4 judged documents are not in the corpus: 'gone'" in output
    stored = [path.name for path in (home / "corpora" / "help").iterdir()]
    assert sorted(stored) == ["live.json", "qrels.tsv", "queries.jsonl", "summary.json"]
    assert connected.server.password not in "".join(
        path.read_text() for path in (home / "corpora" / "help").iterdir()
    )
    (entry,) = [one for one in list_corpora() if one.kind == "live"]
    assert (entry.name, entry.documents, entry.queries) == ("help", 5, 2)


def test_rank_and_evaluate_give_what_python_gives(
    connected: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    specs = ["live", "live >> overlap", f"{SPEC} >> overlap"]
    rankings = run_json(capsys, "rank", "help", "password rules", "-p", *specs)["rankings"]
    ids = [[hit["doc_id"] for hit in one["hits"]] for one in rankings]
    assert ids[0] == ["a3", "a2"]
    assert ids[1] == ids[2]
    assert rankings[0]["trace"]["network_s"] > 0
    corpus = load_corpus("help")
    result = Pipeline(specs[1]).run("password rules", corpus)
    assert result.ranking is not None
    assert list(result.ranking.doc_ids) == ids[1]
    evaluation = run_json(capsys, "evaluate", "help", "-p", *specs, "-m", "nDCG@10", "R@10")
    recall = [row["measures"]["R@10"] for row in evaluation["results"]]
    assert recall == [0.75, 0.75, 0.75]  # the judged document that is gone counts as missed


def test_a_spec_stands_for_a_corpus_with_files_of_queries_and_judgments(
    articles: Database, judged: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    queries, qrels = judged
    words = ["evaluate", SPEC, "--queries", queries, "--qrels", qrels, "-p", "live", "-m", "R@10"]
    assert main(words) == 0
    output = capsys.readouterr().out
    assert "5 documents in a search engine · 2 queries" in output
    assert main(["corpora", "preview", SPEC, "fox"]) == 0
    output = capsys.readouterr().out
    assert "query = 'fox'" in output
    assert "a1  Fox — The fox jumps" in output


def test_judgments_of_other_documents_are_refused(
    articles: Database, judged: tuple[str, str], tmp_path: Path
) -> None:
    other = tmp_path / "other.txt"
    other.write_text("q1 0 x1 2\nq2 0 x2 1\n")
    with pytest.raises(InvalidInput, match="names no document of this corpus"):
        load_corpus(SPEC, queries=judged[0], qrels=other)


def test_compare_reuses_hits_for_a_minute_and_notices_changed_texts(connected: Database) -> None:
    corpus, engine = load_corpus("help"), Engine()
    session = Session(engine, JobTable(), "me")
    request = CompareRequest(Query("q1", "password rules"), Pipeline("live >> overlap").spec)
    result = compare.start(request, corpus, session).wait(30)
    assert result.ranking is not None
    assert result.ranking.doc_ids == ("a3", "a2")
    plain = compare.run(
        CompareRequest(Query("q1", "password rules"), Pipeline("live").spec),
        corpus,
        engine.context(),
        engine,
    )
    assert plain.stages[0].reused
    connected.run("UPDATE articles SET text = 'No rules, no password.' WHERE id = 'a2'")
    later = compare.run(
        CompareRequest(Query("q1", "password rules"), Pipeline("live").spec, afresh=True),
        corpus,
        Context(),
        engine,
    )
    assert any("another text in the engine" in warning for warning in later.trace.warnings)
    assert corpus.by_id["a2"].text == "No rules, no password."


def test_labelling_judges_what_the_engine_returns(connected: Database, home: Path) -> None:
    corpus, engine = load_corpus("help"), Engine()
    request = labelling.SessionRequest("first", pipelines=(Pipeline("live >> overlap").spec,))
    assert labelling.estimate(request, corpus).pairs[1] >= 2
    labels = labelling.pooled_session(request, corpus, Context(), engine, "s1")
    assert {pair.doc_id for pair in labels.pairs} == {"a1", "a2", "a3"}
    card = label_card(
        labels, JudgingPair("q1", "a2", PairOrigin.POOL), load_corpus("help"), 1, "1 of 2"
    )
    assert "".join(part.text for part in card.text).startswith("Reset the password")
    store = JudgmentStore.open()
    store.append([_judgment("a2", corpus.document_hash("a2")), _judgment("gone", "")])
    assert [row.doc_id for row in lab_labels(corpus).usable] == ["a2"]
    assert lab_labels(corpus).unknown == 1
    connected.run("UPDATE articles SET text = 'Changed.' WHERE id = 'a2'")
    assert isinstance(corpus, LiveCorpus)
    anew = replace(corpus, seen=LiveDocuments(engine_of(corpus.engine).fetch))
    assert [row.doc_id for row in lab_labels(anew).stale] == ["a2"]


def test_documents_are_fetched_many_at_once_and_not_asked_for_twice() -> None:
    asked: list[list[str]] = []

    def fetch(doc_ids: Any) -> list[Document]:
        asked.append(list(doc_ids))
        return [Document(doc_id, "text") for doc_id in doc_ids if doc_id.startswith("a")]

    documents = LiveDocuments(fetch)
    documents.prefetch(["a1", "b", "a2", "a1"])
    assert asked == [["a1", "b", "a2"]]
    assert "a1" in documents
    assert "b" not in documents
    assert documents.get("b") is None
    assert len(asked) == 1
    documents.forget_absent()
    assert "b" not in documents
    assert asked[1:] == [["b"]]


def test_only_so_many_documents_are_held() -> None:
    documents = LiveDocuments(lambda ids: [Document(i, "again") for i in ids])
    documents.remember(Document(str(n), "x") for n in range(HELD + 10))
    assert len(documents) == HELD
    assert documents["3"].text == "again"


def test_deleting_forgets_the_corpus_and_leaves_the_engine_alone(
    connected: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["corpora", "delete", "help"]) == 0
    assert not [one for one in list_corpora() if one.kind == "live"]
    assert connected.run("SELECT count(*) FROM articles") == [(len(ARTICLES),)]


def _judgment(doc_id: str, text_hash: str) -> Judgment:
    return Judgment(
        "help", "q1", doc_id, 1, "ann", JudgeKind.HUMAN, datetime.now(UTC), content_hash=text_hash
    )
