"""Long commands are bounded where they ask a provider: in time, and in money without a price."""

from __future__ import annotations

import json
import time

import pytest

from rerank_lab.cli import main
from rerank_lab.remote.urls import ALLOW_PRIVATE
from rerank_lab.testing.chat_server import FakeChat
from tests.remote.raw_server import RawServer, reply


@pytest.fixture(autouse=True)
def _private(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOW_PRIVATE, "1")


COMMANDS = {
    "rank": ("rank", "helpdesk", "weekly emails"),
    "evaluate": ("evaluate", "helpdesk", "--limit", "1"),
    "calibrate": ("calibrate", "helpdesk", "--limit", "10"),
    "train": ("train", "helpdesk", "--limit", "10", "--name", "mine"),
}


def pipeline(command: str, stage: str) -> str:
    return f"bm25(k=20) >> ltr({stage})" if command == "train" else f"bm25(k=20) >> {stage}"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_dripping_provider_is_given_up_after_the_time_allowed_for_a_query(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with RawServer([bytes([byte]) for byte in reply(b" " * 4000)], pause_s=0.02) as server:
        spec = pipeline(command, f'tei(base_url="{server.url}")')
        start = time.monotonic()
        code = main([*COMMANDS[command], "-p", spec, "--timeout", "0.2", "--json"])
        assert time.monotonic() - start < 20  # by itself such a call ends after 30 s
    assert code == 2
    assert json.loads(capsys.readouterr().err.splitlines()[-1])["error"] == "deadline_exceeded"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_spend_limit_is_not_passed_by_a_model_of_unknown_price_on_this_machine(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeChat(lambda _: "[1]") as server:
        spec = pipeline(command, f'listwise(base_url="{server.url}",model="gateway")')
        code = main([*COMMANDS[command], "-p", spec, "--spend-limit", "1", "--json"])
        assert not server.requests
    assert code == 2
    error = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert error["error"] == "spend_limit"
    assert "price of gateway at 127.0.0.1" in error["message"]
    assert "price_in=... and price_out=..." in error["hint"]
