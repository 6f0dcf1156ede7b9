"""Judgments, queries and runs as their tools write them: what each becomes, value for value."""

from __future__ import annotations

import io
import json
import lzma
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora import import_corpus, load_corpus
from rerank_lab.corpora.judged import read_judgments, read_queries
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.runs import read_run, read_run_file
from rerank_lab.corpora.source import Source, clean_text, detect_decoding
from rerank_lab.judging.exchange.reading import read_labels

TREC = "1 0 d2 1\n1 0 d5 0\n2 0 d6 1\n"
PLAIN = {"1": {"d2": 1, "d5": 0}, "2": {"d6": 1}}


def parquet(*records: dict[str, object]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(records)), out)
    return out.getvalue()


def source(name: str, content: bytes | str) -> Source:
    return Source(name, data=content.encode() if isinstance(content, str) else content)


ESCI_ROWS: tuple[dict[str, object], ...] = tuple(
    {"example_id": n, "query": "mug", "query_id": 7, "product_id": f"B{n}", "esci_label": label}
    for n, label in enumerate("ESCI")
)
ESCI = {"7": {"B0": 100, "B1": 10, "B2": 1, "B3": 0}}
LTR = (
    "# grade (0-4)\tqueryid\tdocId\ttitle\n#\n# qid:1: rambo\n#\n"
    "4\tqid:1\t #\t7555\tRambo\n0\tqid:1 #\t1370\tRambo III\n"
)
JUDGMENTS: dict[str, tuple[bytes | str, dict[str, dict[str, int]]]] = {
    "qrels.txt.xz": (lzma.compress(TREC.encode()), PLAIN),
    "windows.txt": ("\ufeff" + TREC.replace("\n", "\r\n"), PLAIN),
    "headed.qrels": ("qid iter docno rel\n" + TREC, PLAIN),
    "headed.txt": ("query_id\titer\tdoc_id\trel\n" + TREC.replace(" ", "\t"), PLAIN),
    "esci.parquet": (parquet(*ESCI_ROWS), ESCI),
    "esci.csv": (
        "query_id,product_id,esci_label\n"
        + "".join(f"7,B{n},{w}\n" for n, w in enumerate(
            ("exact", "substitute", "complement", "irrelevant")
        )),
        ESCI,
    ),
    "wands.csv": (
        "id\tquery_id\tproduct_id\tlabel\n0\t1\ta\tExact\n1\t1\tb\tPartial\n2\t1\tc\tIrrelevant\n",
        {"1": {"a": 2, "b": 1, "c": 0}},
    ),
    "llama.json": (
        json.dumps({"queries": {"1": "mug"}, "corpus": {"a": "x"}, "relevant_docs": {"1": ["a"]}}),
        {"1": {"a": 1}},
    ),
    "bing.csv": ("query,url,rating\nmug,a,Perfect\nmug,b,Bad\n", {"mug": {"a": 4, "b": 0}}),
    "words.csv": (
        "qid,docid,relevance\n1,a,highly relevant\n1,b,Partially  relevant\n1,c,not relevant\n",
        {"1": {"a": 2, "b": 1, "c": 0}},
    ),
    "abroad.csv": ("query,doc_id,relevant\nmug,a,ja\nmug,b,nein\n", {"mug": {"a": 1, "b": 0}}),
    "ltr.txt": (LTR, {"1": {"7555": 4, "1370": 0}}),
    "objects.json": (
        json.dumps([{"query": "mug", "relevant_docs": [{"id": "a", "grade": 2},
                                                       {"id": "b", "grade": 0}, "c"]}]),
        {"mug": {"a": 2, "b": 0, "c": 1}},
    ),
    "lists.jsonl": (
        '{"query_id": "1", "positive_ids": ["a"], "negative_ids": ["b"]}\n',
        {"1": {"a": 1, "b": 0}},
    ),
    "ragas.jsonl": (
        '{"user_input": "mug", "reference_context_ids": ["a"], "retrieved_context_ids": ["b"]}\n',
        {"mug": {"a": 1}},
    ),
    "hash.csv": ("#query,docid,rating\nmug,a,1\n", {"mug": {"a": 1}}),
    "pandas.csv": ("qid,docid,label\n1.0,a,1.0\n2.0,b,0.0\n", {"1": {"a": 1}, "2": {"b": 0}}),
    "pandas-docs.csv": ("qid,docid,label\nq,7.0,1\nq,8.0,0\n", {"q": {"7": 1, "8": 0}}),
    "beir.tsv": ("query-id\tcorpus-id\tscore\n1.0\ta\t1\n2.0\tb\t0\n",
                 {"1": {"a": 1}, "2": {"b": 0}}),
    "versions.csv": ("qid,docid,label\nq,1.0,1\nq,1.1,0\n", {"q": {"1.0": 1, "1.1": 0}}),
    "pyterrier.csv": ("qid,docid,docno,label\n1,0,a,1\n1,1,b,0\n", {"1": {"a": 1, "b": 0}}),
}  # fmt: skip


