"""The API beside another application's own routes."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from rerank_lab.core.errors import BackendError, InvalidInput
from rerank_lab.jobs.guests import LaneGuests
from rerank_lab.jobs.table import JobTable
from rerank_lab.pipeline.engine import Engine
from rerank_lab.server.mounting import ServerSettings, mounted_api
from tests.named_key import NamedKey
from tests.server.conftest import QUERY, SPECS, TEXTS


def application(home: Path, **settings: object) -> Starlette:
    mounted = mounted_api(SPECS, engine=Engine(home), settings=ServerSettings(**settings))
    page = Route("/page", lambda _: PlainTextResponse("a page"))
    return Starlette(routes=[*mounted.routes, page], lifespan=mounted.lifespan)


def test_routes_of_both_are_answered_and_models_load_meanwhile(home: Path) -> None:
    with TestClient(application(home)) as client:
        assert client.get("/page").text == "a page"
        body = {"query": QUERY, "documents": TEXTS}
        assert client.post("/v2/rerank", json=body).json()["model"] == "words"
        ends = time.monotonic() + 10
        while client.get("/ready").status_code != 200:
            assert time.monotonic() < ends


def test_ready_says_why_a_model_could_not_be_loaded(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise BackendError("The weights are broken.", hint="Fetch them again.")

    monkeypatch.setattr("rerank_lab.rerankers.rules.overlap.Overlap.score", fail)
    with TestClient(application(home)) as client:
        ends = time.monotonic() + 10
        while client.get("/ready").json()["status"] == "loading":
            assert time.monotonic() < ends
        assert client.get("/ready").status_code == 503
        assert "weights are broken" in client.get("/ready").json()["status"]


def test_a_request_under_another_name_is_refused_at_every_route(home: Path) -> None:
    with TestClient(application(home, hosts=("localhost", "[::1]"))) as client:
        for host, status in [("evil.example", 400), ("LOCALHOST:80", 200), ("[::1]:8000", 200)]:
            answer = client.get("/v1/models", headers={"host": host})
            assert answer.status_code == status
        assert client.get("/page", headers={"host": "evil.example"}).status_code == 200


def test_a_pipeline_that_cannot_answer_is_refused_at_once(home: Path) -> None:
    with pytest.raises(InvalidInput, match="no corpus"):
        mounted_api({"words": "bm25"}, engine=Engine(home))


def test_requests_and_the_applications_jobs_take_turns(home: Path) -> None:
    table, go = JobTable(), threading.Event()
    guests = LaneGuests(table)
    mounted = mounted_api(SPECS, engine=Engine(home), slots=guests.slots)
    job = table.submit(NamedKey("job"), lambda _: go.wait(10))
    with (
        TestClient(Starlette(routes=mounted.routes, lifespan=mounted.lifespan)) as client,
        ThreadPoolExecutor(1) as threads,
    ):
        body = {"query": QUERY, "documents": TEXTS}
        answer = threads.submit(client.post, "/v2/rerank", json=body)
        with pytest.raises(TimeoutError):
            answer.result(0.3)
        assert mounted.status().pending == 1
        go.set()
        assert job.wait(5)
        assert answer.result(5).json()["model"] == "words"
        # The request gave its place back.
        assert table.submit(NamedKey("next"), lambda _: "done").wait(5) == "done"
