"""No reply, however odd, ends in anything but scores or a named error."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_lab.core.context import Response
from rerank_lab.core.errors import BackendError
from rerank_lab.remote.providers import ReplyMap, providers
from rerank_lab.remote.responses import completion, parse_json, rerank_response

VOYAGE = providers()["voyage"]
GOOD = [{"index": 0, "relevance_score": 0.5}, {"index": 1, "relevance_score": 0.25}]
HUGE = 10**400
ODD: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([HUGE, -HUGE, 0.5, -1, 0, 1, "0.5"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["data", "results", "index", "relevance_score", "usage", "total_tokens", "model",
                 "choices", "message", "content", "logprobs", "top_logprobs", "token", "logprob",
                 "finish_reason", "text_offset", "token_logprobs", "text", "prompt_tokens",
                 "delta", "start", "end", "relevant_spans", "meta", "warnings"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@given(ODD)
@settings(max_examples=400, deadline=None)
def test_any_json_is_scores_or_a_named_error(payload: Any) -> None:
    for provider in providers().values():
        try:
            answer = rerank_response(payload, 2, provider)
        except BackendError as error:
            assert provider.title in error.message  # noqa: PT017
            assert error.hint  # noqa: PT017
        else:
            assert all(math.isfinite(score) for score in answer.scores)


@given(ODD, ODD)
@settings(max_examples=400, deadline=None)
def test_any_answer_of_a_model_is_read_or_a_named_error(payload: Any, choice: Any) -> None:
    for body in (payload, {"choices": [choice], "usage": payload}):
        text = json.dumps(body)
        for shown in (text, f"data: {text}\n\ndata: [DONE]\n"):
            try:
                answer = completion(Response(200, {}, shown), "host")
            except BackendError as error:
                assert "host" in error.message  # noqa: PT017
            else:
                assert isinstance(answer.text, str)
                assert answer.tokens_in >= 0


@given(ODD)
@settings(max_examples=200, deadline=None)
def test_good_scores_are_not_lost_to_what_stands_beside_them(odd: Any) -> None:
    payload = {"data": GOOD, "usage": odd, "model": odd}
    payload |= {} if not isinstance(odd, dict) else {"usage": {"total_tokens": odd}}
    assert rerank_response(payload, 2, VOYAGE).scores == (0.5, 0.25)


@pytest.mark.parametrize(
    ("results", "problem"),
    [
        ([{"index": 0.5, "relevance_score": 1}], "without an index"),
        ([{"index": True, "relevance_score": 1}], "without an index"),
        ([{"index": HUGE, "relevance_score": 1}], "absurd number"),
        ([{"index": 0, "relevance_score": "0.5"}], "without a score"),
        ([{"index": 0, "relevance_score": HUGE}], "not a finite number"),
        ([{"index": 0, "relevance_score": math.inf}], "not a finite number"),
        ([None], "without an index"),
    ],
)
def test_odd_results_are_named(results: list[Any], problem: str) -> None:
    for provider in providers().values():
        named = replace(provider, reply=ReplyMap(results="data"))
        with pytest.raises(BackendError, match=problem):
            rerank_response({"data": results}, 1, named)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "", "NaN,", "9" * 10_000])
def test_text_that_is_no_json_is_called_so(text: str) -> None:
    with pytest.raises(BackendError, match="Voyage AI sent"):
        parse_json(text, "Voyage AI")


@pytest.mark.parametrize(
    "choices", [None, [], [None], ["a"], 5, [5], {"message": {}}, [[]]], ids=str
)
def test_choices_that_are_none_are_called_so(choices: Any) -> None:
    with pytest.raises(BackendError, match="holds no choices"):
        completion(Response(200, {}, json.dumps({"choices": choices})), "host")


def test_a_stream_that_nobody_asked_for_is_read() -> None:
    events = [
        {"model": "m", "choices": [{"delta": {"role": "assistant"}}]},
        {"choices": [{"delta": {"content": "[2] > "}}]},
        {"choices": [{"delta": {"content": "[1]"}, "finish_reason": "length"}]},
        {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}},
    ]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    answer = completion(Response(200, {}, body), "host")
    assert (answer.text, answer.truncated, answer.model) == ("[2] > [1]", True, "m")
    assert (answer.tokens_in, answer.tokens_out) == (7, 5)


def test_a_message_in_parts_is_put_together() -> None:
    parts = [{"type": "text", "text": "[1]"}, {"type": "image"}, {"type": "text", "text": " > [2]"}]
    body = json.dumps({"choices": [{"message": {"content": parts}}]})
    assert completion(Response(200, {}, body), "host").text == "[1] > [2]"


def test_relevant_spans_are_kept_where_they_make_sense() -> None:
    spans = [{"start": 3, "end": 9, "score": 0.5}, {"start": 9, "end": 2}, "x", {"start": None}]
    results = [{"index": 0, "relevance_score": 0.5, "relevant_spans": spans}]
    answer = rerank_response({"results": results}, 1, providers()["cohere"])
    assert [(span.start, span.end) for span in answer.spans[0]] == [(3, 9)]
