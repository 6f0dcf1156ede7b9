"""Files that people bring: corpora, judgments, queries and runs."""

from __future__ import annotations

import gzip
import io
import json
import lzma
from functools import cache
from pathlib import Path

from rerank_lab.core.errors import LabError
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.bundle import CollectionOptions, opened, read_parts
from rerank_lab.corpora.importing import inspect_upload
from rerank_lab.corpora.judged import fit_judgments, read_judgments, read_queries
from rerank_lab.corpora.limits import DEFAULT_LIMITS
from rerank_lab.corpora.load import corpus_from_texts
from rerank_lab.corpora.readers.base import ReadOptions
from rerank_lab.corpora.runs import read_run
from rerank_lab.corpora.source import Source
from rerank_lab.views.corpora import list_documents
from tests.corpora.make import BEIR, docx, pdf, zipped
from tests.corpora.readers.test_fresh_documents import DOCUMENTS, SETS
from tests.corpora.readers.test_fresh_judged import JUDGMENTS, QUERIES
from tests.corpora.readers.test_hostile_shapes import GOOD, ONE_VALUE
from tests.corpora.readers.test_judged_shapes import RELEVANT_ONLY, SHAPES
from tests.fuzz.targets.base import (
    named,
    split_name,
    text_of,
)


def corpus_seeds() -> list[bytes]:
    lines = {name: "".join(json.dumps(r) + "\n" for r in rows) for name, rows in GOOD.items()}
    return [
        *(named("x.json" if n in ONE_VALUE else "x.jsonl", text) for n, text in lines.items()),
        named("a.json", '[{"id": "a", "title": "t", "text": "one"}, {"id": 2, "text": null}]'),
        named("a.csv", "id,title,text\n1,Cats,They purr\n2,Dogs,They bark\n"),
        named("a.csv", 'sep=;\nid;text\n1;"a;""b"""\n'),
        named("a.tsv", 'id\ttext\n1\t"quoted\n2\tplain\n'),
        named("a.txt", "one paragraph\n\nanother\n"),
        named("a.md", "# One\ntext\n## Two\n```\ncode\n```\n|a|b|\n|-|-|\n|1|2|\n"),
        named(
            "a.html", "<html><body><nav>n</nav><h1>T</h1><table><tr><td>a<td>b</table><p>x</body>"
        ),
        named("a.rst", "Title\n=====\n\n.. note:: x\n\ntext\n"),
        named("a.adoc", "= Title\n\n== Part\ntext\n"),
        named("a.py", "def f(x):\n    return x\n\nclass A:\n    pass\n"),
        named("a.trec", "<DOC>\n<DOCNO> d1 </DOCNO>\n<TEXT>\nwords\n</TEXT>\n</DOC>\n"),
        named("cran.all", ".I 1\n.T\ntitle\n.W\nwords\n.I 2\n.W\nmore\n"),
        named(
            "wiki.xml",
            "<mediawiki><page><title>T</title><ns>0</ns><id>1</id><revision>"
            "<text>words</text></revision></page></mediawiki>",
        ),
        named(
            "Posts.xml",
            '<posts><row Id="1" PostTypeId="1" Title="T" Body="&lt;p&gt;x&lt;/p&gt;"/></posts>',
        ),
        *(named(name, text) for name, (text, _) in DOCUMENTS.items()),
        *(named(name, text) for name, (text, _, _) in SETS.items()),
        named(
            "a.xml",
            "<rss><item><guid>1</guid><title>T</title></item><item><guid>2</guid></item></rss>",
        ),
        named("top.tsv", "7\ta\tnight\tone text\n7\tb\tnight\tanother text\n"),
        named("a.jsonl.xz", lzma.compress(b'{"id": 1, "text": "one"}\n')),
        named("a.zip", zipped(BEIR)),
        named("a.pdf", pdf("one page", "two")),
        named("a.docx", docx("one", "two", table=("a", "b"))),
        named("a.xlsx", workbook()),
        named("a.parquet", parquet()),
        named("a.jsonl.gz", gzipped(b'{"id": 1, "text": "one"}\n')),
    ]


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


@cache
def workbook() -> bytes:
    import openpyxl

    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in (("id", "text"), (1, "one"), (2, "two")):
        book.active.append(row)
    book.save(out)
    return out.getvalue()


@cache
def parquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table({"id": ["1", "2"], "text": ["one", "two"]}), out)
    return out.getvalue()


def read_corpus(data: bytes, _: Path) -> None:
    """An upload: looked at, then every document in it."""
    name, content = split_name(data)
    inspect_upload(name, content)
    with opened(Source(name, data=content), DEFAULT_LIMITS) as parts:
        bundle = read_parts(parts, CollectionOptions(), ProblemLog())
    for document in bundle.documents:
        document.text.encode()
        document.id.encode()


def read_pasted(data: bytes, _: Path) -> None:
    """A pasted list, and words looked for in it."""
    text = text_of(data)
    words, _, texts = text.partition("\n")
    list_documents(corpus_from_texts(texts), words)


# Judgments, queries, runs


def judged_seeds() -> list[bytes]:
    topics = "<top>\n<num> Number: 1\n<title> coffee filters\n<desc> Description:\nHow?\n</top>\n"
    queries = {
        "topics.txt": topics,
        "topics.xml": '<topics><topic number="1"><query>coffee</query></topic></topics>',
        "queries.json": '{"1": "coffee filters"}',
        "queries.tsv": "1\tcoffee filters\n2\ttea\n",
        "queries.jsonl": '{"_id": "1", "text": "coffee", "metadata": {"a": [1]}}\n',
    }
    fresh = {n: content for n, (content, _) in (JUDGMENTS | QUERIES).items()}
    files = SHAPES | RELEVANT_ONLY | queries | fresh
    return [named(name, content) for name, content in files.items()]


def read_judged(data: bytes, _: Path) -> None:
    """A file as judgments and as queries, and both fitted together."""
    name, content = split_name(data)
    source, queries = Source(name, data=content), ()
    refusals = []
    try:
        queries = read_queries(source, ReadOptions(), ProblemLog()).queries
    except LabError as error:
        refusals.append(error)
    judgments = read_judgments(source, ReadOptions(), ProblemLog())
    fit_judgments(judgments, queries, {"d1", "docs/d2.txt"}, ProblemLog())
    if refusals:
        raise refusals[0]


def run_seeds() -> list[bytes]:
    return [
        named("run.trec", "1 Q0 d1 1 0.5 bm25\n1 Q0 d2 2 0.25 bm25\n"),
        named("run.tsv", "query_id\tdoc_id\trank\tscore\n1\td1\t1\t0.5\n"),
        named("run.json", '{"1": {"d1": 0.5, "d2": 0.25}}'),
        named(
            "run.jsonl",
            '{"run": "a", "spec": "bm25"}\n{"query_id": "1", "scale": "bm25", '
            '"hits": [["d1", 0.5]]}\n',
        ),
        named("run.csv", "qid,docno,rank,score\n1,d1,0,1.5\n"),
        named("run.parquet", parquet()),
    ]


def read_run_file(data: bytes, folder: Path) -> None:
    """A run, from a file."""
    name, content = split_name(data)
    (folder / name).write_bytes(content)
    read_run(folder / name)


# Texts that people type
