"""The three local families: order on real models, traces, truncation, options."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, ModelUnavailable
from rerank_lab.core.types import Document, Query, Status
from rerank_lab.rerankers.local.bi_encoder import BiEncoderReranker
from rerank_lab.rerankers.local.cross_encoder import CrossEncoderReranker
from rerank_lab.rerankers.local.late_interaction import LateInteractionReranker, maxsim

QUERY = Query.of("How many people live in Berlin?")
DOCS = [
    Document("museums", "Berlin is well known for its museums."),
    Document("new-york", "New York City is famous for the Metropolitan Museum of Art."),
    Document(
        "answer",
        "Berlin has a population of 3,520,031 registered inhabitants in an area of "
        "891.82 square kilometers.",
    ),
]


@pytest.mark.models
@pytest.mark.parametrize(
    ("family", "scale"),
    [
        (CrossEncoderReranker, "logit"),
        (BiEncoderReranker, "cosine"),
        (LateInteractionReranker, "maxsim"),
    ],
)
def test_the_answer_comes_first_and_the_trace_tells_what_happened(
    family: type[CrossEncoderReranker], scale: str
) -> None:
    result = family().rerank(QUERY, DOCS, Context())
    assert result.ranking.doc_ids == ("answer", "museums", "new-york")
    assert result.ranking.scale == scale
    assert result.status is Status.OK
    assert result.trace.backend == "onnx int8"
    assert result.trace.tokens_in > 30
    assert result.trace.documents == 3
    assert result.trace.model_served == family().options["model"]


@pytest.mark.models
@pytest.mark.parametrize(
    "family", [CrossEncoderReranker, BiEncoderReranker, LateInteractionReranker]
)
def test_a_document_that_does_not_fit_is_marked(family: type[CrossEncoderReranker]) -> None:
    long = Document("long", "Berlin is a city. " * 400)
    result = family(max_length=64).rerank(QUERY, [*DOCS[:1], long], Context())
    assert result.status is Status.TRUNCATED
    assert result.trace.truncated == 1


@pytest.mark.models
def test_fingerprints_follow_model_and_length_but_not_batches() -> None:
    plain = CrossEncoderReranker()
    before = plain.fingerprint()
    plain.load(Context())
    assert plain.fingerprint() == before
    assert CrossEncoderReranker(batch_tokens=512).fingerprint() == before
    assert CrossEncoderReranker(top=10).fingerprint() == before
    assert CrossEncoderReranker(max_length=128).fingerprint() != before
    assert CrossEncoderReranker(device="cpu").fingerprint() != before


@pytest.mark.models
def test_the_known_limits_of_a_model_are_shown_with_its_results() -> None:
    reranker = LateInteractionReranker()
    reranker.load(Context())
    assert reranker.note == "no projection"


def test_options_are_checked_with_every_problem_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        CrossEncoderReranker(device="tpu", max_length=-1)
    assert len(caught.value.problems) == 2


def test_an_unknown_model_is_unavailable_with_what_can_be_used() -> None:
    with pytest.raises(ModelUnavailable) as caught:
        CrossEncoderReranker(model="no-such-model").rerank(QUERY, DOCS, Context())
    assert "Usable now" in caught.value.hint


ROWS = st.integers(0, 5)


@given(st.integers(1, 5), st.lists(ROWS, min_size=1, max_size=6), st.integers(0, 99))
def test_maxsim_is_the_sum_of_best_matches(asked: int, sizes: list[int], seed: int) -> None:
    chance = np.random.default_rng(seed)
    query = chance.standard_normal((asked, 4)).astype(np.float32)
    documents = [chance.standard_normal((size, 4)).astype(np.float32) for size in sizes]
    slow = [
        sum(max(float(q @ d) for d in document) for q in query) if len(document) else 0.0
        for document in documents
    ]
    np.testing.assert_allclose(maxsim(query, documents), slow, atol=1e-4)
