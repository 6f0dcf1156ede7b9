"""How candidates are cut into requests: every text once, within every limit."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.core.errors import InvalidInput
from rerank_lab.remote.providers import ProviderLimits
from rerank_lab.rerankers.hosted.split import estimated_tokens, sendable, split

TEXT = st.text(max_size=100)
LIMITS = st.builds(
    ProviderLimits,
    documents=st.integers(1, 60),
    tokens=st.integers(0, 400) | st.just(0),
    bytes=st.integers(4000, 6000),
)


@given(TEXT, st.lists(TEXT, max_size=60), LIMITS)
def test_batches_cover_every_text_once_and_keep_to_the_limits(
    query: str, texts: list[str], limits: ProviderLimits
) -> None:
    batches = split(query, texts, limits, "X")
    assert [i for b in batches for i in range(b.start, b.end)] == list(range(len(texts)))
    for batch in batches:
        part = [sendable(text) for text in texts[batch.start : batch.end]]
        assert 1 <= len(part) <= limits.documents
        tokens = estimated_tokens(query) * len(part) + sum(map(estimated_tokens, part))
        assert not limits.tokens or len(part) == 1 or tokens <= limits.tokens + 2 * len(part)
        body = {"model": "m" * 60, "query": sendable(query), "documents": part}
        assert len(json.dumps(body, ensure_ascii=False).encode()) <= limits.bytes


def test_requests_stay_under_the_byte_limit_as_json_writes_them() -> None:
    texts = ['line\n"quoted" \u00e9 \x01' * 12 for _ in range(50)]
    batches = split("query", texts, ProviderLimits(documents=1000, bytes=5000), "X")
    assert len(batches) > 1
    for batch in batches:
        body = {"query": "query", "documents": texts[batch.start : batch.end]}
        assert len(json.dumps(body, ensure_ascii=False).encode()) <= 5000


def test_a_text_over_the_byte_limit_is_refused_by_number() -> None:
    with pytest.raises(InvalidInput, match="Candidate 2 has"):
        split("q", ["fits", "x" * 5000], ProviderLimits(bytes=3000), "TEI")


def test_one_text_over_the_token_limit_goes_alone() -> None:
    sizes = [
        b.documents for b in split("q", ["a", "b " * 900, "c"], ProviderLimits(tokens=100), "X")
    ]
    assert sizes == [1, 1, 1]


@given(st.text())
def test_what_is_sent_can_be_written_as_json_and_is_never_blank(text: str) -> None:
    sent = sendable(text + "\ud800")
    assert sent.encode()
    assert sendable(text).strip()