@pytest.mark.parametrize("name", JUDGMENTS)
def test_judgments(name: str) -> None:
    content, expected = JUDGMENTS[name]
    log = ProblemLog()
    assert read_judgments(source(name, content), ReadOptions(), log).qrels == expected
    words = {grade for judged in expected.values() for grade in judged.values()} - {0, 1}
    if words and name.endswith(("csv", "parquet")):
        assert "Words were read as grades" in log.problems[0].message


def test_labels_of_the_lab_take_words_as_well() -> None:
    labels = read_labels(
        source("wands.csv", JUDGMENTS["wands.csv"][0]), ReadOptions(), ProblemLog()
    )
    assert [label.grade for label in labels.rows] == [2, 1, 0]


def test_words_of_no_scale_are_reported_by_line() -> None:
    log = ProblemLog()
    data = "qid,docid,label\n1,a,E\n1,b,splendid\n1,c,1\n"
    assert read_judgments(source("odd.csv", data), ReadOptions(), log).qrels == {"1": {"c": 1}}
    assert [problem.line for problem in log.problems] == [2, 3]


def test_the_title_of_a_document_is_no_query() -> None:
    data = "4 qid:1 # 7555 Rambo\n0 qid:1 # 1370 Rambo III\n"
    judgments = read_judgments(source("ltr.txt", data), ReadOptions(), ProblemLog())
    assert judgments.own_queries() == ()


CAST = [
    {"number": 31, "title": "cancer", "turn": [
        {"number": 1, "raw_utterance": "What is throat cancer?"},
        {"number": 2, "raw_utterance": "Is it treatable?"}]}
]  # fmt: skip
SQUAD = {
    "data": [
        {
            "title": "T",
            "paragraphs": [
                {
                    "context": "Rollo led them.",
                    "qas": [{"id": "56", "question": "Who led?", "answers": []}],
                }
            ],
        }
    ]
}
QUERIES: dict[str, tuple[bytes | str, dict[str, str]]] = {
    "cran.qry": (".I 1\r\n.W\r\nwhat holds\r\nheat .\r\n.I 2\r\n.W\r\nwhy\r\n",
                 {"1": "what holds heat .", "2": "why"}),
    "cast.json": (json.dumps(CAST),
                  {"31_1": "What is throat cancer?", "31_2": "Is it treatable?"}),
    "squad.json": (json.dumps(SQUAD), {"56": "Who led?"}),
    "ubi.ndjson": ('{"application": "a", "query_id": "1", "user_query": "mug"}\n', {"1": "mug"}),
    "fragen.csv": ("Nr;Frage\n1;Wo steht die Tasse?\n", {"1": "Wo steht die Tasse?"}),
    "numbered.txt": ("1. blue mug\n2. tea cup\n", {"1": "blue mug", "2": "tea cup"}),
}  # fmt: skip


