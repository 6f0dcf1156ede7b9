"""Files as people of the field had them when another tool read them wrongly, from end to end.

Each test is named after the report. The expected value is what its readers asked for.
"""

from __future__ import annotations

import bz2
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rerank_lab.cli import main
from rerank_lab.corpora import load_corpus

Files = dict[str, str | bytes]
DRINKS = "".join(
    json.dumps({"_id": f"d{number}", "text": text}) + "\n"
    for number, text in enumerate(
        (
            "Kettles need descaling every other month.",
            "A moka pot makes strong coffee without paper filters.",
            "Green tea steeps at eighty degrees.",
            "Bicycle chains like oil.",
            "Coffee beans are ground just before brewing.",
            "Loose tea stores best in a tin.",
        ),
        1,
    )
)
TWO_QUERIES = "1\tpaper filters\n2\ttea stores\n"
RESULTS = "q1 Q0 d1 1 14 t\nq1 Q0 d2 2 9 t\nq1 Q0 d3 3 3 t\n"
GERMAN = 'id;titel;text\r\n1;Größe;"3,5 m – „schmal“"\r\n2;Café;8 €\r\n'
BEST = 1.0
LABELLED = 0.6696718
"""nDCG@10 of RESULTS where d2 has grade 2 and d3 grade 1."""


