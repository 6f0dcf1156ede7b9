"""The shapes that corpora and reranking sets have in the field: what each is read as."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.corpora import Corpus, load_corpus

from .. import make


def load(folder: Path, name: str, data: bytes) -> tuple[Corpus, str]:
    file = folder / name
    file.write_bytes(data)
    corpus = load_corpus(file)
    return corpus, corpus.meta["readings"][0].sentence


def texts(corpus: Corpus) -> dict[str, str]:
    return {document.id: document.text for document in corpus.documents}


FLAG = [
    {"query": "tall birds", "pos": ["Ostriches."], "neg": ["Wrens.", "Owls."]},
    {"query": "night birds", "pos": ["Owls."], "neg": ["Ostriches."]},
]


@pytest.mark.parametrize("suffix", ["jsonl", "json", "parquet"])
def test_flagembedding_triplets_in_any_table(tmp_path: Path, suffix: str) -> None:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(FLAG), out)
    data = {
        "jsonl": make.jsonl(*FLAG),
        "json": json.dumps(FLAG).encode(),
        "parquet": out.getvalue(),
    }[suffix]
    corpus, sentence = load(tmp_path, f"train.{suffix}", data)
    assert texts(corpus) == {"p1": "Ostriches.", "p2": "Wrens.", "p3": "Owls."}
    assert [query.text for query in corpus.queries] == ["tall birds", "night birds"]
    assert corpus.qrels == {"q1": {"p1": 1, "p2": 0, "p3": 0}, "q2": {"p3": 1, "p1": 0}}
    assert "read as FlagEmbedding triplets: 2 queries, 3 passages, 2 positives" in sentence


@pytest.mark.parametrize(
    ("record", "label", "expected", "qrels"),
    [
        (
            {
                "query_id": "7",
                "query": "tall birds",
                "positive_passages": [{"docid": "a", "title": "Big", "text": "Ostriches."}],
                "negative_passages": [{"docid": "b", "title": "", "text": "Wrens."}],
            },
            "Tevatron triplets",
            {"a": "Ostriches.", "b": "Wrens."},
            {"7": {"a": 1, "b": 0}},
        ),
        (
            {"query": "tall birds", "positive": ["Ostriches."], "negative": ["Wrens."]},
            "MTEB reranking set",
            {"p1": "Ostriches.", "p2": "Wrens."},
            {"q1": {"p1": 1, "p2": 0}},
        ),
        (
            {"anchor": "tall birds", "positive": "Ostriches.", "negative": "Wrens."},
            "sentence-transformers triplets",
            {"p1": "Ostriches.", "p2": "Wrens."},
            {"q1": {"p1": 1, "p2": 0}},
        ),
        (
            {
                "query": {"text": "tall birds", "qid": "7"},
                "candidates": [
                    {"docid": "a", "score": 9.0, "doc": {"contents": "Ostriches."}},
                    {"docid": "b", "score": 2.0, "doc": {"contents": "Wrens."}},
                ],
            },
            "queries with candidates",
            {"a": "Ostriches.", "b": "Wrens."},
            {},
        ),
        (
            {"query": "tall birds", "passages": [{"id": 1, "text": "Ostriches."}]},
            "queries with candidates",
            {"1": "Ostriches."},
            {},
        ),
        (
            {
                "user_input": "tall birds",
                "retrieved_contexts": ["Wrens."],
                "response": "Ostriches are tall.",
                "reference_contexts": ["Ostriches."],
            },
            "questions with contexts",
            {"p1": "Ostriches.", "p2": "Wrens."},
            {"q1": {"p1": 1}},
        ),
    ],
)
def test_a_reranking_set_becomes_passages_queries_and_judgments(
    tmp_path: Path,
    record: dict[str, object],
    label: str,
    expected: dict[str, str],
    qrels: dict[str, dict[str, int]],
) -> None:
    corpus, sentence = load(tmp_path, "set.jsonl", make.jsonl(record))
    assert texts(corpus) == expected
    assert [query.text for query in corpus.queries] == ["tall birds"]
    assert corpus.qrels == qrels
    assert f"read as {label}: 1 query" in sentence


def test_a_question_answering_set(tmp_path: Path) -> None:
    value = {
        "queries": {"q1": "tall birds"},
        "corpus": {"n1": "Ostriches.", "n2": {"title": "Small", "text": "Wrens."}},
        "relevant_docs": {"q1": ["n1"]},
        "mode": "text",
    }
    corpus, sentence = load(tmp_path, "qa.json", json.dumps(value).encode())
    assert texts(corpus) == {"n1": "Ostriches.", "n2": "Wrens."}
    assert corpus.qrels == {"q1": {"n1": 1}}
    assert sentence == "read as question answering set: 1 query, 2 passages, 1 positive"


def test_documents_of_frameworks(tmp_path: Path) -> None:
    langchain = make.jsonl(
        {"id": None, "metadata": {"source": "a"}, "page_content": "Owls.", "type": "Document"},
        {"id": "x", "metadata": {}, "page_content": "Wrens.", "type": "Document"},
    )
    corpus, _ = load(tmp_path, "lc.jsonl", langchain)
    assert texts(corpus) == {"d1": "Owls.", "x": "Wrens."}
    assert corpus.documents[0].meta == {"source": "a"}
    llama = {"id_": "n1", "embedding": None, "text": "Owls.", "class_name": "TextNode"}
    assert texts(load(tmp_path, "li.jsonl", make.jsonl(llama))[0]) == {"n1": "Owls."}
    haystack = {"id": "h1", "content": "Owls.", "blob": None, "meta": {}, "embedding": [0.1]}
    assert texts(load(tmp_path, "h.jsonl", make.jsonl(haystack))[0]) == {"h1": "Owls."}


def test_dumps_of_search_engines(tmp_path: Path) -> None:
    hit = {"_index": "i", "_id": "a", "_source": {"title": "t", "body": "Owls hunt at night."}}
    bulk = make.jsonl({"index": {"_id": "a"}}, {"title": "t", "body": "Owls hunt at night."})
    response = json.dumps({"took": 1, "hits": {"total": 1, "hits": [hit]}}).encode()
    files = {"dump.jsonl": make.jsonl(hit), "bulk.ndjson": bulk, "search.json": response}
    for name, data in files.items():
        corpus, _ = load(tmp_path, name, data)
        assert texts(corpus) == {"a": "Owls hunt at night."}, name
        assert corpus.documents[0].title == "t"


def test_the_layout_of_the_hub(tmp_path: Path) -> None:
    def table(name: str, records: list[dict[str, object]]) -> None:
        file = tmp_path / "hf" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(records), file)

    table("corpus/corpus-00000-of-00002.parquet", [{"_id": "d1", "title": "", "text": "Owls."}])
    table("corpus/corpus-00001-of-00002.parquet", [{"_id": "d2", "title": "", "text": "Wrens."}])
    table("queries/queries-00000-of-00001.parquet", [{"_id": "q1", "text": "night birds"}])
    table(
        "qrels/train-00000-of-00001.parquet", [{"query-id": "q1", "corpus-id": "d2", "score": 1.0}]
    )
    table(
        "qrels/test-00000-of-00001.parquet", [{"query-id": "q1", "corpus-id": "d1", "score": 1.0}]
    )
    (tmp_path / "hf" / "README.md").write_text("# card")
    corpus = load_corpus(tmp_path / "hf")
    assert texts(corpus) == {"d1": "Owls.", "d2": "Wrens."}
    assert [query.id for query in corpus.queries] == ["q1"]
    assert corpus.qrels == {"q1": {"d1": 1}}


def test_values_that_pandas_leaves_behind(tmp_path: Path) -> None:
    data = (
        b'{"_id": 1.0, "title": NaN, "text": "Owls."}\n'
        b'{"_id": 2.0, "title": "Wrens", "text": NaN}\n'
        b'{"_id": 3.0, "title": NaN, "text": NaN}\n'
    )
    corpus, _ = load(tmp_path, "frame.jsonl", data)
    assert [(d.id, d.title, d.text) for d in corpus.documents] == [
        ("1", "", "Owls."),
        ("2", "Wrens", ""),
    ]
    assert [problem.line for problem in corpus.meta["problems"]] == [3, 2]


def test_tables_of_spreadsheets(tmp_path: Path) -> None:
    cp1252 = 'sep=;\nid;titel;text\n1;Größe;"Straße – „sehr“ schmal, 5 €"\n'.encode("cp1252")
    corpus, sentence = load(tmp_path, "sep.csv", cp1252)
    assert texts(corpus) == {"1": "Straße – „sehr“ schmal, 5 €"}
    assert "1 separator line" in sentence
    assert "inside quoted" not in sentence
    utf16 = "id\ttext\n1\tStraße\n2\tCafé\n".encode("utf-16")
    assert texts(load(tmp_path, "utf16.txt", utf16)[0]) == {"1": "Straße", "2": "Café"}


def test_compressed_files_are_read_and_bombs_are_not(tmp_path: Path) -> None:
    data = make.jsonl({"id": "1", "text": "Owls."})
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as stream:
        stream.write(data)
    packed = {"gz": gzip.compress(data, mtime=0), "bz2": bz2.compress(data)}
    packed["zst"] = out.getvalue().to_pybytes()
    for suffix, content in packed.items():
        assert texts(load(tmp_path, f"a.jsonl.{suffix}", content)[0]) == {"1": "Owls."}
    with pytest.raises(InvalidInput, match="cannot be decompressed"):
        load(tmp_path, "cut.jsonl.gz", packed["gz"][:-12])
    with pytest.raises(InvalidInput, match="far more than its size"):
        load(tmp_path, "bomb.jsonl.gz", gzip.compress(b" " * (64 << 20), mtime=0))


def test_cells_options_and_links_of_a_page_stay_apart(tmp_path: Path) -> None:
    page = (
        b"<html><body><nav><a>Home</a></nav><h1>Fees<a class='headerlink'>\xc2\xb6</a></h1>"
        b"<table><tr><td>Net income</td><td>1000</td></tr></table><a>one</a><a>two</a>"
        b"<select><option>Monday</option><option>Tuesday</option></select>"
        b"<footer>Imprint</footer></body></html>"
    )
    corpus, _ = load(tmp_path, "page.html", page)
    assert corpus.documents[0].text == "Fees\nNet income 1000\none two\nMonday\nTuesday"


def test_trec_documents(tmp_path: Path) -> None:
    data = (
        b"<DOC>\n<DOCNO> A-1 </DOCNO>\n<HEADLINE>Owls &amp; more</HEADLINE>\n<TEXT>\nOwls <b>hunt"
        b"</b>.\n</TEXT>\n</DOC>\n<DOC>\n<TEXT>No number.</TEXT>\n</DOC>\n"
        b"<DOC>\n<DOCNO>A-2</DOCNO>\n<TEXT>Wrens.</TEXT>\n</DOC>\n"
    )
    corpus, sentence = load(tmp_path, "docs.trec", data)
    assert [(d.id, d.title) for d in corpus.documents] == [("A-1", "Owls & more"), ("A-2", "")]
    assert texts(corpus)["A-2"] == "Wrens."
    assert sentence == "read as TREC documents: 2 documents from 14 lines; 1 left out"


def test_a_smart_collection(tmp_path: Path) -> None:
    data = b".I 1\n.T\nOwls\n.A\nA. Author\n.W\nOwls hunt\nat night.\n.I 2\n.W\nWrens.\n"
    corpus, _ = load(tmp_path, "cran.all", data)
    assert texts(corpus) == {"1": "Owls hunt at night.", "2": "Wrens."}
    assert corpus.documents[0].title == "Owls"


def test_xml_dumps_without_entities(tmp_path: Path) -> None:
    wiki = (
        b'<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/"><page><title>Owl</title>'
        b"<ns>0</ns><id>7</id><revision><id>1</id><text>Owls hunt.</text></revision></page><page>"
        b'<title>Owls</title><ns>0</ns><id>8</id><redirect title="Owl"/><revision><text>x</text>'
        b"</revision></page><page><title>Talk:Owl</title><ns>1</ns><id>9</id></page></mediawiki>"
    )
    corpus, sentence = load(tmp_path, "wiki.xml", wiki)
    assert [(d.id, d.title, d.text) for d in corpus.documents] == [("7", "Owl", "Owls hunt.")]
    assert "1 redirect" in sentence
    posts = (
        b'<?xml version="1.0"?><posts><row Id="1" PostTypeId="1" Title="Owls?" Score="3" '
        b'Body="&lt;p&gt;Do owls&lt;/p&gt;&lt;p&gt;hunt?&lt;/p&gt;"/>'
        b'<row Id="2" PostTypeId="2" ParentId="1" Body="Yes."/></posts>'
    )
    corpus, _ = load(tmp_path, "Posts.xml", posts)
    assert texts(corpus) == {"1": "Do owls\nhunt?", "2": "Yes."}
    assert corpus.documents[1].meta == {"parent_id": "1"}
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    entities = (
        f'<?xml version="1.0"?><!DOCTYPE mediawiki [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
        "<mediawiki><page><title>t</title><id>1</id><revision><text>a &x; b</text></revision>"
        "</page></mediawiki>"
    )
    corpus, _ = load(tmp_path, "evil.xml", entities.encode())
    assert "secret" not in corpus.documents[0].text


def test_a_workbook(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in (["id", "title", "text"], [1, "Owl", "Owls hunt."], [None] * 3, [2, None, "Wrens."]):
        book.active.append(row)
    book.create_sheet("empty")
    book.create_sheet("more").append(["a remark"])
    book.save(out)
    corpus, sentence = load(tmp_path, "birds.xlsx", out.getvalue())
    assert texts(corpus) == {"1": "Owls hunt.", "2": "Wrens."}
    assert "read as Excel workbook: 2 documents" in sentence
    assert [problem.message for problem in corpus.meta["problems"]][-1:] == [
        "Only the sheet 'Sheet' is read; 'more' left out."
    ]


def test_a_folder_of_documentation_and_code(tmp_path: Path) -> None:
    site = make.folder(
        tmp_path / "site",
        {
            "index.html": "<h1>Owls</h1>",
            "_sources/index.rst.txt": "Owls\n====\n",
            "_static/search.js": "var x;",
        },
    )
    assert list(texts(load_corpus(site))) == ["index.html"]
    code = make.folder(
        tmp_path / "code",
        {
            "a.py": "def owl(): ...\n",
            "b.rst": "Owls\n====\n\nHunt.\n",
            "c.adoc": "= Wrens\n\nSing.\n",
        },
    )
    assert [(d.id, d.title) for d in load_corpus(code).documents] == [
        ("a.py", "a.py"),
        ("b.rst", "Owls"),
        ("c.adoc", "Wrens"),
    ]


@pytest.mark.parametrize(
    "value",
    [
        {"a": "Owls.", "b": "Wrens."},
        {"a": {"text": "Owls."}, "b": {"text": "Wrens."}},
        {"id": {"0": "a", "1": "b"}, "text": {"0": "Owls.", "1": "Wrens."}},
    ],
)
def test_json_objects_by_id_and_by_column(tmp_path: Path, value: dict[str, object]) -> None:
    corpus, _ = load(tmp_path, "birds.json", json.dumps(value).encode())
    assert texts(corpus) == {"a": "Owls.", "b": "Wrens."}


def test_lists_in_the_cells_of_a_csv_table(tmp_path: Path) -> None:
    head = b"question,answer,contexts\n"
    good = head + b'tall birds,Ostriches,"[""Ostriches."", ""Wrens.""]"\n'
    corpus, sentence = load(tmp_path, "rag.csv", good)
    assert texts(corpus) == {"p1": "Ostriches.", "p2": "Wrens."}
    assert "read as questions with contexts: 1 query, 2 passages" in sentence
    for written in (
        "['Ostriches.', \"Wrens.\"]",
        "['Ostriches.' 'Wrens.']",
        "['Ostriches.'\n 'Wrens.']",
    ):
        cell = '"' + written.replace('"', '""') + '"'
        corpus, _ = load(tmp_path, "rag.csv", head + f"tall birds,Ostriches,{cell}\n".encode())
        assert texts(corpus) == {"p1": "Ostriches.", "p2": "Wrens."}, written
    cut = head + b"""tall birds,Ostriches,"['Ostriches.' ... 'Wrens.']"\n"""
    with pytest.raises(InvalidInput) as caught:
        load(tmp_path, "rag.csv", cut)
    assert "The record has no passage" in str(caught.value.problems)


def test_nothing_in_a_cell_is_evaluated(tmp_path: Path) -> None:
    target = tmp_path / "mark"
    cell = f"[__import__('pathlib').Path('{target}').write_text('x')]"
    data = f'question,contexts\nq,"{cell}"\nr,"[""Owls.""]"\n'.encode()
    with contextlib.suppress(InvalidInput):
        load(tmp_path, "rag.csv", data)
    assert not target.exists()


PAIR = {"query": "tall birds", "passage": "Ostriches.", "label": 1}


@pytest.mark.parametrize(
    ("name", "value", "label"),
    [
        ("pairs.jsonl", [PAIR, PAIR | {"passage": "Wrens.", "label": 0}], "graded pairs"),
        (
            "docs.jsonl",
            [{"query": "tall birds", "docs": ["Ostriches.", "Wrens."], "labels": [1, 0]}],
            "queries with candidates",
        ),
        (
            "dpr.json",
            [
                {
                    "question": "tall birds",
                    "answers": ["ostrich"],
                    "positive_ctxs": [{"title": "", "text": "Ostriches."}],
                    "hard_negative_ctxs": [{"title": "", "text": "Wrens."}],
                }
            ],
            "DPR training set",
        ),
        (
            "marco.jsonl",
            [
                {
                    "query": "tall birds",
                    "passages": {"passage_text": ["Ostriches.", "Wrens."], "is_selected": [1, 0]},
                }
            ],
            "MS MARCO questions",
        ),
    ],
)
def test_further_sets_for_rerankers(
    tmp_path: Path, name: str, value: list[dict[str, object]], label: str
) -> None:
    data = json.dumps(value).encode() if name.endswith(".json") else make.jsonl(*value)
    corpus, sentence = load(tmp_path, name, data)
    assert label in sentence
    assert texts(corpus) == {"p1": "Ostriches.", "p2": "Wrens."}
    assert corpus.queries[0].text == "tall birds"
    assert corpus.qrels[corpus.queries[0].id] == {"p1": 1, "p2": 0}


def test_squad(tmp_path: Path) -> None:
    asked = {"id": "a1", "question": "Which bird is tall?", "answers": []}
    other = asked | {"id": "a2", "is_impossible": True}
    paragraph = {"context": "Ostriches are tall.", "qas": [asked, other]}
    data = {"version": "2", "data": [{"title": "Birds", "paragraphs": [paragraph]}]}
    corpus, _ = load(tmp_path, "dev.json", json.dumps(data).encode())
    assert [(d.title, d.text) for d in corpus.documents] == [("Birds", "Ostriches are tall.")]
    assert corpus.qrels == {"a1": {"p1": 1}}
    assert [query.id for query in corpus.queries] == ["a1", "a2"]


def test_reference_answers_stay_with_their_queries(tmp_path: Path) -> None:
    answers = [{"text": "Ostriches", "answer_start": 0}, {"text": "Ostriches"}, {"text": " "}]
    question = {"id": "a1", "question": "Which bird is tall?", "answers": answers}
    paragraph = {"context": "Ostriches are tall.", "qas": [question]}
    data = {"version": "2", "data": [{"title": "Birds", "paragraphs": [paragraph]}]}
    corpus, _ = load(tmp_path, "dev.json", json.dumps(data).encode())
    assert corpus.queries[0].meta == {"answers": ["Ostriches"]}
    row = {
        "user_input": "Which bird is tall?",
        "retrieved_contexts": ["Wrens."],
        "reference_contexts": ["Ostriches."],
        "reference": "The ostrich.",
    }
    corpus, _ = load(tmp_path, "rag.jsonl", json.dumps(row).encode())
    assert corpus.queries[0].meta == {"answers": ["The ostrich."]}


def test_a_request_for_reranking_keeps_its_query(tmp_path: Path) -> None:
    data = {"model": "m", "query": "tall birds", "documents": ["Ostriches.", "Wrens."]}
    corpus, _ = load(tmp_path, "request.json", json.dumps(data).encode())
    assert texts(corpus) == {"p1": "Ostriches.", "p2": "Wrens."}
    assert [query.text for query in corpus.queries] == ["tall birds"]


def test_queries_alone_are_no_documents(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        load(tmp_path, "asked.csv", b"query,clicks\ntall birds,3\nlow birds,1\n")
    assert "'query' holds queries" in caught.value.message
    assert "--columns text=" in caught.value.hint


def test_a_document_that_langchain_serialised(tmp_path: Path) -> None:
    data = {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain", "schema", "document", "Document"],
        "kwargs": {"page_content": "Owls.", "metadata": {"source": "a"}},
    }
    corpus, _ = load(tmp_path, "document.json", json.dumps(data).encode())
    assert texts(corpus) == {"d1": "Owls."}


def test_ids_that_a_table_program_wrote_as_decimals(tmp_path: Path) -> None:
    data = b"id,title,text\n1.0,Birds,Owls\n2.0,nan,Wrens\n3.0,Only,\n"
    corpus, _ = load(tmp_path, "birds.csv", data)
    assert [(d.id, d.title) for d in corpus.documents] == [("1", "Birds"), ("2", ""), ("3", "Only")]
    corpus, _ = load(tmp_path, "versions.csv", b"id,text\n1.0,Owls\n1.5,Wrens\n")
    assert list(texts(corpus)) == ["1.0", "1.5"]


HOTPOT = {
    "_id": "5a7a",
    "question": "Which birds that cannot fly are tall?",
    "answer": "ostriches",
    "context": [["Ostrich", ["It is tall.", " It runs."]], ["Wren", ["It is small."]]],
    "supporting_facts": [["Ostrich", 0]],
}
IN_COLUMNS = HOTPOT | {
    "context": {"title": ["Ostrich", "Wren"], "sentences": [["It is tall.", " It runs."],
                                                           ["It is small."]]},
    "supporting_facts": {"title": ["Ostrich"], "sent_id": [0]},
}  # fmt: skip


@pytest.mark.parametrize("record", [HOTPOT, IN_COLUMNS], ids=["authors", "Hugging Face"])
def test_paragraphs_of_hotpotqa_are_the_documents_not_its_answers(
    tmp_path: Path, record: dict[str, object]
) -> None:
    corpus, sentence = load(tmp_path, "hotpot.json", json.dumps([record]).encode())
    assert texts(corpus) == {"p1": "It is tall. It runs.", "p2": "It is small."}
    assert [document.title for document in corpus.documents] == ["Ostrich", "Wren"]
    assert [(query.id, query.text) for query in corpus.queries] == [("5a7a", HOTPOT["question"])]
    assert corpus.qrels == {"5a7a": {"p1": 1, "p2": 0}}
    assert "HotpotQA" in sentence