@pytest.mark.parametrize("name", QUERIES)
def test_queries_with_ids(name: str) -> None:
    content, expected = QUERIES[name]
    queries = read_queries(source(name, content), ReadOptions(), ProblemLog()).queries
    assert {query.id: query.text for query in queries} == expected


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("strings.jsonl", '"blue mug"\n"tea cup"\n', ["blue mug", "tea cup"]),
        ("commented.txt", "# my queries\nblue mug\n# more\ntea cup\n", ["blue mug", "tea cup"]),
        ("tags.txt", "#metoo\nc# and f#\n", ["#metoo", "c# and f#"]),
        ("list.md", "# Queries\n\n- blue mug\n- 18 degrees\n", ["blue mug", "18 degrees"]),
        ("console.csv", "Top queries,Clicks,CTR\nblue mug,12,1%\n", ["blue mug"]),
        ("konsole.csv", "Suchanfragen,Klicks,CTR\nblue mug,12,1%\n", ["blue mug"]),
        ("cafe.csv", "qid;query\n1;café crème\n2;thé glacé\n".encode("cp1252"),
         ["café crème", "thé glacé"]),
    ],
)  # fmt: skip
def test_texts_of_queries(name: str, content: bytes | str, texts: list[str]) -> None:
    queries = read_queries(source(name, content), ReadOptions(), ProblemLog()).queries
    assert [query.text for query in queries] == texts


def test_counts_of_a_table_are_frequencies() -> None:
    data = source("log.csv", 'query,count\nblue mug,"1,200"\n')
    (query,) = read_queries(data, ReadOptions(), ProblemLog()).queries
    assert query.meta["frequency"] == 1200


def test_a_web_page_holds_no_queries() -> None:
    page = source("queries.txt", "<!DOCTYPE html>\n<title>404</title>\n")
    with pytest.raises(InvalidInput, match="is a web page"):
        read_queries(page, ReadOptions(), ProblemLog())


@pytest.mark.parametrize(
    ("name", "content", "order", "first"),
    [
        ("scores.tsv", "1\tb\t9.5\n1\ta\t8.25\n", ("b", "a"), 9.5),
        ("whole.tsv", "1\tb\t90\n1\ta\t70\n", ("b", "a"), 90.0),
        ("ranks.tsv", "1\tb\t1\n1\ta\t2\n", ("b", "a"), None),
        ("unsorted.tsv", "1\ta\t2\n1\tb\t1\n2\tc\t1\n2\td\t2\n", ("b", "a"), None),
        ("terrier.csv", "qid,docid,docno,rank,score\n1,0,b,0,2.5\n1,1,a,1,1.5\n", ("b", "a"), 2.5),
        ("headed.txt", "qid q0 docno rank score tag\n1 0 b 1 2 t\n1 0 a 2 1 t\n", ("b", "a"), 2.0),
        ("pandas.csv", ",query_id,doc_id,score\n0,1.0,b,2.5\n1,1.0,a,1.5\n", ("b", "a"), 2.5),
        ("pandas.txt", "1.0 Q0 b 1 2 t\n1.0 Q0 a 2 1 t\n", ("b", "a"), 2.0),
        ("pairs.json", '{"1": [["b", 2.5], ["a", 1.5]]}', ("b", "a"), 2.5),
        ("mteb.json", '{"mteb_model_meta": {"model_name": "m"}, "default": {"test": '
         '{"1": {"b": 0.9, "a": 0.1}}}}', ("b", "a"), 0.9),
        ("run.xz", lzma.compress(b"1 Q0 b 1 2 t\n1 Q0 a 2 1 t\n"), ("b", "a"), 2.0),
    ],
)  # fmt: skip
def test_runs(
    tmp_path: Path, name: str, content: bytes | str, order: tuple[str, ...], first: float | None
) -> None:
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    ranking = read_run(tmp_path / name).rankings["1"]
    assert ranking.doc_ids == order
    assert ranking.hits[0].score == first


