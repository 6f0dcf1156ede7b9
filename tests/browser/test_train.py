"""Training in a real browser: train, read the answer after a reload, use the model in Compare."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.conftest import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.models, pytest.mark.timeout(240)]

Visit = Callable[..., Visitor]


def test_a_model_is_trained_and_used_in_compare(visit: Visit) -> None:
    visitor = visit()
    page = visitor.go("train", corpus="helpdesk", p=["bm25"])
    visitor.wait_for_text("Can these signals together")
    visitor.press("train")
    page.wait_for_url("**model=helpdesk-ltr**")
    page.reload()
    visitor.key("train_top").get_by_text("60 queries that it did not see").wait_for(timeout=120_000)
    visitor.key("train_importances").get_by_text("dense share").wait_for()
    visitor.press("train_compare")
    page.locator(".st-key-q input").fill("stop the weekly email")
    page.locator(".st-key-q input").press("Enter")
    column = visitor.key("col_1")
    column.locator("[class*='st-key-title_'] button").first.wait_for(timeout=60_000)
    assert "ltr(bm25,dense,overlap)" in column.inner_text()
    assert "lambdamart" in column.inner_text()


def test_the_train_page_does_not_scroll_sideways_at_800_pixels(visit: Visit) -> None:
    visitor = visit(width=800)
    page = visitor.go("train", corpus="helpdesk")
    visitor.wait_for_text("Signals")
    page.wait_for_timeout(1500)
    main = "document.querySelector('[data-testid=stMain]')"
    assert page.evaluate(f"{main}.scrollWidth - {main}.clientWidth") <= 0
    assert visitor.left == []
