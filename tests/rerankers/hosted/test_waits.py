"""What a server asks to wait, in every form, and how pauses spread."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from rerank_lab.remote import retries


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e400"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "9", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 60.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 -0000"}, 60.0),
        ({"retry-after": "Wed, 21 Oct 2015 09:28:00 +0200"}, 60.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:00:00 GMT"}, 0.0),
    ],
)
def test_what_the_server_asks_to_wait(
    headers: dict[str, str], seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        now = datetime(2015, 10, 21, 7, 27, tzinfo=UTC).timestamp()
        assert retries.retry_after(headers, now) == seconds
    finally:
        monkeypatch.undo()
        time.tzset()


def test_jitter_spreads_the_pauses() -> None:
    fault = retries.TransportError("status", status=500)
    pauses = [retries.pause_before(3, fault) for _ in range(200)]
    bound = retries.FIRST_PAUSE_S * 8
    assert max(pauses) <= bound
    assert min(pauses) < bound / 4
    assert max(pauses) > bound / 2
