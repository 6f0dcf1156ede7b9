"""Overload, deadlines, clients that leave, and what metrics say of it."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from rerank_lab.rerankers.base import Work
from rerank_lab.server.limits import RequestLimits
from tests.server.conftest import QUERY, TEXTS, MakeClient, listening, metric, wait_for

BODY = {"query": QUERY, "documents": TEXTS}


def test_overload_gives_429_and_nothing_else(home: Path, gate: threading.Event) -> None:
    with listening(home, workers=1, waiting=2) as address:
        with ThreadPoolExecutor(12) as clients:
            jobs = [
                clients.submit(httpx.post, f"{address}/v2/rerank", json=BODY, timeout=20)
                for _ in range(12)
            ]
            wait_for(lambda: sum(job.done() for job in jobs) == 9)
            assert httpx.get(f"{address}/ready").status_code == 503
            assert httpx.get(f"{address}/health").status_code == 200
            assert metric(address, "rerank_lab_queue_depth ") == "3"
            gate.set()
        answers = [job.result() for job in jobs]
        assert Counter(answer.status_code for answer in answers) == {429: 9, 200: 3}
        refused = [answer for answer in answers if answer.status_code == 429]
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
        assert "queue of this server is full (3 requests)" in refused[0].json()["message"]
        requests = 'rerank_lab_requests_total{route="/v2/rerank",status='
        assert metric(address, f'{requests}"429"}}') == "9"
        assert metric(address, f'{requests}"200"}}') == "3"
        assert metric(address, 'rerank_lab_request_seconds_count{route="/v2/rerank"}') == "12"
        assert metric(address, "rerank_lab_documents_total") == "9"
        assert metric(address, "rerank_lab_queue_depth ") == "0"


def test_what_takes_too_long_is_504_and_makes_room(
    client: MakeClient, gate: threading.Event
) -> None:
    api = client(workers=1, waiting=1, limits=RequestLimits(deadline_s=0.1))
    assert [api.post("/v2/rerank", json=BODY).status_code for _ in range(3)] == [504, 504, 504]
    gate.set()
    assert api.post("/v2/rerank", json=BODY).status_code == 200


def test_a_request_that_is_given_up_gives_its_place_back_at_once(
    client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its model is in the middle of a batch, and does not look whether anybody waits."""
    batch_ends, batches = threading.Event(), []

    def score(_: object, query: str, texts: list[str], work: Work) -> list[float]:
        batches.append(texts)
        if len(batches) == 1:
            batch_ends.wait(20)
        return [0.5 for _ in texts]

    monkeypatch.setattr("rerank_lab.rerankers.rules.overlap.Overlap.score", score)
    api = client(workers=1, waiting=0, limits=RequestLimits(deadline_s=0.5))
    assert api.post("/v2/rerank", json=BODY).status_code == 504
    assert api.get("/ready").status_code == 200
    assert api.post("/v2/rerank", json=BODY).status_code == 200
    batch_ends.set()


def test_parts_of_the_time_add_up_to_no_more_than_the_whole(home: Path) -> None:
    with listening(home, workers=2, waiting=20) as address, ThreadPoolExecutor(8) as clients:
        jobs = [clients.submit(httpx.post, f"{address}/v2/rerank", json=BODY) for _ in range(16)]
        for job in jobs:
            times = job.result().headers
            parts = [
                float(times[f"x-{part}-time"]) for part in ("queue", "tokenization", "inference")
            ]
            assert sum(parts) <= float(times["x-total-time"]) + 0.2  # each is rounded


def test_open_connections_are_counted(home: Path) -> None:
    with listening(home) as address:
        before = int(metric(address, "rerank_lab_connections "))
        url = httpx.URL(address)
        with socket.create_connection((url.host, url.port)):
            wait_for(lambda: int(metric(address, "rerank_lab_connections ")) > before)
        assert int(metric(address, "rerank_lab_connections_limit ")) > before


def test_work_stops_when_the_client_leaves(home: Path, gate: threading.Event) -> None:
    with listening(home, workers=1, waiting=1) as address:
        host, port = address.removeprefix("http://").split(":")
        body = b'{"query": "pump", "documents": ["a pump"]}'
        head = f"POST /v2/rerank HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
            wait_for(lambda: metric(address, "rerank_lab_queue_depth ") == "1")
        wait_for(lambda: metric(address, "rerank_lab_queue_depth ") == "0")
        assert not gate.is_set()


def test_an_answer_does_not_wait_for_an_acknowledgement(home: Path) -> None:
    with listening(home) as address, httpx.Client() as connection:
        seconds = []
        for _ in range(15):
            start = time.perf_counter()
            assert connection.get(f"{address}/health").status_code == 200
            seconds.append(time.perf_counter() - start)
    assert min(seconds[5:]) < 0.03


def test_a_server_that_is_asked_to_end_finishes_what_it_took(
    home: Path, gate: threading.Event
) -> None:
    with ThreadPoolExecutor(1) as clients:
        with listening(home) as address:
            job = clients.submit(httpx.post, f"{address}/v2/rerank", json=BODY, timeout=20)
            wait_for(lambda: metric(address, "rerank_lab_queue_depth ") == "1")
            threading.Timer(0.2, gate.set).start()
        assert job.result().status_code == 200
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{address}/health")


def test_metrics_count_by_route_and_not_by_what_a_client_wrote(client: MakeClient) -> None:
    api = client()
    assert api.get("/no/such").json() == {"message": "Not Found"}
    assert api.get("/v2/rerank").status_code == 405
    text = api.get("/metrics").text
    assert 'rerank_lab_requests_total{route="other",status="404"} 1' in text
    assert "such" not in text
