"""A real browser and real servers, one of each for the module, and the log when a test fails."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from tests.browser.server import Server

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
_DEFAULT = "/usr/bin/chromium"


def chromium() -> str:
    """The browser's path: `CHROMIUM`, Debian's place, or whatever is on the path; "" for none."""
    given = os.environ.get("CHROMIUM") or (_DEFAULT if Path(_DEFAULT).exists() else "")
    return given or shutil.which("chromium") or ""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api")
    path = chromium()
    if not path or not Path(path).exists():
        reason = "no Chromium here: install it, or name its path in CHROMIUM"
        if os.environ.get("RERANK_LAB_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield started
        started.close()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Makes servers with data folders of their own; all are stopped at the end."""
    made: list[Server] = []

    def start(*options: str, home: Path | None = None, **variables: str) -> Server:
        home = home or tmp_path_factory.mktemp("browser") / "home"
        server = Server(home, variables=variables, options=options)
        made.append(server)
        server.start()
        return server

    yield start
    for server in made:
        server.stop()


@pytest.fixture(scope="module")
def server(servers: Callable[..., Server]) -> Server:
    """The server that most tests share."""
    return servers()


class Visitor:
    """One browser context: a person with a tab. `left` lists requests that went elsewhere."""

    def __init__(self, browser: Any, server: Server, width: int = 1440) -> None:
        self.server = server
        self.context = browser.new_context(viewport={"width": width, "height": 1000})
        self.page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.dialogs: list[str] = []
        self.left: list[str] = []
        self.page.on("dialog", self._dialog)
        self.page.on("request", self._request)

    def _dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _request(self, request: Any) -> None:
        host = urlsplit(request.url).hostname
        if host not in ("localhost", "127.0.0.1", None):
            self.left.append(request.url)

    def go(self, page: str = "", **query: str | list[str]) -> Any:
        """Open a page of the app and wait until its frame is drawn."""
        self.open(page, **query)
        self.page.locator(".st-key-corpus").wait_for()
        return self.page

    def open(self, page: str = "", **query: str | list[str]) -> None:
        """Go to a page of the app, whose frame a narrow window may hide."""
        link = f"{self.server.url}/{page}" + (f"?{urlencode(query, doseq=True)}" if query else "")
        self.page.goto(link)

    def key(self, name: str) -> Any:
        """What has that key, whole."""
        return self.page.locator(f".st-key-{name}")

    def press(self, name: str) -> None:
        self.key(name).locator("button").first.click()

    def wait_for_text(self, text: str, seconds: float = 30) -> None:
        self.page.get_by_text(text).first.wait_for(timeout=seconds * 1000)


@pytest.fixture
def visit(browser: Any, server: Server) -> Iterator[Callable[..., Visitor]]:
    """Opens visitors on the shared server (or another one) and sees them out."""
    visitors: list[Visitor] = []

    def open_visitor(at: Server | None = None, width: int = 1440) -> Visitor:
        visitor = Visitor(browser, at or server, width)
        visitors.append(visitor)
        return visitor

    yield open_visitor
    for visitor in visitors:
        visitor.context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    if report.when == "call" and report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, Server):
                report.sections.append(("server log", value.tail()))
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser on a busy machine may time out: then once more, and only then."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=["TimeoutError"]))
