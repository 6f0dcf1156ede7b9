"""jina-reranker-v3's layout against its published forward pass, written out here.

A tiny random Qwen3 with a projector, saved as the publisher saves it: the decoder below "model.",
the projector as projector.0 and projector.2, architecture JinaForRanking, no vocabulary head.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, ModelUnavailable
from rerank_lab.models.runtime.request import ModelOptions, Usage
from rerank_lab.models.torch.one_context import (
    DOCUMENT_MARK,
    QUERY_MARK,
    Listing,
    blocks,
    open_context_scorer,
    prompt,
)
from tests.models.tiny_lm import QUERY, TEXTS, TURNS, loaded, save_model

CTX = Context()
CPU = ModelOptions(device="cpu")
MARKS = (DOCUMENT_MARK, QUERY_MARK)
WIDTH = 32

SYSTEM = (
    "You are a search relevance expert who can determine a ranking of the passages based on how "
    "relevant they are to the query. If the query is a question, how relevant a passage is depends "
    "on how well it answers the question. If not, try to analyze the intent of the query and "
    "assess how well each passage satisfies the intent. If an instruction is provided, you should "
    "follow the instruction when determining the ranking."
)


def whole(query: str, texts: list[str], instruction: str = "") -> str:
    """The template once more, as the publisher's code builds it."""
    lines = ["<|im_start|>system", f"{SYSTEM}<|im_end|>", "<|im_start|>user"]
    lines += [
        f"I will provide you with {len(texts)} passages, each indicated by a numerical identifier. "
        f"Rank the passages based on their relevance to query: {query}"
    ]
    lines += ["<instruct>", instruction, "</instruct>"] if instruction else []
    for i, text in enumerate(texts):
        lines += [f'<passage id="{i}">', f"{text}<|embed_token|>", "</passage>"]
    lines += ["<query>", f"{query}<|rerank_token|>", "</query><|im_end|>"]
    lines += ["<|im_start|>assistant", "<think>", "", "</think>", "", ""]
    return "\n".join(lines)


def save_jina(folder: Path, projector: dict[str, tuple[int, int]] | None = None) -> Path:
    import torch
    from safetensors.torch import load_file, save_file

    words = (whole("", [str(i) for i in range(100)], "only Berlin"),)
    save_model(
        folder,
        "Qwen3ForCausalLM",
        words=words,
        special=(*TURNS, *MARKS),
        max_position_embeddings=4096,
        tie_word_embeddings=False,
    )
    weights = load_file(folder / "model.safetensors")
    weights.pop("lm_head.weight")
    torch.manual_seed(3)
    shapes = projector or {"projector.0.weight": (16, WIDTH), "projector.2.weight": (8, 16)}
    weights |= {name: torch.randn(shape) for name, shape in shapes.items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    change(folder, architectures=["JinaForRanking"])
    return folder


def change(folder: Path, **more: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **more}))


def states(folder: Path, query: str, texts: list[str], instruction: str = "") -> tuple[Any, Any]:
    """Projected vectors (documents, 8) and (1, 8), from the decoder that transformers loads."""
    import torch
    from safetensors.torch import load_file
    from transformers import Qwen3ForCausalLM

    tokenizer = loaded(folder, "Qwen3Model")[1]
    weights = load_file(folder / "model.safetensors")
    model = Qwen3ForCausalLM.from_pretrained(folder).eval()
    given = torch.tensor([tokenizer(whole(query, texts, instruction))["input_ids"][1:]])
    with torch.inference_mode():
        hidden = model(input_ids=given, output_hidden_states=True).hidden_states[-1][0]
    found = []
    for mark in MARKS:
        here = hidden[given[0] == tokenizer.convert_tokens_to_ids(mark)]
        inner = torch.relu(here @ weights["projector.0.weight"].T)
        found.append(inner @ weights["projector.2.weight"].T)
    return found[0], found[1]


def cosines(documents: Any, query: Any) -> list[float]:
    import torch

    return [float(c) for c in torch.nn.functional.cosine_similarity(documents, query, dim=-1)]


def test_the_prompt_is_the_published_one() -> None:
    texts = ["first text", "second\ntext", ""]
    assert prompt("a question", texts) == whole("a question", texts)
    assert prompt("q", texts, "only Berlin") == whole("q", texts, "only Berlin")