def test_the_answer_to_one_query_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text('{"hits": {"hits": [{"_id": "a", "_score": 2}]}}')
    with pytest.raises(InvalidInput, match="is not a run"):
        read_run_file(tmp_path / "answer.json")


def test_an_xz_file_is_read_whole_and_bounded() -> None:
    twice = lzma.compress(TREC.encode()) + lzma.compress(b"3 0 d1 1\n") + bytes(8)
    assert source("q.xz", twice).read().decode() == TREC + "3 0 d1 1\n"
    for damaged in (twice[:20], lzma.compress(bytes(11 << 20), preset=0)):
        with pytest.raises(InvalidInput, match=r"cannot be decompressed|far more than its size"):
            source("q.xz", damaged).read()


def test_a_lone_surrogate_becomes_one_sign_and_a_pair_a_letter() -> None:
    assert clean_text("half \ud83d and \ud83d\ude00") == "half \ufffd and \U0001f600"


def test_french_in_a_few_words_is_no_czech() -> None:
    data = "id;text\n1;crème brûlée\n".encode("cp1252")
    assert detect_decoding(source("t.csv", data), ProblemLog()).codec == "cp1252"


HALF = "\\ud83d"
"""Half a character, as JSON may hold it."""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", f'{{"q{HALF}": {{"d{HALF}": 1}}}}'),
        ("b.json", f'{{"q{HALF}": ["d{HALF}"]}}'),
        ("c.json", f'{{"judgmentRatings": [{{"query": "q{HALF}", "ratings": '
         f'[{{"docId": "d{HALF}", "rating": "1"}}]}}]}}'),
        ("d.jsonl", f'{{"qid": "q{HALF}", "docid": "d{HALF}", "label": 1}}\n'),
    ],
)  # fmt: skip
def test_half_characters_are_the_same_sign_everywhere(
    tmp_path: Path, home: Path, name: str, content: str
) -> None:
    assert read_judgments(source(name, content), ReadOptions(), ProblemLog()).qrels == {
        "q\ufffd": {"d\ufffd": 1}
    }
    labels = list(read_labels(source(name, content), ReadOptions(), ProblemLog()).rows)
    assert [(label.query, label.doc_id) for label in labels] == [("q\ufffd", "d\ufffd")]
    (tmp_path / name).write_text(content)
    (tmp_path / "corpus.jsonl").write_text(
        f'{{"id": "d{HALF}", "text": "x", "m{HALF}": ["{HALF}"]}}\n'
    )
    (tmp_path / "q.jsonl").write_text(f'{{"id": "q{HALF}", "text": "y {HALF}", "n": "{HALF}"}}\n')
    files = {"queries": tmp_path / "q.jsonl", "qrels": tmp_path / name}
    import_corpus(tmp_path / "corpus.jsonl", "half", **files)
    for corpus in (load_corpus("half"), load_corpus(tmp_path / "corpus.jsonl", **files)):
        assert corpus.qrels == {"q\ufffd": {"d\ufffd": 1}}
        assert corpus.documents[0].meta == {"m\ufffd": ["\ufffd"]}
        assert corpus.queries[0].meta == {"n": "\ufffd"}
    with pytest.raises(InvalidInput, match="needs a name"):
        import_corpus(tmp_path / "corpus.jsonl", "half \ud83d")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.json", f'{{"q{HALF}": {{"d{HALF}": 1.5}}}}'),
        ("r.jsonl", f'{{"query": "q{HALF}", "candidates": [{{"docid": "d{HALF}"}}]}}\n'),
    ],
)
def test_a_run_with_half_characters(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert read_run(tmp_path / name).rankings["q\ufffd"].doc_ids == ("d\ufffd",)
