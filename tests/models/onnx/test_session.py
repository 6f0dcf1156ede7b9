"""The carried graphs: known scores, independence of the batch, cancel, threads."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rerank_lab.core.context import CancelToken, Context, Progress
from rerank_lab.core.errors import Cancelled, ModelUnavailable
from rerank_lab.models import (
    Scorer,
    Usage,
    loaded_models,
    open_encoder,
    open_scorer,
    open_token_encoder,
)
from rerank_lab.models.runtime.device import has_int8_dot_products
from rerank_lab.models.runtime.tokenizer import clipped

pytestmark = pytest.mark.models

QUERY = "How many people live in Berlin?"
KNOWN = {
    "Berlin has a population of 3,520,031 registered inhabitants in an area of "
    "891.82 square kilometers.": 9.39,
    "Berlin is well known for its museums.": -4.13,
    "New York City is famous for the Metropolitan Museum of Art.": -11.2,
}
WORDS = st.lists(
    st.sampled_from(
        ["berlin", "people", "live", "museum", "3,520,031", "🙂", "東京", "the", "of", "!"]
    ),
    max_size=60,
)


@cache
def scorer() -> Scorer:
    return open_scorer("ms-marco-minilm-l12", Context())


def test_known_scores_hold() -> None:
    scores = scorer().score(QUERY, list(KNOWN), Context())
    # Without int8 dot products the processor itself rounds the carried int8 graph differently.
    atol = 0.02 if has_int8_dot_products() else 0.3
    np.testing.assert_allclose(scores, list(KNOWN.values()), atol=atol)


@settings(max_examples=15)
@given(st.lists(WORDS, min_size=1, max_size=8), st.integers(0, 1000))
def test_a_score_depends_on_its_own_text_only(texts: list[list[str]], seed: int) -> None:
    joined = [" ".join(words) for words in texts]
    alone = {text: scorer().score(QUERY, [text], Context())[0] for text in joined}
    company = [*joined, *KNOWN]
    random.Random(seed).shuffle(company)
    together = scorer().score(QUERY, company, Context())
    for text, score in zip(company, together, strict=True):
        assert score == alone.get(text, score)


def test_eight_threads_at_once_get_the_scores_of_one() -> None:
    expected = scorer().score(QUERY, list(KNOWN), Context())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: scorer().score(QUERY, list(KNOWN), Context()), range(8)))
    assert all(answer == expected for answer in answers)


def test_cancel_is_heard_while_scoring() -> None:
    token = CancelToken()
    done: list[int] = []

    def cancel(progress: Progress) -> None:
        done.append(progress.done)
        token.cancel()

    with pytest.raises(Cancelled):
        scorer().score(QUERY, list(KNOWN) * 200, Context(cancel=token, progress=cancel))
    assert done
    assert done[-1] < 600


def test_long_texts_are_cut_and_named() -> None:
    usage = Usage()
    scorer().score(QUERY, ["museum " * 2000, "museum"], Context(), usage)
    assert usage.truncated == {0}
    assert 512 < usage.tokens < 600
    assert usage.backend == "onnx int8"


def test_a_query_longer_than_the_model_reads_is_scored() -> None:
    assert np.isfinite(scorer().score("why " * 3000, ["because", "x " * 3000], Context())).all()


def test_loaded_models_are_listed() -> None:
    scorer().load(Context())
    row = next(r for r in loaded_models() if r.name == "ms-marco-minilm-l12")
    assert not row.in_use
    assert row.size > 30_000_000


def test_a_handle_outlives_the_unloading_of_its_model() -> None:
    before = scorer().score(QUERY, list(KNOWN), Context())
    assert scorer().unload()
    usage = Usage()
    assert scorer().score(QUERY, list(KNOWN), Context(), usage) == before
    assert usage.load_s > 0


def test_bge_vectors_have_length_one_and_use_the_query_prefix() -> None:
    encoder = open_encoder("bge-small-en", Context())
    as_query = encoder.encode([QUERY], "query", Context())
    as_passage = encoder.encode([QUERY], "passage", Context())
    spelled = encoder.encode([encoder.plan.query_prefix + QUERY], "passage", Context())
    assert as_query.shape == (1, encoder.dimension) == (1, 384)
    assert as_query.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(as_query, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(as_query, spelled, atol=1e-6)
    assert not np.allclose(as_query, as_passage, atol=1e-3)
    assert encoder.encode([], "query", Context()).shape == (0, 384)


def test_colbert_marks_queries_and_documents_and_drops_punctuation() -> None:
    encoder = open_token_encoder("colbert-small-encoder", Context())
    assert encoder.note == "no projection"
    plain = encoder.encode(["Berlin museums"], "passage", Context())[0]
    dotted = encoder.encode(["Berlin, museums!"], "passage", Context())[0]
    asked = encoder.encode(["Berlin, museums!"], "query", Context())[0]
    assert len(plain) == len(dotted) == len(asked) - 2
    np.testing.assert_allclose(np.linalg.norm(asked, axis=1), 1, atol=1e-5)


def test_a_graph_of_embeddings_is_refused_as_cross_encoder() -> None:
    with pytest.raises(ModelUnavailable, match="not a cross-encoder"):
        open_scorer("bge-small-en", Context())
    with pytest.raises(ModelUnavailable, match="relevance score"):
        open_scorer("colbert-small-encoder", Context())


def test_lone_surrogates_and_very_long_texts_reach_no_tokenizer() -> None:
    text, cut = clipped("a\ud83d" + "b" * 100_000, 512)
    assert text.startswith("a?")
    assert cut
    assert len(text) < 100_000