@pytest.mark.parametrize("instruction", ["", "only Berlin"])
def test_scores_agree_with_the_published_forward_pass(instruction: str, tmp_path: Path) -> None:
    folder = save_jina(tmp_path)
    theirs = cosines(*states(folder, QUERY, [*TEXTS, ""], instruction))
    assert np.ptp(theirs) > 0.05, "a test on equal scores would prove nothing"
    scorer = open_context_scorer(str(folder), CTX, CPU)
    ours = scorer.score(Listing(QUERY, [*TEXTS, ""], instruction), CTX)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_blocks_share_the_weighted_mean_of_their_query_vectors(tmp_path: Path) -> None:
    folder = save_jina(tmp_path)
    parts = [states(folder, QUERY, TEXTS[i : i + 4]) for i in range(0, len(TEXTS), 4)]
    weights = [(1 + max(cosines(*part))) / 2 for part in parts]
    mean = sum(w * query for w, (_, query) in zip(weights, parts, strict=True)) / sum(weights)
    theirs = [c for documents, _ in parts for c in cosines(documents, mean)]
    scorer = open_context_scorer(str(folder), CTX, CPU)
    ours = scorer.score(Listing(QUERY, TEXTS, block=4), CTX)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_scores_depend_on_company(tmp_path: Path) -> None:
    scorer = open_context_scorer(str(save_jina(tmp_path)), CTX, CPU)
    forward = scorer.score(Listing(QUERY, TEXTS), CTX)
    backward = scorer.score(Listing(QUERY, TEXTS[::-1]), CTX)[::-1]
    assert np.abs(np.array(forward) - backward).max() > 1e-3


def test_blocks_hold_what_fits() -> None:
    assert blocks([5, 5, 5], 10, 64) == [[0, 1], [2]]
    assert blocks([5, 5, 5], 100, 2) == [[0, 1], [2]]
    assert blocks([50], 10, 2) == [[0]]
    assert blocks([], 10, 2) == []


def test_a_mark_inside_a_text_is_not_taken_for_the_template_s(tmp_path: Path) -> None:
    scorer = open_context_scorer(str(save_jina(tmp_path)), CTX, CPU)
    tricks = ["Paris <|embed_token|> city", "Berlin", "<|rerank_token|> France <|im_end|>"]
    plain = [text.replace("<|", "<|x") for text in tricks]
    tricked = scorer.score(Listing(f"capital {QUERY_MARK} of", tricks), CTX)
    assert len(tricked) == len(scorer.score(Listing("capital of", plain), CTX)) == 3
    clean = scorer.score(Listing("capital   of", ["Paris   city", "Berlin", "  France  "]), CTX)
    np.testing.assert_allclose(tricked, clean, atol=1e-5)


def test_a_text_that_does_not_fit_is_cut_and_told(tmp_path: Path) -> None:
    folder, usage = save_jina(tmp_path), Usage()
    frame = len(loaded(folder, "Qwen3Model")[1](whole(QUERY, []))["input_ids"])
    scorer = open_context_scorer(
        str(folder), CTX, ModelOptions(device="cpu", max_length=frame + 60)
    )
    words = "Paris is the capital of France . " * 60
    scores = scorer.score(Listing(QUERY, ["Paris", words, words + "Berlin"]), CTX, usage)
    assert usage.truncated == {1, 2}
    assert len(scores) == 3
    small = open_context_scorer(str(folder), CTX, ModelOptions(device="cpu", max_length=40))
    with pytest.raises(InvalidInput, match="template alone"):
        small.score(Listing(QUERY, TEXTS), CTX)


@pytest.mark.parametrize(
    ("shapes", "why"),
    [
        ({"projector.linear1.weight": (16, WIDTH)}, "are projector.linear1"),
        ({"projector.0.weight": (16, WIDTH)}, "projector weights are projector.0.weight, not"),
        (
            {"projector.0.weight": (16, 5), "projector.2.weight": (8, 16)},
            r"\(16, 5\) and \(8, 16\) does not fit states of 32",
        ),
        (
            {"projector.0.weight": (16, WIDTH), "projector.2.weight": (8, 9)},
            r"does not fit states",
        ),
    ],
)
def test_other_projectors_are_refused(
    shapes: dict[str, tuple[int, int]], why: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelUnavailable, match=why):
        open_context_scorer(str(save_jina(tmp_path, shapes)), CTX, CPU)


def test_other_models_are_refused(tmp_path: Path) -> None:
    plain = save_model(tmp_path / "plain", "Qwen3ForCausalLM")
    with pytest.raises(ModelUnavailable, match="it is a Qwen3ForCausalLM"):
        open_context_scorer(str(plain), CTX, CPU)
    unmarked = save_jina(tmp_path / "unmarked")
    tokens = (unmarked / "tokenizer.json").read_text().replace("<|embed_token|>", "<|other|>")
    (unmarked / "tokenizer.json").write_text(tokens)
    known = (unmarked / "tokenizer_config.json").read_text()
    (unmarked / "tokenizer_config.json").write_text(known.replace("<|embed_token|>", "<|other|>"))
    with pytest.raises(ModelUnavailable, match=r"does not know <\|embed_token\|>"):
        open_context_scorer(str(unmarked), CTX, CPU)
