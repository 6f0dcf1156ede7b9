"""What servers and language models answer."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from rerank_lab.core.context import Response
from rerank_lab.core.errors import LabError
from rerank_lab.remote.providers import providers
from rerank_lab.remote.responses import completion, parse_json, rerank_response
from rerank_lab.rerankers import parsing
from rerank_lab.rerankers.llm.sanitise import sanitised
from tests.fuzz.targets.base import (
    text_of,
)

REPLIES: tuple[Any, ...] = (
    {
        "results": [{"index": 0, "relevance_score": 0.5}, {"index": 1, "relevance_score": 0.25}],
        "usage": {"total_tokens": 7},
        "model": "m",
        "meta": {"billed_units": {"search_units": 1}},
    },
    {"data": [{"index": 0, "score": 0.5}, {"index": 1, "score": 1}], "usage": {"rerank_units": 1}},
    {"rankings": [{"index": 0, "logit": -3.5}, {"index": 1, "logit": 2}]},
    {"rerank": [{"index": 1, "relevance_score": 0.5}, {"index": 0, "relevance_score": 0.1}]},
    {"results": [{"index": 0, "relevanceScore": 0.1}, {"index": 1, "relevanceScore": 0.2}]},
    [{"index": 0, "score": 0.5}, {"index": 1, "score": 0.1}],
    {"error": {"message": "no"}},
)
CHATS: tuple[Any, ...] = (
    {
        "choices": [
            {
                "message": {"content": "[2] > [1]"},
                "finish_reason": "stop",
                "logprobs": {
                    "content": [
                        {
                            "token": "A",
                            "logprob": -0.1,
                            "top_logprobs": [{"token": "B", "logprob": -2}],
                        }
                    ]
                },
            }
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 4},
        "model": "m",
    },
    {"choices": [{"text": "x", "logprobs": {"text_offset": [0, 1], "token_logprobs": [None, -1]}}]},
    {"choices": [{"message": {"content": [{"type": "text", "text": "[1]"}], "refusal": None}}]},
)


def reply_seeds() -> list[bytes]:
    return [json.dumps(reply).encode() for reply in REPLIES]


def chat_seeds() -> list[bytes]:
    whole = [json.dumps(chat).encode() for chat in CHATS]
    return [*whole, b"data: " + whole[0] + b"\n\ndata: [DONE]\n", b"<html>502</html>"]


def read_reply(data: bytes, _: Path) -> None:
    """One reply, as every provider might have sent it."""
    text = data.decode("utf-8", "replace")
    refusals: list[LabError] = []
    for provider in providers().values():
        try:
            answer = rerank_response(parse_json(text, provider.title), 2, provider)
        except LabError as error:
            assert provider.title in error.message  # noqa: PT017
            refusals.append(error)
        else:
            assert all(map(math.isfinite, answer.scores))
    if refusals:
        raise refusals[0]


def read_chat(data: bytes, _: Path) -> None:
    """The reply of a chat endpoint, and the answer in it."""
    answer = completion(Response(200, {}, data.decode("utf-8", "replace")), "host")
    read_answer(answer.text.encode("utf-8", "surrogatepass"), Path())


def read_answer(data: bytes, _: Path) -> str:
    """A language model's answer, read in every form."""
    text = text_of(data)
    sanitised(text)
    for n in (1, 3, 20):
        for short in (False, True):
            order = parsing.read_order(text, n, short)
            chosen = parsing.read_selection(text, n, 1, short)
            parsing.read_label(text, n, short)
            for reading in (order, chosen):
                assert all(isinstance(i, int) for i in reading.positions), text
    return parsing.describe(parsing.read_yes_no(text).faults + order.faults)


ANSWERS = (
    b"[2] > [1] > [3]",
    b"2 > 1 > 3",
    b"1. [3]\n2. [1]",
    b'Passage A: "text"',
    b"The answer is: B",
    b"<think>maybe [1]</think>[3] > [2]",
    b"yes",
    b"No.",
    b'{"ranking": [2, 1, 3]}',
    b"[[2], [1]]",
    b'```json\n["B", "A"]\n```',
    "最も関連: [2]".encode(),
    b"None of these",
)


# Files of the lab itself and of models
