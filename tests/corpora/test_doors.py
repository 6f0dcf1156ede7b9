"""Shape x door: a corpus of any shape is the same by path, import, upload and evaluation."""

from __future__ import annotations

import io
import json
import lzma
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rerank_lab.cli import main
from rerank_lab.core.errors import InvalidInput
from rerank_lab.corpora import (
    Corpus,
    ImportOptions,
    attach_qrels,
    delete_corpus,
    import_corpus,
    inspect_upload,
    load_corpus,
)

from . import make

OWL, WREN = "Owls hunt at night.", "Wrens sing in spring."
ROWS = [{"id": "a", "text": OWL}, {"id": "b", "text": WREN}]
JUDGED = {"query": "night hunters", "pos": [OWL], "neg": [WREN]}


def parquet(*records: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(records)), out)
    return out.getvalue()


def workbook(*rows: Sequence[object]) -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


HUB = {
    "corpus/corpus-00000-of-00001.parquet": parquet(*ROWS),
    "queries/queries-00000-of-00001.parquet": parquet({"_id": "q1", "text": "night hunters"}),
    "qrels/test-00000-of-00001.parquet": parquet(
        {"query-id": "q1", "corpus-id": "a", "score": 1.0},
        {"query-id": "q1", "corpus-id": "b", "score": 0.0},
    ),
    "README.md": b"# Birds",
}
QA = {"corpus": {"a": OWL, "b": WREN}, "queries": {"q1": "night hunters"}}
ENGINE = [{"_id": row["id"], "_source": {"text": row["text"]}} for row in ROWS]
TREC = "".join(f"<DOC>\n<DOCNO>{r['id']}</DOCNO>\n<TEXT>{r['text']}</TEXT>\n</DOC>\n" for r in ROWS)
WIKI = "".join(
    f"<page><title></title><ns>0</ns><id>{r['id']}</id><revision><text>{r['text']}</text></revision>"
    "</page>"
    for r in ROWS
)
NODES = [{"id_": row["id"], "text_resource": {"text": row["text"]}} for row in ROWS]
PAGES: dict[str, bytes | str] = {"a.html": f"<p>{OWL}</p>", "b.md": WREN}

BEIR = {name: data.encode() if isinstance(data, str) else data for name, data in make.BEIR.items()}
SHAPES: dict[str, bytes | dict[str, bytes] | dict[str, bytes | str]] = {
    "beir": BEIR,
    "hub": HUB,
    "birds.jsonl": make.jsonl(*ROWS),
    "birds.json": json.dumps(ROWS).encode(),
    "birds.csv": f"id,text\na,{OWL}\nb,{WREN}\n".encode(),
    "birds.tsv": f"a\t{OWL}\nb\t{WREN}\n".encode(),
    "sep.csv": f"sep=;\nid;text\na;{OWL}\nb;{WREN}\n".encode("utf-16"),
    "birds.parquet": parquet(*ROWS),
    "birds.xlsx": workbook(["id", "text"], ["a", OWL], ["b", WREN]),
    "triplets.parquet": parquet({"query": "night hunters", "positive": [OWL], "negative": [WREN]}),
    "triplets.jsonl": make.jsonl(JUDGED),
    "pairs.csv": f"query,passage,label\nnight hunters,{OWL},1\nnight hunters,{WREN},0\n".encode(),
    "ragas.csv": "user_input,retrieved_contexts,reference_contexts\n"
    f"night hunters,\"['{WREN}']\",\"['{OWL}']\"\n".encode(),
    "qa.json": json.dumps(QA | {"relevant_docs": {"q1": ["a"]}}).encode(),
    "rankllm.json": json.dumps(
        [
            {
                "query": {"qid": "q1", "text": "night hunters"},
                "candidates": [{"docid": r["id"], "score": 1, "doc": r} for r in ROWS],
            }
        ]
    ).encode(),
    "dump.jsonl": make.jsonl(*ENGINE),
    "bulk.ndjson": make.jsonl(*(row for r in ROWS for row in ({"index": {"_id": r["id"]}}, r))),
    "search.json": json.dumps({"hits": {"hits": ENGINE}}).encode(),
    "langchain.jsonl": make.jsonl(
        *({"id": None, "page_content": r["text"], "metadata": {}} for r in ROWS)
    ),
    "docstore.json": json.dumps(
        {"docstore/data": {node["id_"]: {"__data__": node} for node in NODES}}
    ).encode(),
    "nodes.jsonl": make.jsonl(*({"node": node, "score": 1} for node in NODES)),
    "chroma.json": json.dumps(
        {"ids": ["a", "b"], "documents": [OWL, WREN], "metadatas": [{"n": 1}, None], "data": None}
    ).encode(),
    "qdrant.json": json.dumps(
        {"result": {"points": [{"id": r["id"], "payload": r, "vector": [0.5]} for r in ROWS]},
         "status": "ok"}
    ).encode(),
    "pinecone.jsonl": make.jsonl(
        *({"id": r["id"], "values": [0.5], "metadata": {"text": r["text"]}} for r in ROWS)
    ),
    "vespa.jsonl": make.jsonl(
        *({"put": f"id:ns:bird::{r['id']}", "fields": {"text": r["text"]}} for r in ROWS)
    ),
    "weaviate.json": json.dumps(
        {"objects": [{"id": r["id"], "properties": {"t": r["text"]}} for r in ROWS]}
    ).encode(),
    "typesense.json": json.dumps({"hits": [{"document": row} for row in ROWS]}).encode(),
    "cohere.jsonl": make.jsonl(
        {"query": "night hunters", "relevant_passages": [OWL], "hard_negatives": [WREN]}
    ),
    "graded.csv": f"query,docid,text,label\nnight hunters,a,{OWL},1\nnight hunters,b,{WREN},0\n"
    .encode(),
    "triples.tsv": f"night hunters\t{OWL}\t{WREN}\nnight songs\t{OWL}\t{WREN}\n".encode(),
    "top2.tsv": f"1\ta\tnight hunters\t{OWL}\n1\tb\tnight hunters\t{WREN}\n".encode(),
    "feed.xml": "<rss><channel>{}</channel></rss>".format(
        "".join(f"<item><id>{r['id']}</id><text>{r['text']}</text></item>" for r in ROWS)
    ).encode(),
    "article.xml": f"<article><title>Owls</title><p>{OWL}</p></article>".encode(),
    "trec.sgml": TREC.encode(),
    "smart.all": "".join(f".I {r['id']}\n.W\n{r['text']}\n" for r in ROWS).encode(),
    "wiki.xml": f"<mediawiki>{WIKI}</mediawiki>".encode(),
    "pages": PAGES,
    "owl.docx": make.docx(OWL),
    "owl.pdf": make.pdf(OWL),
    "notes.rst": f"Owls\n====\n\n{OWL}\n".encode(),
    "notes.adoc": f"= Owls\n\n{OWL}\n".encode(),
    "owl.ipynb": json.dumps(
        {"nbformat": 4, "cells": [{"cell_type": "markdown", "source": [OWL]}]}
    ).encode(),
    "msmarco-docs.tsv.xz": lzma.compress(
        f"a\thttps://x.example\t\t{OWL}\nb\thttp://y.example\t\t{WREN}\n".encode()
    ),
    "owl.py": b"def hunt():\n    return 'at night'\n",
}  # fmt: skip


