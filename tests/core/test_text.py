"""Texts that no file, page or terminal can carry are made such that they can."""

from __future__ import annotations

import json

import pytest

from rerank_lab.core.context import Response
from rerank_lab.core.errors import LabError
from rerank_lab.core.text import encodable, load_json
from rerank_lab.remote.responses import completion

HALVES = ("\ud83d", "\ude00", "\ud800")


def test_half_characters_are_joined_or_replaced() -> None:
    assert encodable("a\ud83d\ude00b") == "a😀b"
    assert encodable("a\ud83db") == "a\ufffdb"
    assert encodable("日本 é") == "日本 é"


def test_an_error_can_always_be_printed() -> None:
    error = LabError("no \ud800", hint="do \ud800", details="\ud800")
    assert f"{error}{error.details}".encode()


def test_an_answer_with_half_a_character_can_be_shown() -> None:
    events = [
        {"choices": [{"delta": {"content": half}}]} for half in ("\ud83d", "\ude00", "\ud800")
    ]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    assert completion(Response(200, {}, body), "host").text == "😀\ufffd"


@pytest.mark.parametrize("text", ["[" * 100_000, "{", b"\xff"])
def test_json_that_is_none_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        load_json(text)
