"""Two processes of the app behind nginx, over one PostgreSQL and one data folder, work as one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rerank_lab.corpora import load_corpus
from rerank_lab.judging.records import JudgingPair, LabelSession
from rerank_lab.judging.store import JudgmentStore
from rerank_lab.testing.postgres_server import PostgresServer
from tests.browser.conftest import Visitor
from tests.browser.server import ROOT, Server, free_port

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
COOKIE = "rerank_lab_at"
CONF = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    log_format who '$cookie_rerank_lab_at $upstream_addr';
    access_log {folder}/access.log who;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{block}
}}
"""


@dataclass
class Proxy:
    """nginx on a port, before two processes."""

    folder: Path
    port: int
    backends: tuple[Server, Server]

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def cookie_of(self, backend: Server) -> str:
        """A value of the cookie that leads to this process."""
        for _ in range(64):
            value = uuid.uuid4().hex
            request = urllib.request.Request(
                f"{self.url}/_stcore/health", headers={"Cookie": f"{COOKIE}={value}"}
            )
            urllib.request.urlopen(request, timeout=10).close()
            if self.ports_of(value) == {backend.port}:
                return value
        raise AssertionError("no value of the cookie leads there")

    def ports_of(self, value: str) -> set[int]:
        """The processes that requests with this cookie went to."""
        ends = time.monotonic() + 5
        while time.monotonic() < ends:
            lines = (self.folder / "access.log").read_text().splitlines()
            ports = re.findall(r":(\d+)", " ".join(one for one in lines if one.startswith(value)))
            if ports:
                return set(map(int, ports))
            time.sleep(0.02)
        return set()


def documented_block(port: int, backends: tuple[Server, Server]) -> str:
    """The configuration of docs/behind-a-proxy.md, with the ports of the test."""
    page = (ROOT / "docs" / "behind-a-proxy.md").read_text("utf-8")
    match = re.search(r"```nginx\n(.*?)```", page, re.DOTALL)
    assert match is not None
    block = match[1].replace("listen 8080", f"listen 127.0.0.1:{port}")
    for documented, backend in zip(("8501", "8502"), backends, strict=True):
        block = block.replace(f"127.0.0.1:{documented}", f"127.0.0.1:{backend.port}")
    return block


@pytest.fixture
def database(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab database of the test's own, for this process and those that it starts."""
    import psycopg

    schema = f"proxy_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres.address(), autocommit=True) as connection:
        connection.execute(f"create schema {schema}")
    monkeypatch.setenv("RERANK_LAB_DATABASE", postgres.address(schema))


@pytest.fixture
def proxy(tmp_path: Path, database: None) -> Iterator[Proxy]:
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        if os.environ.get("RERANK_LAB_REQUIRE_NGINX") == "1":
            pytest.fail("no nginx here: install the package nginx-light")
        pytest.skip("no nginx here: install the package nginx-light")
    roles = tmp_path / "roles.yaml"
    roles.write_text("visitor: editor\n")
    variables = {
        "RERANK_LAB_DATABASE": os.environ["RERANK_LAB_DATABASE"],
        "RERANK_LAB_ROLES": str(roles),
        "STREAMLIT_SERVER_COOKIE_SECRET": "one-secret-for-both-of-them",
    }
    pair = (Server(tmp_path / "home", variables), Server(tmp_path / "home", variables))
    folder = tmp_path / "nginx"
    folder.mkdir()
    started: subprocess.Popen[bytes] | None = None
    try:
        for backend in pair:
            backend.start()
        port = free_port()
        user = "user root;" if os.geteuid() == 0 else ""
        block = documented_block(port, pair)
        (folder / "nginx.conf").write_text(CONF.format(user=user, folder=folder, block=block))
        command = [program, "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
        started = subprocess.Popen(command)
        ends = time.monotonic() + 10
        while not (folder / "nginx.pid").exists():
            assert started.poll() is None, (folder / "error.log").read_text()
            assert time.monotonic() < ends
            time.sleep(0.02)
        yield Proxy(folder, port, pair)
    finally:
        if started is not None:
            started.terminate()
            started.wait(10)
        for backend in pair:
            backend.stop()


def judged_by(home: Path) -> dict[str, int]:
    """How many labels each judge gave in the session of the test."""
    rows = JudgmentStore.open(home).rows("helpdesk", session_id="shared1")
    judges = [row.judge for row in rows]
    return {judge: judges.count(judge) for judge in judges}


def test_visitors_of_both_work_on_the_same_lab_and_one_process_may_end(
    browser: object, proxy: Proxy
) -> None:
    home = proxy.backends[0].home
    corpus = load_corpus("helpdesk")
    query = corpus.queries[0]
    pairs = tuple(JudgingPair(query.id, document.id) for document in corpus.documents[:20])
    JudgmentStore.open(home).save_session(
        LabelSession("shared1", "helpdesk", "", (), 0, pairs, datetime.now(UTC),
                     queries={query.id: query.text})
    )  # fmt: skip
    visitors: list[Visitor] = []
    cookies = [proxy.cookie_of(backend) for backend in proxy.backends]
    try:
        for cookie in cookies:
            visitor = Visitor(browser, Server(home, port=proxy.port))
            visitor.context.add_cookies([{"name": COOKIE, "value": cookie, "url": proxy.url}])
            visitors.append(visitor)
        ada, ben = visitors
        for visitor, judge in ((ada, "Ada"), (ben, "Ben")):
            visitor.go("label", session="shared1", judge=judge)
            visitor.key("judging").locator(".document").wait_for()
            visitor.page.wait_for_timeout(200)  # nobody reads faster
            visitor.page.keyboard.press("2")
            visitor.page.locator(".st-key-judging .saved").get_by_text("· saved").wait_for()
        assert judged_by(home) == {"Ada": 1, "Ben": 1}

        stranger = Visitor(browser, Server(home, port=proxy.port))
        visitors.append(stranger)
        stranger.go()
        (cookie,) = (one for one in stranger.context.cookies() if one["name"] == COOKIE)
        stranger.go("models")
        assert len(proxy.ports_of(cookie["value"])) == 1

        page = ada.go(q="change my phone number", p=["bm25"], show="5")
        ada.wait_for_text("Visitor · editor")  # a proxy on this machine is no seat at it
        page.locator(".st-key-save_comparison button:not([disabled])").first.click()
        ada.wait_for_text("It opens without a key")
        (kept,) = (home / "comparisons").glob("*")
        for visitor in (ben, ada):
            visitor.go(saved=kept.name.partition(".")[0])
            visitor.wait_for_text("nothing was asked")
            if visitor is ben:
                proxy.backends[0].kill()  # Ada's; she goes on where Ben is
        assert proxy.ports_of(cookies[1]) == {proxy.backends[1].port}
        assert proxy.backends[1].port in proxy.ports_of(cookies[0])
    finally:
        for visitor in visitors:
            visitor.context.close()
