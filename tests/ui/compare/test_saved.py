"""Saved comparisons in the app: kept with a key and a server, shown again with neither."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from rerank_lab.core.types import Document, Query
from rerank_lab.corpora import Corpus, load_corpus
from rerank_lab.corpora.store import delete_corpus, save_corpus
from rerank_lab.remote.urls import ALLOW_PRIVATE
from rerank_lab.services import comparisons as saved
from rerank_lab.services.comparisons import store
from rerank_lab.testing.chat_server import FakeChat, sorter
from rerank_lab.testing.provider_servers import KEY, FakeProvider, overlap
from rerank_lab.ui.shared import resources
from tests.ui import pages
from tests.ui.compare.test_page import Q, html, opened, settled, titles
from tests.ui.pages import FRAME, drawn, words

KEYS = {"COHERE_API_KEY": KEY, "OPENAI_API_KEY": KEY}


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    yield from pages.fresh()


def columns(provider: FakeProvider, chat: FakeChat) -> list[str]:
    return [
        "bm25",
        f'bm25 >> cohere(base_url="{provider.url}",top=20)',
        f'bm25 >> listwise(base_url="{chat.url}",model="m",top=5)',
    ]


def saved_with_a_key(specs: list[str]) -> AppTest:
    at = AppTest.from_file(str(FRAME), default_timeout=240)
    for name, value in {"q": Q, "p": specs, "depth": "20", "show": "5"}.items():
        at.query_params[name] = value
    at.session_state["session_keys"] = KEYS
    settled(drawn(at)).button(key="save_comparison").click().run()
    assert "Saved. It opens without a key" in words(at)
    return at


def shown(at: AppTest) -> list[str]:
    """Times, facts, cards and titles on screen; a replay checks no model's health."""
    page = re.sub(r' · <span class="rl-badge[^>]*>[^<]*</span>', "", html(at))
    facts = re.findall(r'class="rl-facts">.*?</div>|rl-head">.*?</div>', page, re.DOTALL)
    return [*facts, *(title for slot in range(3) for title in titles(at, slot))]


