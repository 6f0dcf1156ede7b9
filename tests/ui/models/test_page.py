"""The Models page: what runs here, what does not and why, broken plugins, health."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rerank_lab.components.catalogue import catalogue
from tests.ui import pages
from tests.ui.pages import open_page, words


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield from pages.fresh()


def test_every_model_is_listed_with_its_state() -> None:
    at = open_page("models")
    table = at.dataframe[0].value
    assert set(table["Name"]) == set(catalogue())
    assert set(table["State"]) <= {"In memory", "Ready", "To download", "Not here"}
    assert f"of {len(catalogue())} models" in words(at)


def test_the_role_in_the_link_narrows_the_table() -> None:
    table = open_page("models", role="First stages").dataframe[0].value
    assert all("first stage" in use for use in table["Use"])
    assert 0 < len(table) < len(catalogue())


def test_installed_components_are_listed() -> None:
    at = open_page("models")
    names = set(at.dataframe[-1].value["Name"])
    assert {"bm25", "rrf", "cross-encoder", "identity"} <= names


@pytest.mark.usefixtures("plugin")
def test_a_broken_plugin_is_a_red_row_with_its_traceback() -> None:
    at = open_page("models")
    shown = words(at)
    assert "cannot be loaded" in shown
    assert "ThereIsNoSuchName" in shown
    assert "Traceback" in shown
    assert "by-length" in set(at.dataframe[-1].value["Name"])


def test_memory_is_told_even_when_empty() -> None:
    assert "they may use" in words(open_page("models"))


@pytest.mark.models
def test_a_model_with_its_weights_is_ready() -> None:
    table = open_page("models").dataframe[0].value
    states = dict(zip(table["Name"], table["State"], strict=True))
    assert states["ms-marco-minilm-l12"] in ("Ready", "In memory")
