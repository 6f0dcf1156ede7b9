"""Columns of hosted rerankers on the Compare page, against a real server in a provider's format."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from rerank_lab.core.spend import SpendMeter
from rerank_lab.remote.urls import ALLOW_PRIVATE
from rerank_lab.services.health import HealthRequest
from rerank_lab.testing.provider_servers import KEY, FakeProvider, Switch
from rerank_lab.ui.shared import resources
from tests.named_key import NamedKey
from tests.ui import pages
from tests.ui.compare.test_page import Q, html, settled, titles
from tests.ui.pages import FRAME, drawn, until, words

VARIABLE = "COHERE_API_KEY"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")
    monkeypatch.delenv(VARIABLE, raising=False)
    yield from pages.fresh()


@pytest.fixture
def server() -> Iterator[FakeProvider]:
    with FakeProvider("cohere") as found:
        yield found


def asked(server: FakeProvider, key: str = "", **more: str) -> AppTest:
    """A session with that key that compares BM25 with the provider."""
    at = AppTest.from_file(str(FRAME), default_timeout=240)
    at.query_params["q"] = Q
    at.query_params["p"] = ["bm25", f'bm25 >> cohere(base_url="{server.url}",top=20)']
    if key:
        at.session_state["session_keys"] = {VARIABLE: key}
    return drawn(at)


def test_a_column_is_answered_with_the_key_of_the_session(server: FakeProvider) -> None:
    at = settled(asked(server, KEY))
    assert len(titles(at, 1)) == 10, words(at)
    shown = html(at)
    assert "1 request · " in shown
    assert "1 search unit · price not known" in shown
    assert KEY not in shown + words(at) + str(dict(at.query_params))


def test_without_a_key_the_column_says_what_to_do_and_runs_once_there_is_one(
    server: FakeProvider,
) -> None:
    at = settled(asked(server))
    assert VARIABLE in words(at)
    assert titles(at, 1) == []
    at.session_state["session_keys"] = {VARIABLE: KEY}
    at.session_state["session_keys_version"] = 1
    settled(drawn(at))
    assert len(titles(at, 1)) == 10


def test_the_key_of_one_visitor_serves_no_other(server: FakeProvider) -> None:
    server.always = Switch(delay_s=1.0)
    first, second = asked(server, KEY), asked(server)
    settled(first)
    settled(second)
    theirs = [job for job in resources.jobs().jobs() if "cohere" in job.name]
    assert len([job for job in theirs if not isinstance(job.key, HealthRequest)]) == 2
    assert all(job.ctx.secrets == {} for job in theirs)


def test_while_a_provider_is_asked_its_column_says_what_that_takes(server: FakeProvider) -> None:
    server.always = Switch(delay_s=2.0)
    at = until(asked(server, KEY), "1 request, about 1 search unit, price not known")
    until(at, "asking Cohere")
    settled(at)


def test_cancelling_here_leaves_the_same_job_to_others() -> None:
    free = threading.Event()
    resources.jobs().submit(NamedKey("busy"), lambda ctx: free.wait(60), lane="cpu")
    try:
        visits = []
        for _ in range(2):
            at = AppTest.from_file(str(FRAME), default_timeout=240)
            at.query_params["q"] = Q
            at.query_params["p"] = ["bm25 >> overlap"]
            visits.append(drawn(at))
        visits[0].button(key="stop_0").click().run()
        assert "Cancelled" in words(visits[0])
        assert "Cancelled" not in words(drawn(visits[1]))
        job = next(j for j in resources.jobs().jobs() if j.name == "bm25 >> overlap")
        assert not job.token.cancelled
    finally:
        free.set()
    assert len(titles(settled(visits[1]), 0)) == 10
    assert "Cancelled" in words(drawn(visits[0]))


def test_the_cancel_at_the_side_leaves_the_same_job_to_others_too() -> None:
    free = threading.Event()
    resources.jobs().submit(NamedKey("busy"), lambda ctx: free.wait(60), lane="cpu")
    try:
        visits = []
        for _ in range(2):
            at = AppTest.from_file(str(FRAME), default_timeout=240)
            at.query_params["q"] = Q
            at.query_params["p"] = ["bm25 >> overlap"]
            visits.append(drawn(at))
        stop = next(b for b in visits[0].button if "Cancel bm25 >> overlap" in plain(b.label))
        stop.click().run()
        assert "Cancelled" in words(visits[0])
        assert "stopping, unless another visitor waits for it" in words(visits[0])
        assert not any("Cancel bm25" in plain(b.label) for b in visits[0].button)
        assert "Cancelled" not in words(drawn(visits[1]))
    finally:
        free.set()
    assert len(titles(settled(visits[1]), 0)) == 10


def plain(label: str) -> str:
    return label.replace("\\", "").replace("\u2060", "")


def test_the_editor_tells_what_a_query_would_take(server: FakeProvider) -> None:
    at = settled(asked(server))
    at.button(key="edit_1").click().run()
    assert "up to 1 request, about 1 search unit, price not known" in words(at)
    assert server.requests == []


def test_the_limit_of_the_session_stops_its_columns(server: FakeProvider) -> None:
    at = AppTest.from_file(str(FRAME), default_timeout=240)
    at.session_state["session_keys"] = {VARIABLE: KEY}
    at.session_state["spend_meter"] = SpendMeter(limit=0.001)
    at.query_params["q"] = Q
    at.query_params["p"] = ["bm25", f'bm25 >> cohere(base_url="{server.url}",price=0.002)']
    settled(drawn(at))
    assert "spent or in flight" in words(at)
    assert server.requests == []
