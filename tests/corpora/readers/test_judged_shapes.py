"""Every shape of judgments, queries and runs gives the same rows at every door."""

from __future__ import annotations

import bz2
import gzip
import json
from pathlib import Path

import pytest

from rerank_lab.cli import main
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora import attach_qrels, attach_queries, import_corpus, load_corpus
from rerank_lab.corpora.judged import read_judgments, read_queries
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.runs import read_run
from rerank_lab.corpora.source import Source

TREC = "1 0 d2 1\n1 0 d5 0\n2 0 d6 1\n"
TEXTS = {"1": "coffee filters", "2": "tea storage"}
EXPECTED = {"1": {"d2": 1, "d5": 0}, "2": {"d6": 1}}
RATINGS = [{"docId": "d2", "rating": "1.0"}, {"docId": "d5", "rating": "0.0"}]
SHAPES: dict[str, bytes | str] = {
    "qrels.txt": TREC,
    "commented.txt": "# judged in March\n# at noon\n" + TREC,
    "tabs.txt": TREC.replace(" ", "\t"),
    "utf16.txt": TREC.encode("utf-16"),
    "qrels.txt.gz": gzip.compress(TREC.encode(), mtime=0),
    "qrels.txt.bz2": bz2.compress(TREC.encode()),
    "ranklib.txt": "1 qid:1 # d2 coffee filters\n0 qid:1 # d5 coffee filters\n1 qid:2 # d6 tea\n",
    "letor.txt": "1 qid:1 1:0.5 #docid = d2 inc = 1\n0 qid:1 #docid = d5\n1 qid:2 #docid = d6\n",
    "beir.tsv": "query-id\tcorpus-id\tscore\n1\td2\t1\n1\td5\t0\n2\td6\t1\n",
    "terrier.csv": "qid,docno,rank,score,label\n1,d2,0,14,1\n1,d5,1,9,0\n2,d6,0,8,1\n",
    "decimals.csv": "query_id,doc_id,label\n1.0,d2,1.0\n1.0,d5,0.0\n2.0,d6,1.0\n",
    "own-name.csv": "query_id,Ticket #,grade\n1,d2,1\n1,d5,0\n2,d6,1\n",
    "quepid.csv": "query,docid,rating\ncoffee filters,d2,1\ncoffee filters,d5,0\n"
    "tea storage,d6,1\nan unrated query\n",
    "snapshot.csv": "Case ID,Query Text,Doc ID,Doc Position,Rating\n8,coffee filters,d2,1,1\n"
    "8,coffee filters,d5,2,0\n8,tea storage,d6,1,1\n",
    "words.csv": "query_id,doc_id,relevant\n1,d2,yes\n1,d5,no\n2,d6,yes\n",
    "nested.json": json.dumps(EXPECTED),
    "split.json": json.dumps({"test": EXPECTED}),
    "opensearch.json": json.dumps(
        {
            "judgmentRatings": [
                {"query": "coffee filters", "ratings": RATINGS},
                {"query": "tea storage", "ratings": [{"docId": "d6", "rating": "1.0"}]},
            ]
        }
    ),
}
SHAPES |= {
    "detailed.ndjson": "\n".join(
        json.dumps({"query": query, "ratings": ratings})
        for query, ratings in (
            ("coffee filters", RATINGS),
            ("tea storage", [{"docId": "d6", "rating": "1"}]),
        )
    ),
    "grouped.json": json.dumps(
        {"1": RATINGS, "2": [{"docid": "d6", "grade": 1}]},
    ),
    "objects.jsonl": "".join(
        json.dumps({"query": {"id": q, "text": TEXTS[q]}, "doc": {"id": d}, "label": grade}) + "\n"
        for q, judged in EXPECTED.items()
        for d, grade in judged.items()
    ),
    "splits.json": json.dumps({"train": {"9": {"d1": 1}}, "test": EXPECTED}),
    "remarks.txt": "1 0 d2 1 # clear\n1 0 d5 0\n2 0 d6 1 # see page 2\n",
    "links.csv": "query,url,relevant?\ncoffee filters,d2,Yes\ncoffee filters,d5,No\n"
    "tea storage,d6,Yes\n",
}
RELEVANT_ONLY: dict[str, str] = {
    "two.tsv": "1\td2\n2\td6\n",
    "header.tsv": "query_id\tdoc_id\n1\td2\n2\td6\n",
    "lists.json": '{"1": ["d2"], "2": ["d6"]}',
    "llama.json": '{"corpus": {}, "relevant_docs": {"1": ["d2"], "2": ["d6"]}}',
    "rows.jsonl": '{"qid": 1, "relevant_docs": ["d2"]}\n{"qid": 2, "relevant_docs": ["d6"]}\n',
    "commas.tsv": "1\td2, d2\n2\td6\n",
    "cells.csv": "query_id,relevant_ids\n1,\"['d2']\"\n2,d6\n",
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Six documents and two queries."""
    texts = ("espresso", "coffee filters", "green tea", "bicycle", "coffee beans", "tea storage")
    rows = [{"_id": f"d{n}", "text": text} for n, text in enumerate(texts, 1)]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "queries.tsv").write_text("".join(f"{q}\t{t}\n" for q, t in TEXTS.items()))
    return tmp_path


def written(place: Path, name: str, content: bytes | str) -> Path:
    file = place / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


@pytest.mark.parametrize("name", [*SHAPES, *RELEVANT_ONLY])
def test_judgments_are_the_same_at_every_door(
    place: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    only = name in RELEVANT_ONLY
    qrels = written(place, name, RELEVANT_ONLY[name] if only else SHAPES[name])
    expected = {"1": {"d2": 1}, "2": {"d6": 1}} if only else EXPECTED
    corpus, queries = place / "corpus.jsonl", place / "queries.tsv"
    assert load_corpus(corpus, queries=queries, qrels=qrels).qrels == expected
    asked = ("-p", "bm25", "-m", "nDCG@10", "--json")
    files = ("--queries", str(queries), "--qrels", str(qrels))
    assert main(["evaluate", str(corpus), *files, *asked]) == 0
    evaluated = json.loads(capsys.readouterr().out)
    assert evaluated["results"][0]["measures"]["nDCG@10"] == 1.0
    assert evaluated["readings"][-1]["queries"] == 2
    assert main(["corpora", "import", str(corpus), "--name", "drinks", *files, "--json"]) == 0
    capsys.readouterr()
    assert load_corpus("drinks").qrels == expected
    import_corpus(corpus, "uploaded")
    attach_queries("uploaded", queries)
    attach_qrels("uploaded", qrels)
    assert load_corpus("uploaded").qrels == expected


def test_queries_of_a_judgment_file_are_taken_where_there_are_no_others(place: Path) -> None:
    qrels = written(place, "quepid.csv", SHAPES["quepid.csv"])
    corpus = load_corpus(place / "corpus.jsonl", qrels=qrels)
    assert {query.text for query in corpus.queries} >= set(TEXTS.values())
    assert sorted(map(len, corpus.qrels.values())) == [1, 2]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("topics.txt", "<top>\n<num> Number: 1\n<title> coffee filters\n<desc> Description:\nHow?\n"
         "</top>\n\n<top>\n<num> Number: 2\n<title> tea storage\n</top>\n"),
        ("topics.xml", '<topics><topic number="1"><query>coffee filters</query></topic>'
         '<topic number="2"><query>tea storage</query></topic></topics>'),
        ("queries.json", json.dumps(TEXTS)),
        ("million.txt", "1:coffee filters\n2:tea storage\n"),
        ("bars.txt", "1|coffee filters\n2|tea storage\n"),
        ("top.tsv", "1\td2\tcoffee filters\ta passage\n1\td5\tcoffee filters\tanother one\n"
         "2\td6\ttea storage\ta third\n"),
        ("queries.jsonl", '{"queryText": "coffee filters", "qid": 1}\n'
         '{"queryText": "tea storage", "qid": 2}\n'),
    ],
)  # fmt: skip
def test_queries_in_every_shape(name: str, content: str) -> None:
    queries = read_queries(Source(name, data=content.encode()), ReadOptions(), ProblemLog()).queries
    assert {query.id: query.text for query in queries} == TEXTS


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.txt", "# tag: mine\nq#1 Q0 a#0 1 2 t\nq#1 Q0 b 2 1 t\n"),
        ("run16.txt", "q#1 Q0 a#0 1 2.0 t\r\nq#1 Q0 b 2 1.0 t\r\n".encode("utf-16")),
        ("run.txt.gz", gzip.compress(b"q#1 Q0 a#0 1 2 t\nq#1 Q0 b 2 1 t\n", mtime=0)),
        ("marco.tsv", "q#1\ta#0\t1\nq#1\tb\t2\n"),
        ("run.csv", "qid,docno,rank,score\nq#1,b,1,1.0\nq#1,a#0,0,2.0\n"),
        ("run.json", '{"q#1": {"b": 1.0, "a#0": 2.0}}'),
        ("hits.json", '{"q#1": [{"doc_id": "b", "score": 1.0}, {"doc_id": "a#0", "score": 2}]}'),
        ("order.jsonl", '{"query": "q#1", "candidates": [{"docid": "a#0"}, {"docid": "b"}]}\n'),
    ],
)
def test_runs_in_every_shape(tmp_path: Path, name: str, content: bytes | str) -> None:
    assert read_run(written(tmp_path, name, content)).rankings["q#1"].doc_ids == ("a#0", "b")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.tsv", "coffee filters\t1,200\ntea storage\t80\n"),
        ("counted.tsv", "1200\tcoffee filters\n80\ttea storage\n80\tchains\n"),
        ("uniq.txt", "   1200 coffee filters\n     80 tea storage\n"),
    ],
)
def test_a_query_log(name: str, content: str) -> None:
    queries = read_queries(Source(name, data=content.encode()), ReadOptions(), ProblemLog()).queries
    texts = [(query.text, query.meta["frequency"]) for query in queries]
    assert texts[:2] == [("coffee filters", 1200), ("tea storage", 80)]


def test_years_as_queries_are_no_frequencies() -> None:
    source = Source("q.tsv", data=b"1\t2020 in film\n2\t1984\n")
    queries = read_queries(source, ReadOptions(), ProblemLog()).queries
    assert {query.id: query.text for query in queries} == {"1": "2020 in film", "2": "1984"}


def test_a_choice_between_columns_is_said() -> None:
    log = ProblemLog()
    source = Source("q.csv", data=b"qid,docid,rating,label\n1,a,3,1\n1,b,0,0\n")
    judgments = read_judgments(source, ReadOptions(), log)
    assert judgments.reading.columns["grade"] == "label"
    assert "'rating' could be it" in log.problems[0].message
    chosen = read_judgments(source, ReadOptions(columns={"grade": "rating"}), ProblemLog())
    assert chosen.qrels == {"1": {"a": 3, "b": 0}}