def contents(corpus: Corpus) -> tuple[Any, ...]:
    documents = [(d.id, d.title, d.text) for d in corpus.documents]
    return documents, [(q.id, q.text) for q in corpus.queries], corpus.qrels


TICKETS = f"Ticket #,opened,text\nT-1,2024,{OWL}\nT-2,2025,{WREN}\n".encode()


def test_the_id_column_is_guessed_from_the_judgments(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, qrels = tmp_path / "tickets.csv", tmp_path / "labels.tsv"
    corpus.write_bytes(TICKETS)
    qrels.write_text("night\tT-1\t1\n")
    (tmp_path / "queries.tsv").write_text("night\thunt at night\n")
    files = ("--queries", str(tmp_path / "queries.tsv"), "--qrels", str(qrels))
    assert main(["evaluate", str(corpus), *files, "-p", "bm25", "-m", "RR@10", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["results"][0]["measures"]["RR@10"] == 1.0
    assert answer["files"][0]["columns"] == {"id": "Ticket #", "text": "text"}
    assert any("'Ticket #' was taken for the id" in p["message"] for p in answer["problems"])
    assert main(["corpora", "import", str(corpus), "--name", "birds", *files, "--json"]) == 0
    assert [document.id for document in load_corpus("birds").documents] == ["T-1", "T-2"]


def test_judgments_that_come_later_say_which_column_holds_their_ids(
    tmp_path: Path, home: Path
) -> None:
    (tmp_path / "tickets.csv").write_bytes(TICKETS)
    (tmp_path / "labels.tsv").write_text("night\tT-1\t1\n")
    import_corpus(tmp_path / "tickets.csv", "birds")
    with pytest.raises(InvalidInput) as caught:
        attach_qrels("birds", tmp_path / "labels.tsv")
    assert "use Ticket # as id" in caught.value.hint


def test_a_table_of_queries_is_refused_at_every_door(tmp_path: Path, home: Path) -> None:
    data = b"query,hits\nnight hunters,3\nspring songs,2\n"
    (tmp_path / "queries.csv").write_bytes(data)
    for upload in (tmp_path / "queries.csv", inspect_upload("queries.csv", data)):
        with pytest.raises(InvalidInput, match="no column of documents"):
            import_corpus(upload, "birds")


@pytest.mark.parametrize("name", SHAPES)
def test_a_corpus_is_the_same_at_every_door(
    tmp_path: Path, home: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = SHAPES[name]
    path = tmp_path / name
    if isinstance(data, bytes):
        path.write_bytes(data)
        upload = inspect_upload(name, data)
    else:
        make.folder(path, data)
        upload = inspect_upload(f"{name}.zip", make.zipped(data))
    by_path = load_corpus(path)
    expected = contents(by_path)
    words = {word for document in by_path.documents for word in document.content.lower().split()}
    assert words & {"night", "night.", "purr.", "night'"}

    assert main(["corpora", "import", str(path), "--name", "birds", "--strict", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["kept"] == len(by_path.documents)
    assert report["left_out"] == 0
    assert report["files"][0]["label"] == by_path.meta["readings"][0].label
    assert contents(load_corpus("birds")) == expected
    delete_corpus("birds")
    import_corpus(upload, "birds", options=ImportOptions(strict=True))
    assert contents(load_corpus("birds")) == expected
    if by_path.qrels:
        evaluations = []
        for corpus in (str(path), "birds"):
            assert main(["evaluate", corpus, "-p", "bm25", "-m", "RR@10", "--json"]) == 0
            evaluations.append(json.loads(capsys.readouterr().out)["results"][0]["measures"])
        assert evaluations[0] == evaluations[1]
        assert evaluations[0]["RR@10"] > 0
