"""Scores and vectors agree with the reference library, whatever the batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rerank_lab.core.context import CancelToken, Context, Progress
from rerank_lab.core.errors import BackendError, Cancelled, ModelUnavailable
from rerank_lab.models import ModelOptions, Usage, open_encoder, open_scorer, open_token_encoder
from rerank_lab.models.probes import PROBES
from tests.models.tiny import (
    ARCHITECTURES,
    save_bi_encoder,
    save_cross_encoder,
    save_module_chain,
    save_multi_vector,
)

QUERY = PROBES[0].query
TEXTS = [text for probe in PROBES for text in (probe.answer, probe.decoy)]
TORCH = ModelOptions(device="cpu", backend="torch")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_scores_agree_with_sentence_transformers(architecture: str, tmp_path: Path) -> None:
    import torch
    from sentence_transformers import CrossEncoder

    folder = save_cross_encoder(tmp_path, architecture)
    ours = open_scorer(str(folder), Context(), TORCH).score(QUERY, TEXTS, Context())
    reference = CrossEncoder(str(folder), device="cpu", max_length=64)
    theirs = reference.predict([(QUERY, t) for t in TEXTS], activation_fn=torch.nn.Identity())
    assert np.ptp(theirs) > 0.05, "a test on equal scores would prove nothing"
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


@pytest.mark.parametrize("backend", ["torch", "auto"])
def test_a_head_made_of_modules_scores_as_its_reference_does(backend: str, tmp_path: Path) -> None:
    import torch
    from sentence_transformers import CrossEncoder

    folder = save_module_chain(tmp_path)
    options = ModelOptions(device="cpu", backend=backend)
    ours = open_scorer(str(folder), Context(), options).score(QUERY, TEXTS, Context())
    reference = CrossEncoder(str(folder), device="cpu", max_length=64)
    theirs = reference.predict([(QUERY, t) for t in TEXTS], activation_fn=torch.nn.Identity())
    assert np.ptp(theirs) > 0.05, "a test on equal scores would prove nothing"
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


@pytest.mark.parametrize("broken", ["weights", "outputs"])
def test_a_chain_of_modules_without_a_head_is_refused(broken: str, tmp_path: Path) -> None:
    folder = save_module_chain(tmp_path)
    if broken == "weights":
        (folder / "3_Dense" / "model.safetensors").unlink()
    else:
        config = folder / "3_Dense" / "config.json"
        config.write_text(config.read_text().replace('"out_features": 1', '"out_features": 3'))
    with pytest.raises(ModelUnavailable, match="no trained relevance head"):
        open_scorer(str(folder), Context(), TORCH)


def test_scores_are_raw_logits_whatever_activation_the_model_names(tmp_path: Path) -> None:
    from sentence_transformers import CrossEncoder

    folder = save_cross_encoder(tmp_path)
    ours = open_scorer(str(folder), Context(), TORCH).score(QUERY, TEXTS, Context())
    squashed = CrossEncoder(str(folder), device="cpu").predict([(QUERY, t) for t in TEXTS])
    np.testing.assert_allclose(1 / (1 + np.exp(-np.array(ours))), squashed, atol=1e-4)


def test_of_two_labels_the_one_called_relevant_counts(tmp_path: Path) -> None:
    import json

    from sentence_transformers import CrossEncoder

    folder = save_cross_encoder(tmp_path, labels=2)
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = {"0": "relevant", "1": "irrelevant"}
    config["label2id"] = {"relevant": 0, "irrelevant": 1}
    (folder / "config.json").write_text(json.dumps(config))
    ours = open_scorer(str(folder), Context(), TORCH).score(QUERY, TEXTS, Context())
    shares = CrossEncoder(str(folder), device="cpu").predict(
        [(QUERY, t) for t in TEXTS], apply_softmax=True
    )
    np.testing.assert_allclose(1 / (1 + np.exp(-np.array(ours))), shares[:, 0], atol=1e-4)


@pytest.mark.parametrize("batch_tokens", [1, 40, 100_000])
def test_scores_do_not_depend_on_the_batch(batch_tokens: int, tmp_path: Path) -> None:
    folder = save_cross_encoder(tmp_path)
    alone = open_scorer(str(folder), Context(), TORCH)
    single = [alone.score(QUERY, [text], Context())[0] for text in TEXTS]
    options = ModelOptions(device="cpu", backend="torch", batch_tokens=batch_tokens)
    batched = open_scorer(str(folder), Context(), options).score(QUERY, TEXTS, Context())
    np.testing.assert_allclose(batched, single, atol=1e-4)


def test_texts_that_did_not_fit_are_named(tmp_path: Path) -> None:
    folder = save_cross_encoder(tmp_path)
    usage = Usage()
    scorer = open_scorer(str(folder), Context(), TORCH)
    scorer.score(QUERY, ["Paris", "Paris is " * 100, "France"], Context(), usage)
    assert usage.truncated == {1}
    assert usage.tokens > 64


def test_running_out_of_memory_halves_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from rerank_lab.models.torch.sentence_transformer import TorchScorer

    folder = save_cross_encoder(tmp_path)
    scorer = open_scorer(str(folder), Context(), TORCH)
    whole = scorer.score(QUERY, TEXTS, Context())
    sizes: list[int] = []
    run = TorchScorer._logits

    def small_memory(self: TorchScorer, pairs: list[tuple[str, str]]) -> list[float]:
        sizes.append(len(pairs))
        if len(pairs) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return run(self, pairs)

    monkeypatch.setattr(TorchScorer, "_logits", small_memory)
    np.testing.assert_allclose(scorer.score(QUERY, TEXTS, Context()), whole, atol=1e-4)
    assert max(sizes) > 3


def test_a_single_text_too_large_for_memory_is_an_error_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from rerank_lab.models.torch.sentence_transformer import TorchScorer

    def no_memory(self: TorchScorer, pairs: list[tuple[str, str]]) -> list[float]:
        raise torch.OutOfMemoryError("CUDA out of memory")

    scorer = open_scorer(str(save_cross_encoder(tmp_path)), Context(), TORCH)
    monkeypatch.setattr(TorchScorer, "_logits", no_memory)
    with pytest.raises(BackendError, match="memory") as caught:
        scorer.score(QUERY, TEXTS, Context())
    assert "smaller" in caught.value.hint


def test_cancel_is_heard_between_batches(tmp_path: Path) -> None:
    token = CancelToken()
    seen: list[int] = []

    def after_first(progress: Progress) -> None:
        if progress.message == "scoring":
            seen.append(progress.done)
            token.cancel()

    options = ModelOptions(device="cpu", backend="torch", batch_tokens=1)
    scorer = open_scorer(str(save_cross_encoder(tmp_path)), Context(), options)
    with pytest.raises(Cancelled):
        scorer.score(QUERY, TEXTS, Context(cancel=token, progress=after_first))
    assert seen == [1]


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (("contradiction", "entailment", "neutral"), "follows from another"),
        (("ENTAILMENT", "not_entailment"), "follows from another"),
        (("negative", "neutral", "positive"), "none is named as the relevant one"),
        (("1 star", "2 stars", "3 stars", "4 stars", "5 stars"), "5 outputs"),
        (("NEGATIVE", "POSITIVE"), "none is named as the relevant one"),
        (("yes", "relevant"), "none is named as the relevant one"),
    ],
)
def test_heads_for_other_questions_are_refused_with_the_reason(
    labels: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    import json

    folder = save_cross_encoder(tmp_path, labels=len(labels))
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = {str(i): label for i, label in enumerate(labels)}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelUnavailable, match=reason) as caught:
        open_scorer(str(folder), Context())
    assert "labelled relevant" in caught.value.hint


def test_two_unnamed_labels_are_refused(tmp_path: Path) -> None:
    folder = save_cross_encoder(tmp_path, labels=2)
    with pytest.raises(ModelUnavailable, match="none is named as the relevant one"):
        open_scorer(str(folder), Context())


def test_an_embedding_model_is_refused_as_cross_encoder(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no trained relevance head") as caught:
        open_scorer(str(save_bi_encoder(tmp_path)), Context())
    assert "bi-encoder(model=" in caught.value.hint


def test_an_embedding_model_made_of_a_language_model_is_refused_too(tmp_path: Path) -> None:
    import json

    folder = save_bi_encoder(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["XForCausalLM"]}))
    with pytest.raises(ModelUnavailable, match="no trained relevance head"):
        open_scorer(str(folder), Context())


def test_weights_without_their_head_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = save_cross_encoder(tmp_path)
    weights = load_file(folder / "model.safetensors")
    kept = {k: v for k, v in weights.items() if not k.startswith("classifier")}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelUnavailable, match=r"classifier\.weight"):
        open_scorer(str(folder), Context())


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_vectors_agree_with_sentence_transformers(pooling: str, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    prompts = {"query": "question ", "document": "text "}
    folder = save_bi_encoder(tmp_path, pooling, prompts)
    encoder = open_encoder(str(folder), Context(), options=TORCH)
    reference = SentenceTransformer(str(folder), device="cpu")
    cut: list[int] = []
    queries = encoder.encode([QUERY], "query", Context())
    passages = encoder.encode([*TEXTS, "Paris " * 200], "passage", Context(), cut.append)
    assert encoder.dimension == 32
    assert cut == [len(TEXTS)]
    np.testing.assert_allclose(np.linalg.norm(passages, axis=1), 1, atol=1e-5)
    theirs = reference.encode_query([QUERY], normalize_embeddings=True)
    np.testing.assert_allclose(queries, theirs, atol=1e-5)
    theirs = reference.encode_document(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(passages[:-1], theirs, atol=1e-5)


def test_maxsim_agrees_with_sentence_transformers(tmp_path: Path) -> None:
    from sentence_transformers import MultiVectorEncoder

    from rerank_lab.rerankers.local.late_interaction import maxsim

    folder = save_multi_vector(tmp_path)
    encoder = open_token_encoder(str(folder), Context(), options=TORCH)
    question = encoder.encode([QUERY], "query", Context())[0]
    documents = encoder.encode(TEXTS, "passage", Context())
    reference = MultiVectorEncoder(str(folder), device="cpu")
    theirs = reference.similarity(reference.encode_query([QUERY]), reference.encode_document(TEXTS))
    np.testing.assert_allclose(maxsim(question, documents), theirs[0].numpy(), atol=1e-4)