def test_a_comparison_is_shown_again_without_key_server_and_permission(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with FakeProvider("cohere") as provider, FakeChat(sorter(overlap)) as chat:
        before = saved_with_a_key(columns(provider, chat))
        rows = [titles(before, slot) for slot in range(3)]
        assert [len(column) for column in rows] == [5, 5, 5]
        asked = len(provider.requests), len(chat.requests)
    entry = saved.list_saved()[0]
    assert entry.header.answers == 2
    assert KEY.encode() not in saved.read(entry.id)
    monkeypatch.delenv(ALLOW_PRIVATE)
    next(pages.fresh())
    after = opened(saved=entry.id)
    assert [titles(after, slot) for slot in range(3)] == rows
    assert shown(after) == shown(before)
    assert "nothing was asked" in words(after)
    assert after.session_state["q"] == Q
    assert all(job.name.startswith("Preparing") for job in resources.jobs().jobs())
    assert (len(provider.requests), len(chat.requests)) == asked


def test_ask_again_asks_and_another_query_does_too() -> None:
    with FakeProvider("cohere") as provider:
        saved_with_a_key(["bm25", f'bm25 >> cohere(base_url="{provider.url}",top=20)'])
        count = len(provider.requests)
        entry = saved.list_saved()[0]
        next(pages.fresh())
        at = opened(saved=entry.id)
        at.button(key="ask_again").click().run()
        settled(drawn(at))
        assert "nothing was asked" not in words(at)
        assert [job for job in resources.jobs().jobs() if "cohere" in job.name]
        at = opened(saved=entry.id)
        at.text_input(key="q").set_value("export hours")
        settled(at.button(key="compare").click().run())
        assert "nothing was asked" not in words(at)
        assert len(provider.requests) == count


def test_a_pipeline_added_to_a_replay_is_asked_now() -> None:
    saved_with_a_key(["bm25"])
    entry = saved.list_saved()[0]
    at = opened(saved=entry.id)
    at.session_state["p"] = ["bm25", "bm25(b=0.1)"]
    settled(drawn(at))
    assert len(titles(at, 1)) == 5
    assert "1 of 2 columns are replayed" in words(at)


def test_the_list_opens_renames_and_deletes() -> None:
    at = saved_with_a_key(["bm25"])
    entry = saved.list_saved()[0]
    at.button(key=f"saved_rename_{entry.id}").click().run()
    at.text_input(key=f"saved_name_{entry.id}").set_value("<b>Mine</b> :red[x]").run()
    at.button(key=f"saved_do_{entry.id}").click().run()
    assert "<b>Mine</b> :red[x]" in words(at)
    at = opened()
    at.button(key=f"latest_{entry.id}").click().run()
    assert "nothing was asked" in words(drawn(at))
    at.button(key="open_saved").click().run()
    at.button(key=f"saved_delete_{entry.id}").click().run()
    assert "Links to it will no longer open" in words(at)
    at.button(key=f"saved_no_{entry.id}").click().run()
    at.button(key=f"saved_delete_{entry.id}").click().run()
    at.button(key=f"saved_do_{entry.id}").click().run()
    assert saved.list_saved() == []
    assert "is not here" in words(drawn(at))
    at.button(key="ask_afresh").click().run()
    assert len(titles(settled(drawn(at)), 0)) == 5


def test_a_file_is_added_or_refused_in_place() -> None:
    at = saved_with_a_key(["bm25"])
    entry = saved.list_saved()[0]
    data = saved.read(entry.id)
    saved.delete(entry.id)
    at.file_uploader[0].set_value([("../../x.jsonl", b"PK\x03\x04 no", "application/jsonl")]).run()
    assert "not a saved comparison that can be opened" in words(at)
    assert list(store.folder().glob("*")) == []
    at.file_uploader[0].set_value([("mine.jsonl", data, "application/jsonl")]).run()
    assert f"Added: {Q}." in words(at)
    assert [found.id for found in saved.list_saved()] == [entry.id]


def test_without_its_corpus_it_says_what_is_missing(home: Path) -> None:
    documents = [Document(f"n{i}", f"password note {i}", f"Note {i}") for i in range(8)]
    save_corpus(Corpus("notes", tuple(documents)), {"name": "notes"}, slug="notes")
    resources.refresh_corpora()
    at = opened(corpus="notes", p=["bm25"], q="password")
    settled(at).button(key="save_comparison").click().run()
    entry = saved.list_saved()[0]
    save_corpus(
        Corpus("other notes", tuple(documents)),
        {"name": "other notes", "content_hash": entry.header.content_hash},
        slug="other",
    )
    delete_corpus("notes")
    resources.refresh_corpora()
    at = opened(saved=entry.id)
    assert "nothing was asked" in words(at)  # the same documents under another name
    delete_corpus("other notes")
    resources.refresh_corpora()
    at = opened(saved=entry.id)
    assert "made over other documents" in words(at)
    assert "Import the corpus 'notes'" in words(at)
    assert titles(at, 0) == []
    at.button(key="open_saved").click().run()
    at.button(key=f"saved_open_{entry.id}").click().run()
    assert "The corpus 'notes' of this comparison is not here" in words(at)
    assert load_corpus("helpdesk").name == "helpdesk"


def test_a_link_to_nothing_says_so_and_asks_nothing() -> None:
    at = opened(saved="../../etc/passwd", q=Q, p=["bm25"])
    assert "The saved comparison of this link is not here" in words(at)
    assert titles(at, 0) == []


def test_a_key_goes_to_no_address_that_came_with_a_comparison_until_allowed() -> None:
    with FakeProvider("cohere") as provider:
        spec = f'bm25 >> cohere(base_url="{provider.url}",top=20)'
        saved_with_a_key(["bm25", spec])
        entry = saved.list_saved()[0]
        next(pages.fresh())
        provider.requests.clear()
        at = AppTest.from_file(str(FRAME), default_timeout=240)
        at.session_state["session_keys"] = KEYS
        drawn(at).button(key=f"latest_{entry.id}").click().run()
        assert "nothing was asked" in words(drawn(at))
        assert "not sent to 127.0.0.1" in words(at)
        at.text_input(key="q").set_value("export my hours")
        settled(at.button(key="compare").click().run())
        assert "No key is set: COHERE_API_KEY" in words(at)
        assert provider.requests == []
        at.button(key="trust_hosts").click().run()
        settled(drawn(at))
        assert len(provider.requests) == 1
        assert "not sent to" not in words(at)


def test_what_a_model_calls_relevant_is_drawn_and_saved() -> None:
    with FakeProvider("cohere") as provider:
        options = f'base_url="{provider.url}",relevant_spans="enabled",top=20'
        before = saved_with_a_key([f"bm25 >> cohere({options})"])
    assert 'class="rl-relevant"' in html(before)
    assert "relevant parts of 20 documents underlined" in html(before)
    next(pages.fresh())
    after = opened(saved=saved.list_saved()[0].id)
    drawn_parts = re.compile('class="rl-relevant".*?</span>')
    assert drawn_parts.findall(html(after)) == drawn_parts.findall(html(before))


def test_a_comparison_opens_with_its_choice_about_the_querys_own_document(home: Path) -> None:
    """By the texts this query leaves its document out; the comparison was made with it."""
    texts = {"d0": "moon rocks", "d1": "moon dust"}
    documents = tuple(Document(doc_id, text) for doc_id, text in texts.items())
    queries = tuple(Query(doc_id, text) for doc_id, text in texts.items())
    own = Corpus("own", documents, queries)
    save_corpus(own, {"name": "own", "content_hash": own.content_hash}, slug="own")
    resources.refresh_corpora()
    at = AppTest.from_file(str(FRAME), default_timeout=240)
    link = {"corpus": "own", "q": "moon rocks", "p": ["bm25"], "own": "kept"}
    for name, value in link.items():
        at.query_params[name] = value
    before = settled(drawn(at))
    assert titles(before, 0) == ["d0", "d1"]
    before.button(key="save_comparison").click().run()
    next(pages.fresh())
    after = opened(saved=saved.list_saved()[0].id)
    assert after.session_state["own"] == "kept"
    assert titles(after, 0) == ["d0", "d1"]
    assert "nothing was asked" in words(after)
