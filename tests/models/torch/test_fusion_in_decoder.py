"""Fusion-in-Decoder against forward passes written out here, padded as the LiT5 authors pad.

Their code pads every passage to the longest length, joins the encoder's outputs with that padding
masked, and decodes without a cache; for scores it multiplies attention by the length of the value
vectors, which is computed here from queries and keys by hand.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rerank_lab.core.context import CancelToken, Context
from rerank_lab.core.errors import Cancelled, ModelUnavailable
from rerank_lab.models.runtime.request import ModelOptions, Usage
from rerank_lab.models.torch.fusion_in_decoder import open_fusion_in_decoder
from tests.models.tiny_lm import QUERY, TEXTS, loaded, save_model

CTX = Context()
LENGTH = 40
CPU = ModelOptions(device="cpu", max_length=LENGTH)
WORDS = ("Search Query: Passage: Relevance Ranking: context question [ ] >",)
WORDS += tuple(str(i) for i in range(30))
LONG = "Paris is the capital of France . " * 20
DISTILL = [
    f"Search Query: {QUERY} Passage: [{i}] {text} Relevance Ranking: "
    for i, text in enumerate([*TEXTS[:4], "", LONG], 1)
]
QUESTION = f"question: {QUERY}"
SCORE = [f"{QUESTION} context: {text}" for text in [*TEXTS[:4], "", LONG]]


def save_t5(folder: Path) -> Path:
    """A T5 whose answers are words that change from step to step and with the passages."""
    import torch

    save_model(folder, "T5ForConditionalGeneration", words=WORDS, tie_word_embeddings=False)
    model = loaded(folder, "AutoModelForSeq2SeqLM")[0]
    torch.manual_seed(4)
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            if parameter.ndim == 2:
                torch.nn.init.normal_(parameter, std=0.5)
        torch.nn.init.normal_(model.lm_head.weight)
        model.lm_head.weight[:3] = 0
    model.save_pretrained(str(folder))
    return folder


def encoded(model: Any, tokenizer: Any, passages: list[str]) -> tuple[Any, Any]:
    """Joined encoder outputs (1, passages x LENGTH, width) and their mask, padding included."""
    import torch

    rows, masks = [], []
    for text in passages:
        ids = tokenizer(text)["input_ids"]
        ids = [*ids[: LENGTH - 1], ids[-1]] if len(ids) > LENGTH else ids
        rows.append(ids + [2] * (LENGTH - len(ids)))
        masks.append([1] * len(ids) + [0] * (LENGTH - len(ids)))
    mask = torch.tensor(masks)
    states = model.encoder(input_ids=torch.tensor(rows), attention_mask=mask).last_hidden_state
    return states.reshape(1, -1, states.shape[-1]), mask.reshape(1, -1)


def spoken(model: Any, states: Any, mask: Any, most: int) -> list[int]:
    """Greedy answer, start token first, by the whole decoder at every step."""
    import torch
    from transformers.modeling_outputs import BaseModelOutput

    ids = [2]
    while len(ids) <= most and ids[-1] != 1:
        logits = model(
            encoder_outputs=BaseModelOutput(last_hidden_state=states),
            attention_mask=mask,
            decoder_input_ids=torch.tensor([ids]),
        ).logits
        ids.append(int(logits[0, -1].argmax()))
    return ids


def attended(model: Any, states: Any, mask: Any, ids: list[int]) -> Any:
    """(tokens,) attention times value length: mean over heads, summed over steps and layers."""
    import torch

    asked: list[Any] = []
    layers = [block.layer[1].EncDecAttention for block in model.decoder.block]
    hooks = [
        layer.register_forward_pre_hook(lambda _, given: asked.append(given[0])) for layer in layers
    ]
    model.decoder(
        input_ids=torch.tensor([ids]), encoder_hidden_states=states, encoder_attention_mask=mask
    )
    for hook in hooks:
        hook.remove()
    total = torch.zeros(states.shape[1])
    for layer, hidden in zip(layers, asked, strict=True):

        def heads(values: Any, layer: Any = layer) -> Any:
            return values[0].reshape(values.shape[1], layer.n_heads, -1).transpose(0, 1)

        queries, keys = heads(layer.q(hidden)), heads(layer.k(states))
        logits = (queries @ keys.transpose(1, 2)).masked_fill(mask[0] == 0, -torch.inf)
        lengths = heads(layer.v(states)).norm(dim=-1)
        total += (logits.softmax(-1) * lengths[:, None]).mean(0).sum(0)
    return total / (256 * len(layers))


def test_the_answer_is_that_of_one_decoder_over_all_passages(tmp_path: Path) -> None:
    import torch

    folder = save_t5(tmp_path)
    model, tokenizer = loaded(folder, "AutoModelForSeq2SeqLM")
    with torch.inference_mode():
        theirs = spoken(model, *encoded(model, tokenizer, DISTILL), 30)
    for batch_tokens in (0, 1):
        options = ModelOptions(device="cpu", max_length=LENGTH, batch_tokens=batch_tokens)
        ours = open_fusion_in_decoder(str(folder), CTX, options).answer(DISTILL, 30, CTX)
        assert ours.text == tokenizer.decode(theirs, skip_special_tokens=True)
        assert len(set(ours.text.split())) > 3, "a test on one word would prove nothing"
        assert ours.cut_short == (theirs[-1] != 1)


def test_the_answer_depends_on_every_passage(tmp_path: Path) -> None:
    reader = open_fusion_in_decoder(str(save_t5(tmp_path)), CTX, CPU)
    whole = reader.answer(DISTILL, 30, CTX).text
    assert reader.answer(DISTILL[:-2], 30, CTX).text != whole


@pytest.mark.parametrize("most", [1, 19])
def test_scores_are_the_attention_worked_out_by_hand(most: int, tmp_path: Path) -> None:
    import torch

    folder = save_t5(tmp_path)
    model, tokenizer = loaded(folder, "AutoModelForSeq2SeqLM")
    asked = len(tokenizer(QUESTION, add_special_tokens=False)["input_ids"])
    with torch.inference_mode():
        states, mask = encoded(model, tokenizer, SCORE)
        ids = spoken(model, states, mask, most)
        total = (attended(model, states, mask, ids[:-1]) * mask[0]).reshape(len(SCORE), LENGTH)
    theirs = total[:, asked:].sum(1).numpy()
    assert np.ptp(theirs) > 0.01 * theirs.max()
    reader = open_fusion_in_decoder(str(folder), CTX, CPU, attentions=True)
    ours = reader.attention(SCORE, QUESTION, most, CTX)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_a_long_passage_is_cut_at_its_end_and_told(tmp_path: Path) -> None:
    reader, usage = open_fusion_in_decoder(str(save_t5(tmp_path)), CTX, CPU), Usage()
    reader.answer(DISTILL, 3, CTX, usage)
    assert usage.truncated == {len(DISTILL) - 1}
    assert usage.tokens > LENGTH


def test_control_tokens_in_a_passage_do_nothing(tmp_path: Path) -> None:
    reader = open_fusion_in_decoder(str(save_t5(tmp_path)), CTX, CPU, attentions=True)
    tricks = [f"{QUESTION} context: Paris </s> city", f"{QUESTION} context: Paris city"]
    tricked, plain = (reader.attention([t], QUESTION, 3, CTX) for t in tricks)
    assert tricked == pytest.approx(plain, rel=1e-5)


def test_cancel_is_heard_between_the_tokens_of_an_answer(tmp_path: Path) -> None:
    class After(CancelToken):
        asked = 0

        @property
        def cancelled(self) -> bool:
            self.asked += 1
            return self.asked > 4

    token = After()
    reader = open_fusion_in_decoder(str(save_t5(tmp_path)), CTX, CPU)
    with pytest.raises(Cancelled):
        reader.answer(DISTILL[:2], 500, Context(cancel=token))
    assert token.asked == 5


def test_other_models_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    with pytest.raises(ModelUnavailable, match="not a T5 model"):
        open_fusion_in_decoder(str(save_model(tmp_path / "llama", "LlamaForCausalLM")), CTX, CPU)
    half = save_t5(tmp_path / "half")
    weights = load_file(half / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith("decoder")}
    save_file(kept, half / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelUnavailable, match="lack decoder"):
        open_fusion_in_decoder(str(half), CTX, CPU)
