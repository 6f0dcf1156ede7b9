"""Pages driven without a browser: opened through the frame, with caches that belong to the test."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from rerank_lab.pipeline.engine import default_engine
from tests.ui.compare.card_columns import all_cards_html

# Every run of a page in these tests has a runtime of its own, which reads what each installed
# package says of itself, to look for components. Once is enough: packages stay while tests run.
manifest_scanner.scan_component_manifests = functools.cache(
    manifest_scanner.scan_component_manifests
)

FRAME = Path(__file__).resolve().parents[2] / "pages" / "_frame.py"


def fresh() -> Iterator[None]:
    """Engine, jobs and opened corpora of this test alone."""
    st.cache_resource.clear()
    default_engine.cache_clear()
    yield
    st.cache_resource.clear()
    default_engine.cache_clear()


def open_page(name: str, **query: str | list[str]) -> AppTest:
    """The page of that file, drawn once, with these parameters in the URL."""
    at = AppTest.from_file(str(FRAME), default_timeout=240)
    for key, value in query.items():
        at.query_params[key] = value
    at.run()
    assert not at.exception, at.exception
    at.switch_page(f"{name}.py")
    for key, value in query.items():
        at.query_params[key] = value
    return drawn(at)


def drawn(at: AppTest) -> AppTest:
    """Run the page and make sure that nothing was raised."""
    at.run()
    assert not at.exception, at.exception
    return at


def until(at: AppTest, wanted: str, seconds: float = 60) -> AppTest:
    """Draw again and again until this text is on the page, as a polling browser does."""
    end = time.monotonic() + seconds
    while wanted not in words(at):
        assert time.monotonic() < end, f"{wanted!r} did not appear in:\n{words(at)}"
        time.sleep(0.1)
        drawn(at)
    return at


def words(at: AppTest) -> str:
    """Everything that can be read on the page, Markdown escapes taken out."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "metric", "info", "warning",
             "error", "success", "button", "code", "download_button")  # fmt: skip
    shown: list[str] = []
    for kind in kinds:
        for element in getattr(at, kind):
            shown += [str(getattr(element, "label", "")), str(getattr(element, "value", ""))]
    shown.append(unescape(re.sub("<[^>]*>", " ", all_cards_html(at))))
    return "\n".join(shown).replace("\\", "").replace("\u2060", "")
