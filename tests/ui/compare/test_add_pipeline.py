"""The "Add pipeline" menu, which Compare and Evaluate share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from tests.ui import pages
from tests.ui.pages import drawn, open_page


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()


def added(page: str, choice: str) -> AppTest:
    at = open_page(page, p=["bm25"])
    at.menu_button(key="add").click(choice).run()
    assert not at.exception, at.exception
    return at


@pytest.mark.parametrize("page", ["compare", "evaluate"])
def test_a_pipeline_of_ones_own_is_written_in_the_editor(page: str) -> None:
    at = added(page, "Write your own…")
    at.text_area(key="editor_text").set_value("bm25(k1=0.9)").run()
    at.button(key="editor_use").click().run()
    assert drawn(at).session_state["p"] == ["bm25", "bm25(k1=0.9)"]


@pytest.mark.parametrize("page", ["compare", "evaluate"])
def test_a_preset_is_added_from_the_menu(page: str) -> None:
    at = added(page, "bm25 >> ms-marco-minilm-l12")
    assert at.session_state["p"] == ["bm25", "bm25 >> ms-marco-minilm-l12"]


def test_a_second_opinion_is_fused_in_the_editor() -> None:
    at = added("compare", "Write your own…")
    at.segmented_control(key="editor_group").set_value("Rules, no model").run()
    fuse = next(box for box in at.selectbox if box.label == "Fuse the last reranker with")
    fuse.set_value("overlap").run()
    assert at.text_area(key="editor_text").value == "bm25 >> rrf(ms-marco-minilm-l12,overlap)"
    labels = [box.label for box in at.number_input]
    assert "Rank constant k" in labels
    fuse = next(box for box in at.selectbox if box.label == "Fuse the last reranker with")
    fuse.set_value("identity").run()
    at.button(key="editor_use").click().run()
    assert drawn(at).session_state["p"][1] == ("bm25 >> rrf(ms-marco-minilm-l12,overlap,identity)")
