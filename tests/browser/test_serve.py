"""The Serve page in a browser, with the API on the same port."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable

import pytest

from tests.browser.conftest import Visitor
from tests.browser.server import Server

pytestmark = pytest.mark.browser
SPEC = "bm25 >> overlap"


@pytest.fixture(scope="module")
def server(servers: Callable[..., Server]) -> Server:
    return servers(RERANK_LAB_SERVE=SPEC)


def test_the_code_on_the_page_calls_this_app_and_the_page_counts_it(
    visit: Callable[..., Visitor], server: Server
) -> None:
    visitor = visit()
    visitor.go()
    visitor.press("to_serve")
    visitor.wait_for_text("The API is on and answers.")
    visitor.wait_for_text("0 requests since the start")
    code = visitor.page.locator("[data-testid=stCode]").first.inner_text()
    assert f"{server.url}/v2/rerank" in code
    visitor.page.get_by_role("tab", name="LangChain").click()
    visitor.wait_for_text("pip install langchain-cohere")
    request = urllib.request.Request(
        f"{server.url}/v2/rerank",
        json.dumps({"query": "heat", "documents": ["cold", "heat"]}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert json.load(answer)["results"][0]["index"] == 1
    visitor.wait_for_text("1 request since the start")
    assert visitor.left == []