@pytest.fixture
def lab(tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Write files and run a command in their folder; gives its JSON."""

    def run(files: Files, *words: str) -> Any:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        paths = [str(tmp_path / word) if (tmp_path / word).exists() else word for word in words]
        code = main([*paths, "--json"])
        output = capsys.readouterr()
        assert code == 0, output.err
        return json.loads(output.out)

    return run


def evaluated(lab: Callable[..., Any], files: Files, measure: str, *words: str) -> float:
    answer = lab(files, "evaluate", *words, "-p", "bm25", "-m", measure)
    return float(answer["results"][0]["measures"][measure])


def measured(lab: Callable[..., Any], files: Files, measure: str, *words: str) -> float:
    return float(lab(files, "measure", *words, "-m", measure)["measures"][measure])


@pytest.mark.parametrize(
    ("measure", "query"), [("ERR@10", "1"), ("ERR@10", "q-a"), ("nDCG(dcg='exp-log2')@10", "q-a")]
)
def test_04_err_takes_any_query_id(lab: Callable[..., Any], measure: str, query: str) -> None:
    files: Files = {"q.txt": f"{query} 0 a 3\n{query} 0 b 1\n", "r.txt": f"{query} Q0 a 1 2 t\n"}
    assert 0 < measured(lab, files, measure, "q.txt", "r.txt") <= 1


def test_05_hash_in_ids_and_comments(lab: Callable[..., Any]) -> None:
    files: Files = {
        "q.txt": "# judged in May\n7 0 doc_1#3 2\n7 0 doc_1#0 0\n#tag 0 x 1\n",
        "r.txt": "# tag: mine\n7 Q0 doc_1#0 1 2 t\n7 Q0 doc_1#3 2 1 t\n#tag Q0 x 1 1 t\n",
    }
    values = lab(files, "measure", "q.txt", "r.txt", "-m", "RR")["per_query"]
    assert values == {"7": {"RR": 0.5}, "#tag": {"RR": 1.0}}


@pytest.mark.parametrize("head", ["", "query_id\tdoc_id\n"])
def test_06_two_columns_mean_grade_1(lab: Callable[..., Any], head: str) -> None:
    files: Files = {"c.jsonl": DRINKS, "q.tsv": TWO_QUERIES, "ref.tsv": head + "1\td2\n2\td6\n"}
    assert (
        evaluated(lab, files, "RR@10", "c.jsonl", "--queries", "q.tsv", "--qrels", "ref.tsv")
        == BEST
    )


def test_08_and_14_quotes_of_a_tsv_are_text(lab: Callable[..., Any], tmp_path: Path) -> None:
    texts = ['"The Wire" is a series.', 'A 7" single.', '"Limescale, says the book.', "Green tea."]
    texts += ['The book adds: use vinegar."', "Chains."]
    files: Files = {
        "c.tsv": "".join(f"{number}\t{text}\n" for number, text in enumerate(texts)),
        "q.tsv": '1\t"the wire" series\n2\t"limescale says\n3\tgreen tea\n',
        "qrels.tsv": "1\t0\t0\t1\n2\t0\t2\t1\n3\t0\t3\t1\n",
    }
    words = ("c.tsv", "--queries", "q.tsv", "--qrels", "qrels.tsv")
    assert evaluated(lab, files, "RR@10", *words) == BEST
    assert [document.text for document in load_corpus(tmp_path / "c.tsv").documents] == texts


@pytest.mark.parametrize("queries", ["asked.txt", "ratings.csv", ""])
def test_09_quepid_judges_by_the_text_of_the_query(lab: Callable[..., Any], queries: str) -> None:
    files: Files = {
        "c.jsonl": DRINKS,
        "asked.txt": "paper filters\ntea, stored\nnever rated\n",
        "ratings.csv": 'query,docid,rating\npaper filters,d2,3\n"tea, stored",d6,2\nnever rated\n',
    }
    given = ("--queries", queries) if queries else ()
    words = (
        "evaluate",
        "c.jsonl",
        *given,
        "--qrels",
        "ratings.csv",
        "-p",
        "bm25",
        "-m",
        "Success@6",
    )
    answer = lab(files, *words)
    assert answer["results"][0]["queries"] == 2
    assert answer["readings"][-1]["unrated"] == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("10-ranklib.txt", "3 qid:1 # d2 paper filters\n0 qid:1 # d5\n2 qid:2 # d6 tea stores\n"),
        (
            "11-opensearch.json",
            json.dumps(
                {
                    "judgmentRatings": [
                        {"query": "paper filters", "ratings": [{"docId": "d2", "rating": "3.0"}]},
                        {"query": "tea stores", "ratings": [{"docId": "d6", "rating": "2.0"}]},
                    ]
                }
            ),
        ),
        ("11-opensearch.csv", "query,docId,rating\npaper filters,d2,1.0\ntea stores,d6,1.0\n"),
        ("13-gzip.txt.gz", gzip.compress(b"1 0 d2 1\n2 0 d6 1\n", mtime=0)),
        ("13-bzip2.txt.bz2", bz2.compress(b"1 0 d2 1\n2 0 d6 1\n")),
    ],
)
def test_judgments_that_other_tools_write(
    lab: Callable[..., Any], name: str, content: str | bytes
) -> None:
    files: Files = {"c.jsonl": DRINKS, "q.tsv": TWO_QUERIES, name: content}
    assert evaluated(lab, files, "RR@10", "c.jsonl", "--queries", "q.tsv", "--qrels", name) == BEST


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.txt", "<top>\n<num> Number: 1\n<title> paper filters\n</top>\n<top>\n<num> Number: 2\n"
         "<title> tea stores\n<narr> Narrative:\nAny.\n</top>\n"),
        ("t.xml", '<topics><topic number="1"><title>paper filters</title></topic>'
         '<topic number="2"><title>tea stores</title></topic></topics>'),
    ],
)  # fmt: skip
def test_15_trec_topics(lab: Callable[..., Any], name: str, content: str) -> None:
    files: Files = {"c.jsonl": DRINKS, name: content, "qrels.txt": "1 0 d2 1\n2 0 d6 1\n"}
    words = ("c.jsonl", "--queries", name, "--qrels", "qrels.txt")
    assert evaluated(lab, files, "RR@10", *words) == BEST


def test_19_a_query_that_is_its_own_document(lab: Callable[..., Any]) -> None:
    claims = {
        "a1": "Zoos protect rare animals and teach children.",
        "b1": "Meat carries many germs.",
    }
    answers = {
        "a2": "Captivity harms animals; children learn little.",
        "b2": "Germs grow on raw greens.",
    }
    files: Files = {
        "corpus.jsonl": "".join(
            json.dumps({"_id": key, "title": "", "text": text}) + "\n"
            for key, text in (claims | answers).items()
        ),
        "queries.jsonl": "".join(
            json.dumps({"_id": key, "text": text}) + "\n" for key, text in claims.items()
        ),
        "qrels/test.tsv": "query-id\tcorpus-id\tscore\na1\ta2\t1\nb1\tb2\t1\n",
    }
    folder: Files = {f"beir/{name}": content for name, content in files.items()}
    assert evaluated(lab, folder, "RR@10", "beir") == BEST


def test_20_null_titles_and_empty_texts(lab: Callable[..., Any]) -> None:
    documents = [
        {"_id": 1, "title": None, "text": "Kettles."},
        {"_id": "2", "title": "Paper filter", "text": ""},
        {"_id": "3", "title": "Tight tin", "text": None},
        {"_id": "4", "title": "", "text": ""},
        {"_id": "5", "title": "Grinder sizes"},
    ]
    files: Files = {
        "b/corpus.jsonl": "".join(json.dumps(document) + "\n" for document in documents),
        "b/queries.jsonl": '{"_id": "1", "text": "paper filter"}\n{"_id": 2, "text": "tight tin"}\n'
        '{"_id": "3", "text": "grinder sizes"}\n',
        "b/qrels/test.tsv": "query-id\tcorpus-id\tscore\r\n1\t2\t1\r\n2\t3\t1\r\n"
        "3\t5\t1\r\n9\t1\t1\r\n",
    }
    answer = lab(files, "evaluate", "b", "-p", "bm25", "-m", "RR@10")
    assert answer["results"][0]["measures"]["RR@10"] == BEST
    assert answer["files"][0]["documents"] == 5
    assert any("'9'" in problem["message"] for problem in answer["problems"])


def test_21_ids_and_texts_that_pandas_wrote(lab: Callable[..., Any], tmp_path: Path) -> None:
    files: Files = {
        "c.jsonl": '{"_id": 1.0, "title": NaN, "text": "Kettles."}\n'
        '{"_id": 2.0, "title": "Tea", "text": NaN}\n'
        '{"_id": 3.0, "title": NaN, "text": "Green tea."}\n',
        "q.csv": "qid,query\n1,green tea\n",
        "qrels.csv": "query_id,doc_id,label\n1.0,3.0,1.0\n",
    }
    words = ("c.jsonl", "--queries", "q.csv", "--qrels", "qrels.csv")
    assert evaluated(lab, files, "RR@10", *words) == BEST
    documents = load_corpus(tmp_path / "c.jsonl").documents
    assert [(d.id, d.title, d.text) for d in documents][:2] == [
        ("1", "", "Kettles."),
        ("2", "Tea", ""),
    ]


@pytest.mark.parametrize("query", ["-bash: not found", "-18 degrees", "-18"])
def test_26_a_query_that_begins_with_a_dash(lab: Callable[..., Any], query: str) -> None:
    texts = ("-bash: command not found", "Freezers run at -18 degrees.", "Neither of them.")
    content = "".join(json.dumps({"_id": str(n), "text": t}) + "\n" for n, t in enumerate(texts))
    answer = lab({"c.jsonl": content}, "rank", "c.jsonl", query, "-p", "bm25")
    assert answer["rankings"][0]["hits"][0]["doc_id"] == str(int("18" in query))


@pytest.mark.parametrize(
    ("name", "encoding", "text"),
    [
        ("sep.csv", "cp1252", "sep=;\r\n" + GERMAN),
        ("bom.csv", "utf-8-sig", GERMAN),
        ("utf16.txt", "utf-16", "id\ttext\r\n1\t3,5 m – „schmal“\r\n2\t8 €\r\n"),
    ],
)  # fmt: skip
def test_37_tables_of_a_spreadsheet(tmp_path: Path, name: str, encoding: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode(encoding))
    documents = load_corpus(tmp_path / name).documents
    assert [(d.id, d.text) for d in documents] == [("1", "3,5 m – „schmal“"), ("2", "8 €")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
def test_40_a_run_that_powershell_wrote(lab: Callable[..., Any], encoding: str) -> None:
    files: Files = {
        "q.txt": "q1 0 d1 1\r\n".encode(encoding),
        "r.txt": "q1 Q0 d1 1 2.0 t\r\n".encode(encoding),
    }
    assert measured(lab, files, "RR@10", "q.txt", "r.txt") == BEST


@pytest.mark.parametrize(
    "judgments",
    [
        "qid,docno,rank,score,label\nq1,d1,0,14,0\nq1,d2,1,9,2\nq1,d3,2,3,1\n",
        "query_id,doc_id,score,relevance\nq1,d1,14,0\nq1,d2,9,2\nq1,d3,3,1\n",
        "Snapshot Name,Case ID,Query Text,Doc ID,Doc Position,Rating\n"
        "m,8,q1,d2,1,2\nm,8,q1,d3,2,1\n",
    ],
)
def test_41_a_score_beside_a_label(lab: Callable[..., Any], judgments: str) -> None:
    files: Files = {"res.csv": judgments, "r.txt": RESULTS}
    assert measured(lab, files, "nDCG@10", "res.csv", "r.txt") == pytest.approx(LABELLED, abs=1e-6)


@pytest.mark.parametrize("measure", ["nDCG@0", "P@0", "Judged@0"])
def test_43_a_cutoff_of_zero_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], measure: str
) -> None:
    (tmp_path / "q.txt").write_text("q1 0 d1 1\n")
    (tmp_path / "r.txt").write_text("q1 Q0 d1 1 2 t\n")
    assert main(["measure", str(tmp_path / "q.txt"), str(tmp_path / "r.txt"), "-m", measure]) == 2
    assert measure in capsys.readouterr().err
