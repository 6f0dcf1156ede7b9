"""The document that a judgment is about, whole again, and the hash that says it has changed."""

from __future__ import annotations

import pytest

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.types import Document
from rerank_lab.corpora import Corpus, PassageOptions, cut_passages

LONG = Document("d1", " ".join(f"Sentence number {i} says little." for i in range(60)), "A title")


def test_a_document_that_was_cut_is_whole_again_and_hashes_as_before_it_was_cut() -> None:
    short = Document("d2", "One line.")
    passages = cut_passages([LONG, short], PassageOptions(40, 8))
    cut = Corpus("cut", tuple(passages))
    assert len(passages) > 3
    assert cut.whole_document("d1").content == LONG.content
    assert cut.document_hash("d1") == LONG.content_hash
    assert cut.document_hash("d2") == short.content_hash


def test_passages_of_the_users_own_are_joined_in_their_order() -> None:
    parts = (Document("p1", "First.", "T", parent="d"), Document("p2", "Second.", parent="d"))
    whole = Corpus("own", parts).whole_document("d")
    assert (whole.id, whole.title, whole.text) == ("d", "T", "First.\n\nSecond.")


def test_an_id_that_is_not_there_has_no_hash_and_a_hint() -> None:
    corpus = Corpus("c", (LONG,))
    assert corpus.document_hash("gone") == ""
    with pytest.raises(InvalidInput):
        corpus.whole_document("gone")
