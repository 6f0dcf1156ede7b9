"""Documents as their tools write them: what each becomes, value for value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rerank_lab.cli import main
from rerank_lab.core.errors import InvalidInput
from rerank_lab.corpora import (
    ColumnMapping,
    Corpus,
    attach_qrels,
    import_corpus,
    inspect_upload,
    load_corpus,
)
from rerank_lab.corpora.readers.html import page_text
from rerank_lab.corpora.readers.wiki_text import plain_wiki_text

from .. import make

OWL, WREN = "Owls hunt at night.", "Wrens sing in spring."
CAT = "Cats purr all day long."


def loaded(folder: Path, name: str, data: bytes | str) -> Corpus:
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return load_corpus(folder / name)


def texts(corpus: Corpus) -> dict[str, tuple[str, str]]:
    return {document.id: (document.title, document.text) for document in corpus.documents}


NOTEBOOK = {"nbformat": 4, "metadata": {}, "cells": [
    {"cell_type": "markdown", "source": ["# All *about* owls\n", "They hunt."]},
    {"cell_type": "code", "source": "print('owl')", "outputs": [{"text": ["SECRET"]}]},
    {"cell_type": "code", "source": ["  \n"], "outputs": []}, "odd"]}  # fmt: skip
OLD_NOTEBOOK = {
    "nbformat": 3,
    "worksheets": [
        {
            "cells": [
                {"cell_type": "heading", "source": "Owls"},
                {"cell_type": "code", "input": "x = 1"},
            ]
        }
    ],
}
WIKI = (
    "<mediawiki><page><title>Owl</title><ns>0</ns><id>1</id><revision><text>'''Owls''' "
    "[[hunt]] {{nowrap|x {{y}} }}at [[Night sky|night]].&lt;ref&gt;p. 3&lt;/ref&gt;\n== Diet ==\n"
    "* [[File:m.jpg|thumb|a [[mouse]]]]mice</text></revision></page></mediawiki>"
)
DOCUMENTS: dict[str, tuple[str, dict[str, tuple[str, str]]]] = {
    "msmarco-docs.tsv": (
        f"D1\thttps://a.example/owl\tOn owls\t{OWL}\nD2\thttp://a.example/w\t\t{WREN}\n",
        {"D1": ("On owls", OWL), "D2": ("", WREN)},
    ),
    "notes.ipynb": (
        json.dumps(NOTEBOOK),
        {"notes.ipynb": ("All about owls", "# All *about* owls\nThey hunt.\n\nprint('owl')")},
    ),
    "old.ipynb": (json.dumps(OLD_NOTEBOOK), {"old.ipynb": ("old", "Owls\n\nx = 1")}),
    "bulk.ndjson": (
        '{"index": {}}\n' + json.dumps({"text": OWL}) + '\n{"index": {"_id": null}}\n'
        + json.dumps({"text": WREN}) + "\n",
        {"d1": ("", OWL), "d2": ("", WREN)},
    ),
    "one.xml": (
        f'<add><doc><field name="id">a</field><field name="text">{OWL}</field></doc></add>',
        {"a": ("", OWL)},
    ),
    "wiki_00": (
        f'<doc id="1" url="u?curid=1" title="Owl &amp; wren">\nOwl & wren\n\n{OWL}\n</doc>\n'
        f'<doc id="2" url="u" title="Wren">\n{WREN}\n</doc>\n',
        {"1": ("Owl & wren", OWL), "2": ("Wren", WREN)},
    ),
    "wiki.xml": (WIKI, {"1": ("Owl", "Owls hunt at night.\nDiet\nmice")}),
    "strings.jsonl": (f'"{OWL}"\n"{WREN}"\n', {"d1": ("", OWL), "d2": ("", WREN)}),
    "titled.tsv": (
        f"All about owls\t{OWL}\nAll about wrens\t{WREN}\n",
        {"d1": ("All about owls", OWL), "d2": ("All about wrens", WREN)},
    ),
    "cord.csv": (f"cord_uid,title,abstract\nug7,Owl,{OWL}\n", {"ug7": ("Owl", OWL)}),
    "two.rst": ("Go\n==\n\nnow\n", {"two.rst": ("Go", "Go\n==\n\nnow")}),
    "a.adoc": ("////\n= No\n////\n# Yes\n", {"a.adoc": ("Yes", "////\n= No\n////\n# Yes")}),
    "b.adoc": ("Owls\n====\n\nx\n", {"b.adoc": ("Owls", "Owls\n====\n\nx")}),
    "a.mdx": ('+++\ntitle = "Owls"\n+++\nx\n', {"a.mdx": ("Owls", "x")}),
    "a.md": ("# [Owls](u) &amp; `b`\n", {"a.md": ("Owls & b", "# [Owls](u) &amp; `b`")}),
}  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents(tmp_path: Path, name: str) -> None:
    data, expected = DOCUMENTS[name]
    assert texts(loaded(tmp_path, name, data)) == expected


def test_a_notebook_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is no notebook"):
        loaded(tmp_path, "a.ipynb", '{"a": 1}')


TRIPLES = f"night hunters\t{OWL}\t{CAT}\nspring songs\t{WREN}\t{OWL}\n"
SETS: dict[str, tuple[bytes | str, list[str], dict[str, dict[str, int]]]] = {
    "triples": (TRIPLES, [OWL, CAT, WREN], {"q1": {"p1": 1, "p2": 0}, "q2": {"p3": 1, "p1": 0}}),
    "lists.jsonl": (
        json.dumps(["night", OWL, WREN]) + "\n", [OWL, WREN], {"q1": {"p1": 1, "p2": 0}}
    ),
    "pairs.jsonl": (json.dumps(["night", OWL]) + "\n", [OWL], {"q1": {"p1": 1}}),
    "labelled.jsonl": (
        make.jsonl({"query": "night", "response": OWL, "label": 1},
                   {"query": "night", "response": WREN, "label": 0}),
        [OWL, WREN], {"q1": {"p1": 1, "p2": 0}},
    ),
    "wikiqa.csv": (
        f"question_id,question,document_title,answer,label\nQ7,night?,Owl,{OWL},1\n",
        [OWL], {"Q7": {"p1": 1}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_sets_for_rerankers(tmp_path: Path, name: str) -> None:
    data, passages, qrels = SETS[name]
    corpus = loaded(tmp_path, name, data)
    assert [document.text for document in corpus.documents] == passages
    assert corpus.qrels == qrels


def test_hits_of_rank_llm_carry_the_id_of_their_query(tmp_path: Path) -> None:
    hits = [{"qid": 7, "docid": "a", "content": OWL, "rank": 1}]
    corpus = loaded(tmp_path, "hits.jsonl", make.jsonl({"query": "night", "hits": hits}))
    assert texts(corpus) == {"a": ("", OWL)}
    assert [(query.id, query.text) for query in corpus.queries] == [("7", "night")]


def test_two_columns_of_texts_without_a_header_are_refused_until_one_is_named(
    tmp_path: Path, home: Path
) -> None:
    data = f"about birds\t{OWL}\t{WREN}\nabout cats\t{CAT}\t{WREN}\n"
    (tmp_path / "three.tsv").write_text(data)
    with pytest.raises(InvalidInput, match="more than one of its columns holds texts"):
        load_corpus(tmp_path / "three.tsv")
    named = [str(tmp_path / "three.tsv"), "--columns", "text=column 3", "--name", "birds"]
    assert main(["corpora", "import", *named]) == 0
    assert {document.text for document in load_corpus("birds").documents} == {WREN}
    preview = inspect_upload("three.tsv", data.encode())
    import_corpus(preview, "chosen", mapping=ColumnMapping("column 2"))
    assert load_corpus("chosen").documents[1].text == CAT


def test_documents_of_a_folder_are_judged_by_the_names_of_their_files(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make.folder(tmp_path / "f", {"docs/a.txt": OWL, "docs/b c.md": WREN, "x/b c.txt": CAT})
    (tmp_path / "q.tsv").write_text("1\thunt at night\n")
    (tmp_path / "j.tsv").write_text("1\ta\t1\n1\tb c\t0\n")
    files = ("--queries", str(tmp_path / "q.tsv"), "--qrels", str(tmp_path / "j.tsv"))
    assert main(["evaluate", str(tmp_path / "f"), *files, "-p", "bm25", "-m", "RR", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["results"][0]["measures"]["RR"] == 1.0
    messages = [problem["message"] for problem in answer["problems"]]
    assert any("'a' is 'docs/a.txt'" in message for message in messages)
    assert any("'b c'" in message and "not in the corpus" in message for message in messages)
    import_corpus(tmp_path / "f", "folder", queries=tmp_path / "q.tsv")
    attach_qrels("folder", tmp_path / "j.tsv")
    assert load_corpus("folder").qrels["1"]["docs/a.txt"] == 1


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("one<hr>two<main>three</main><main>four</main>", "one\ntwo\nthree\nfour"),
        ("<h1>T<a class='anchor' href='#t'>#</a></h1>x<a href='#u'>\u00b6</a>", "T\nx"),
        ("<h1>T<a class='hash-link' href='#t'>\u200b</a></h1><a href='#1'>#1</a>", "T\n#1"),
        ("<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby>字", "漢字"),
        ("un<b>believ</b>able H<sub>2</sub>O", "unbelievable H2O"),
    ],
)
def test_what_a_page_shows(markup: str, text: str) -> None:
    assert page_text(markup) == text


def test_what_stands_around_a_page_is_known_by_its_class(tmp_path: Path) -> None:
    page = (
        "<div class='navbar'>Home</div><div id='sidebar'>Links</div><div class='has-sidebar'>"
        f"<h1><b>Owls</b></h1>{OWL}</div><div class='footer'>2020</div>"
    )
    assert texts(loaded(tmp_path, "a.html", page)) == {"a.html": ("Owls", f"Owls\n{OWL}")}
    menu = loaded(tmp_path, "b.html", f"<div class='menu'>{OWL * 5}</div>x")
    assert OWL in menu.documents[0].text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("a {{b|{{c}}|d}} e", "a  e"),
        ("a {{never closed", "a {{never closed"),
        ("[https://a.example Owls] and [[:Category:Birds|birds]]", "Owls and birds"),
        ("{| class=x\n|-\n! Name !! Age\n|-\n| style=y | Ann || 7\n|}", "Name \n Age\n\nAnn \n 7"),
        ("x<ref name=a/> y<ref>z</ref> <nowiki>w</nowiki>", "x y w"),
        ("[[a [[b", "[[a [[b"),
        ("it''s '''bold'''", "its bold"),
    ],
)
def test_wiki_text_becomes_plain(markup: str, text: str) -> None:
    assert plain_wiki_text(markup) == text
