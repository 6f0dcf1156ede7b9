"""Files as strangers write them: what each becomes, or in which words it is refused."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora import Corpus, load_corpus
from rerank_lab.corpora.source import Source, detect_decoding

from .. import make

OWL, WREN = "Owls hunt at night.", "Wrens sing in spring."
BIRDS = {"a": OWL, "b": WREN}
ROWS = [{"id": "a", "text": OWL}, {"id": "b", "text": WREN}]


def loaded(folder: Path, name: str, data: bytes) -> Corpus:
    (folder / name).write_bytes(data)
    return load_corpus(folder / name)


def texts(corpus: Corpus) -> dict[str, str]:
    return {document.id: document.text for document in corpus.documents}


def workbook(*sheets: tuple[str, Sequence[Sequence[object]]]) -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.remove(book.active)
    for title, rows in sheets:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    book.save(out)
    return out.getvalue()


def parquet(*records: dict[str, object]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(records)), out)
    return out.getvalue()


TABLE = [("id", "text"), ("a", OWL), ("b", WREN)]
SHAPES: dict[str, bytes] = {
    "commas.jsonl": f'{{"id":"a","text":"{OWL}"}},\n{{"id":"b","text":"{WREN}"}},\n'.encode(),
    "over-lines.jsonl": "".join(json.dumps(row, indent=1) + "\n" for row in ROWS).encode(),
    "array.jsonl": json.dumps(ROWS).encode(),
    "array-by-line.ndjson": f"[\n{json.dumps(ROWS[0])},\n{json.dumps(ROWS[1])}\n]\n".encode(),
    "in-a-row.json": "".join(map(json.dumps, ROWS)).encode(),
    "marked.json": b"\xef\xbb\xbf" + json.dumps(ROWS).encode(),
    "deep.json": json.dumps({"response": {"result": {"items": ROWS}, "took": 3}}).encode(),
    "beside-others.json": json.dumps({"documents": ROWS, "tags": ["x", "y"]}).encode(),
    "pandas-split.json": json.dumps(
        {"columns": ["id", "text"], "index": [0, 1], "data": [["a", OWL], ["b", WREN]]}
    ).encode(),
    "by-column.json": json.dumps({"id": ["a", "b"], "text": [OWL, WREN]}).encode(),
    "nested.jsonl": make.jsonl(*({"id": r["id"], "content": {"text": r["text"]}} for r in ROWS)),
    "by-language.jsonl": make.jsonl(*({"id": r["id"], "body": {"en": r["text"]}} for r in ROWS)),
    "chat-parts.jsonl": make.jsonl(
        *({"id": r["id"], "content": [{"type": "text", "text": r["text"]}]} for r in ROWS)
    ),
    "mongo.jsonl": make.jsonl(*({"_id": {"$oid": r["id"]}, "text": r["text"]} for r in ROWS)),
    "bytes.parquet": parquet(*({n: v.encode() for n, v in r.items()} for r in ROWS)),
    "comment.csv": f"# exported in May\nid,text\na,{OWL}\nb,{WREN}\n".encode(),
    "titled.csv": f"All birds;;\n;;\nid;text;n\na;{OWL};1\nb;{WREN};2\n".encode(),
    "titled.xlsx": workbook(("Birds", [("All birds of 2024",), (), *TABLE])),
    "second-sheet.xlsx": workbook(("Read me", [("It lists birds.",)]), ("Data", TABLE)),
    "bom-in-the-name.csv": f'"\ufeffid",text\na,{OWL}\nb,{WREN}\n'.encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_two_birds_in_every_shape(tmp_path: Path, name: str) -> None:
    assert texts(loaded(tmp_path, name, SHAPES[name])) == BIRDS


SETS: dict[str, tuple[bytes, dict[str, str], dict[str, dict[str, int]]]] = {
    "labelled.jsonl": (
        make.jsonl({"question": "night", "docs": [
            {"text": OWL, "relevant": True}, {"text": WREN, "relevant": False}]}),
        {"p1": OWL, "p2": WREN}, {"q1": {"p1": 1, "p2": 0}},
    ),
    "cohere.jsonl": (
        make.jsonl({"query": "night", "relevant_passages": [OWL], "hard_negatives": [WREN]}),
        {"p1": OWL, "p2": WREN}, {"q1": {"p1": 1, "p2": 0}},
    ),
    "single.jsonl": (
        make.jsonl({"query": "night", "pos": OWL, "neg": WREN}),
        {"p1": OWL, "p2": WREN}, {"q1": {"p1": 1, "p2": 0}},
    ),
    "pairs.csv": (
        f"qid,query,docid,title,text,label\n7,night,a,Owl,{OWL},2\n7,night,b,Wren,{WREN},0\n".encode(),
        BIRDS, {"7": {"a": 2, "b": 0}},
    ),
    "triples.train.tsv": (
        f"night hunters\t{OWL}\t{WREN}\nspring songs\t{WREN}\t{OWL}\n".encode(),
        {"p1": OWL, "p2": WREN}, {"q1": {"p1": 1, "p2": 0}, "q2": {"p2": 1, "p1": 0}},
    ),
    "top2.tsv": (
        f"7\ta\tnight hunters\t{OWL}\n7\tb\tnight hunters\t{WREN}\n".encode(), BIRDS, {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_reranking_sets_bring_their_queries_and_grades(tmp_path: Path, name: str) -> None:
    data, documents, qrels = SETS[name]
    corpus = loaded(tmp_path, name, data)
    assert texts(corpus) == documents
    assert corpus.qrels == qrels
    assert corpus.queries[0].text.startswith("night")


FIELDS = "".join(
    f'<doc><field name="id">{r["id"]}</field><field name="text">{r["text"]}</field></doc>'
    for r in ROWS
)
ITEMS = "".join(
    f"<item><guid>{r['id']}</guid><title>T</title><description>&lt;p&gt;{r['text']}&lt;/p&gt;"
    "</description></item>"
    for r in ROWS
)


@pytest.mark.parametrize(
    "xml",
    [
        f"<add>{FIELDS}</add>",
        f'<rss version="2.0"><channel><title>Birds</title>{ITEMS}</channel></rss>',
        "<birds>" + "".join(
            f"<bird id='{r['id']}'><text>{r['text']}</text></bird>" for r in ROWS
        ) + "</birds>",
        '<feed xmlns="http://www.w3.org/2005/Atom">' + "".join(
            f"<entry><id>{r['id']}</id><content>{r['text']}</content></entry>" for r in ROWS
        ) + "</feed>",
    ],
)  # fmt: skip
def test_records_in_xml(tmp_path: Path, xml: str) -> None:
    assert texts(loaded(tmp_path, "birds.xml", f'<?xml version="1.0"?>\n{xml}'.encode())) == BIRDS


def test_tags_of_other_xml_are_no_text(tmp_path: Path) -> None:
    data = f"<article><title>Owls</title><para>{OWL}</para></article>".encode()
    (document,) = loaded(tmp_path, "owl.xml", data).documents
    assert (document.title, document.text) == ("Owls", f"Owls\n{OWL}")


def test_a_page_and_its_source_are_one_document(tmp_path: Path) -> None:
    members = {
        "guide/owl.md": f"# Owl\n\n{OWL}\n",
        "guide/owl.html": f"<h1>Owl</h1><p>{OWL}</p>",
        "wren.html": "<p>Something else stands here.</p>",
        "wren.rst": f"Wren\n====\n\n{WREN}\n",
    }
    corpus = load_corpus(make.folder(tmp_path / "site", members))
    assert [document.id for document in corpus.documents] == [
        "guide/owl.html", "wren.html", "wren.rst",
    ]  # fmt: skip
    assert "1 file left out that HTML pages show as well, such as guide/owl.md" in str(
        [problem.message for problem in corpus.meta["problems"]]
    )


def test_judgments_of_a_hub_set_under_another_name(tmp_path: Path) -> None:
    members = {
        "corpus/test-0.parquet": parquet(*ROWS),
        "queries/test-0.parquet": parquet({"_id": "q", "text": "night"}),
        "data/test-0.parquet": parquet({"query-id": "q", "corpus-id": "a", "score": 1.0}),
    }
    assert load_corpus(make.folder(tmp_path / "hub", members)).qrels == {"q": {"a": 1}}


def test_one_query_with_its_id_in_a_text_file(tmp_path: Path) -> None:
    members = {
        "a.txt": OWL,
        "b.txt": WREN,
        "queries.txt": "q\tnight\n",
        "qrels.txt": "q 0 a.txt 1\n",
    }
    corpus = load_corpus(make.folder(tmp_path / "notes", members))
    assert [(query.id, query.text) for query in corpus.queries] == [("q", "night")]
    assert corpus.qrels == {"q": {"a.txt": 1}}


def test_parts_of_a_text_are_put_together_and_counted(tmp_path: Path) -> None:
    corpus = loaded(tmp_path, "parts.jsonl", make.jsonl({"id": "a", "text": ["Owls", "hunt."]}))
    assert texts(corpus) == {"a": "Owls\nhunt."}
    assert "1 texts put together from parts" in corpus.meta["readings"][0].sentence


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("nummer;titel;inhalt", ("nummer", "titel", "inhalt")),
        ("Nr;Frage;Antwort", ("Nr", "Frage", "Antwort")),
        ("identifiant;titre;texte", ("identifiant", "titre", "texte")),
        ("id;título;descripción", ("id", "título", "descripción")),
        ("codice;titolo;testo", ("codice", "titolo", "testo")),
        ("nr;tytuł;treść", ("nr", "tytuł", "treść")),
        ("номер;название;текст", ("номер", "название", "текст")),
        ("编号;标题;内容", ("编号", "标题", "内容")),
        ("番号;タイトル;本文", ("番号", "タイトル", "本文")),
        ("번호;제목;내용", ("번호", "제목", "내용")),
    ],
)
def test_columns_are_known_in_other_languages(
    tmp_path: Path, header: str, columns: tuple[str, str, str]
) -> None:
    data = f"{header}\n1;Owls;{OWL}\n2;Wrens;{WREN}\n".encode()
    corpus = loaded(tmp_path, "table.csv", data)
    id_column, title, text = columns
    assert corpus.meta["readings"][0].columns == {"id": id_column, "title": title, "text": text}


def test_a_column_of_names_that_repeat_is_no_id(tmp_path: Path) -> None:
    corpus = loaded(tmp_path, "table.csv", f"nummer;text\n7;{OWL}\n7;{WREN}\n".encode())
    assert texts(corpus) == {"d1": OWL, "d2": WREN}


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("rows.7z", b"7z\xbc\xaf\x27\x1c" + bytes(99), "is a 7-Zip archive"),
        ("rows.csv", pickle.dumps(["a"], 4), "is a Python pickle"),
        ("rows.txt", b"SQLite format 3\x00" + bytes(99), "is an SQLite database"),
        ("rows.arrow", b"ARROW1\x00\x00" + bytes(99), "is an Arrow"),
        ("ids.jsonl", make.jsonl({"qid": "1", "pos": ["a"], "neg": {"bm25": ["b"]}}), "no column"),
        ("states.json", b'{"result": {"status": "ok"}, "status": "ok"}', "no single array"),
        ("classes.jsonl", make.jsonl({"class": "Bird", "vector": [0.1]}), "no column that holds"),
        ("sts.csv", f"sentence1,sentence2,score\n{OWL},{WREN},3.8\n".encode(), "no column"),
        ("links.csv", b"url,views\nhttps://a.example/b,3\nhttps://a.example/c,4\n", "no column"),
    ],
)
def test_what_holds_no_documents_is_refused_in_words(
    tmp_path: Path, name: str, data: bytes, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        loaded(tmp_path, name, data)
    assert caught.value.hint


def test_a_choice_by_length_alone_is_said(tmp_path: Path) -> None:
    data = f"topic,first,second\nbirds,{OWL},{WREN}\nbirds,{WREN},{OWL}\n".encode()
    (warning,) = loaded(tmp_path, "three.csv", data).meta["problems"]
    assert "'first' was taken for the texts; 'second' could be it as well" in warning.message


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Los búhos cazan de noche.", "cp1252"),
        ("Le hibou chasse à l'orée de la forêt; où ça?", "cp1252"),
        ("Straße – „sehr“ schmal, 5 €. Größe für Ärzte.", "cp1252"),
        ("Corujas não caçam de manhã; a canção é bonita.", "cp1252"),
        ("La città è bella, perché il caffè è più buono.", "cp1252"),
        ("Sowy polują w nocy. Źródło żółtych łąk, ćma i święto.", "cp1250"),
        ("Sovy loví v noci. Příliš žluťoučký kůň úpěl.", "cp1250"),
        ("A baglyok éjjel vadásznak. Árvíztűrő tükörfúrógép, őszi eső.", "cp1250"),
        ("Bufniţele vânează noaptea. Şcoala în primăvară.", "cp1250"),
        ("Sove love noću. Češnjak, žaba, šuma, đak i ćuk.", "cp1250"),
        ("Baykuşlar gece avlanır; ağaçlar yeşillenir.", "cp1254"),
        ("Совы охотятся ночью, а весной поёт крапивник.", "cp1251"),
    ],
)
def test_code_pages_of_windows_are_told_apart(text: str, encoding: str) -> None:
    data = f"id;text\n1;{text}\n".encode(encoding)
    codec = detect_decoding(Source("table.csv", data=data), ProblemLog()).codec
    assert text in data.decode(codec)
