"""Fusion-in-Decoder: T5 reads each passage by itself, and one decoder attends to all of them.

Izacard and Grave 2021, arXiv:2007.01282; as listwise reranker LiT5, Tamber et al. 2023,
arXiv:2312.16098. The encoder's outputs are joined without their padding: the decoder's attention
over them knows no positions, so that company in a batch changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rerank_lab.core.context import Context
from rerank_lab.core.errors import ModelUnavailable
from rerank_lab.models.execution_plan import torch_plan
from rerank_lab.models.local_model import LocalModel
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.locate.resolve import fetch
from rerank_lab.models.locate.soundness import require_sound
from rerank_lab.models.runtime.request import InferenceRequest, ModelOptions, Usage
from rerank_lab.models.runtime.tokenizer import clipped
from rerank_lab.models.torch.engine import StopOnCancel, TorchEngine
from rerank_lab.models.torch.loading import (
    control_tokens,
    load_model,
    load_tokenizer,
    require_all_weights,
    without,
)

_SCALE = 256
"""Attention is divided by this in the paper's code, whatever the length: it changes no order."""


@dataclass(frozen=True, slots=True)
class FusionAnswer:
    """What the decoder answers to the passages; `cut_short` when it had not come to an end."""

    text: str
    cut_short: bool


class FusionInDecoder(LocalModel["TorchFusionInDecoder"]):
    """A loaded Fusion-in-Decoder model. Passages come with the words that they were trained in."""

    __slots__ = ()

    def answer(
        self,
        passages: Sequence[str],
        max_tokens: int,
        ctx: Context,
        usage: Usage | None = None,
    ) -> FusionAnswer:
        """The likeliest answer to all passages (no sampling), at most `max_tokens` long."""
        with self.engine(ctx, usage) as (engine, request):
            return engine.answer(passages, max_tokens, request)

    def attention(
        self,
        passages: Sequence[str],
        question: str,
        max_tokens: int,
        ctx: Context,
        usage: Usage | None = None,
    ) -> list[float]:
        """How much the decoder attends to each passage while it answers; higher is more relevant.

        Attention weight times length of the value vector, the mean over heads, summed over layers,
        the answer's tokens, and the passage's tokens after those of `question`, with which every
        passage begins (Tamber et al. 2023, after Izacard and Grave 2022, arXiv:2208.03299).
        """
        with self.engine(ctx, usage) as (engine, request):
            return engine.attention(passages, question, max_tokens, request)


@dataclass(frozen=True, slots=True)
class _Passage:
    ids: list[int]
    cut: bool

    def __len__(self) -> int:
        return len(self.ids)


class TorchFusionInDecoder(TorchEngine):
    """A transformers T5 with its tokenizer. One caller at a time."""

    def __init__(self, model: Any, tokenizer: Any, device: str, dtype: str) -> None:
        super().__init__(model, device, dtype)
        self._tokenizer = tokenizer
        self._control = control_tokens(tokenizer)

    def answer(
        self, passages: Sequence[str], max_tokens: int, request: InferenceRequest
    ) -> FusionAnswer:
        """The likeliest answer to all passages; see `FusionInDecoder.answer`."""
        states = self._encoded(passages, request)

        def run(_: Sequence[int]) -> list[FusionAnswer]:
            ids = self._generated(states, max_tokens, request).tolist()
            ended = ids[-1] == self._tokenizer.eos_token_id
            text = self._tokenizer.decode(ids, skip_special_tokens=True)
            return [FusionAnswer(text, not ended)]

        return self.run_batch([0], run)[0]

    def attention(
        self, passages: Sequence[str], question: str, max_tokens: int, request: InferenceRequest
    ) -> list[float]:
        """Attention to each passage; see `FusionInDecoder.attention`."""
        states = self._encoded(passages, request)
        question_tokens = len(self._ids(question, special=False))

        def run(_: Sequence[int]) -> list[list[float]]:
            ids = self._generated(states, max_tokens, request)
            # The last token is the end, or was never read: no attention belongs to it.
            attended = self._attended(states, ids[:-1])
            parts = attended.split([len(state) for state in states])
            return [[float(part[question_tokens:].sum()) for part in parts]]

        return self.run_batch([0], run)[0]

    def _encoded(self, passages: Sequence[str], request: InferenceRequest) -> list[Any]:
        """Encoder outputs, of shape (tokens, width) for each passage."""
        prepared = [self._passage(text, request.max_length) for text in passages]
        request.usage.truncated |= {i for i, passage in enumerate(prepared) if passage.cut}
        return self.batches(prepared, request, self._states, request.max_length)

    def _passage(self, text: str, limit: int) -> _Passage:
        # The whole is cut at its end, as the paper's code does, and closed by </s>.
        within, cut = clipped(text, limit)
        ids = self._ids(within)
        return (
            _Passage([*ids[: limit - 1], ids[-1]], True) if len(ids) > limit else _Passage(ids, cut)
        )

    def _ids(self, text: str, *, special: bool = True) -> list[int]:
        clean = without(text, self._control)
        encoded = self._tokenizer(clean, add_special_tokens=special, verbose=False)
        return list(encoded["input_ids"])

    def _lengths(self, inputs: Sequence[Any]) -> list[int]:
        return [len(passage) for passage in inputs]

    def _states(self, passages: list[_Passage]) -> list[Any]:
        import torch

        width = max(len(passage) for passage in passages)
        ids = torch.zeros((len(passages), width), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, passage in enumerate(passages):
            ids[row, : len(passage)] = torch.tensor(passage.ids)
            mask[row, : len(passage)] = 1
        hidden = self.model.get_encoder()(
            input_ids=ids.to(self.device), attention_mask=mask.to(self.device)
        ).last_hidden_state
        return [hidden[row, : len(passage)] for row, passage in enumerate(passages)]

    def _generated(self, states: list[Any], max_tokens: int, request: InferenceRequest) -> Any:
        """Token ids of shape (tokens,), the decoder's start token first."""
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        joined = torch.cat(states)[None]
        return self.model.generate(
            encoder_outputs=BaseModelOutput(last_hidden_state=joined),
            attention_mask=torch.ones(joined.shape[:2], dtype=torch.long, device=joined.device),
            max_new_tokens=max_tokens,
            do_sample=False,
            num_beams=1,
            stopping_criteria=[StopOnCancel(request.ctx)],
        )[0]

    def _attended(self, states: list[Any], ids: Any) -> Any:
        """Attention of shape (tokens of all passages,), summed over layers and answer tokens."""
        import torch

        joined = torch.cat(states)[None]
        decoder = self.model.get_decoder()
        weights = decoder(
            input_ids=ids[None],
            encoder_hidden_states=joined,
            encoder_attention_mask=torch.ones(joined.shape[:2], device=joined.device),
            output_attentions=True,
            use_cache=False,
        ).cross_attentions
        total = torch.zeros(joined.shape[1], device=joined.device)
        for block, attention in zip(decoder.block, weights, strict=True):
            layer = block.layer[1].EncDecAttention
            values = layer.v(joined)[0].view(joined.shape[1], layer.n_heads, -1).float()
            lengths = values.norm(dim=-1).T[:, None]
            total += (attention[0].float() * lengths).mean(0).sum(0)
        return total / (_SCALE * len(decoder.block))


def open_fusion_in_decoder(
    model: str, ctx: Context, options: ModelOptions | None = None, *, attentions: bool = False
) -> FusionInDecoder:
    """A T5 as Fusion-in-Decoder, loaded; `attentions` when those are asked for.

    Raises ModelUnavailable with what to do.
    """
    options = options or ModelOptions()
    located = fetch(model, ctx)
    plan = torch_plan(
        located,
        "fused",
        options,
        lambda device, dtype: _load(located, device, dtype, attentions),
    )
    reader = FusionInDecoder(replace(plan, reads_attention=attentions), options)
    reader.load(ctx)
    return reader


def _load(located: LocatedModel, device: str, dtype: str, attentions: bool) -> TorchFusionInDecoder:
    require_sound(located)
    config = located.json("config.json")
    if config.get("model_type") not in ("t5", "mt5", "umt5"):
        raise ModelUnavailable(
            f"{located.name} ({config.get('model_type') or 'of unknown type'}) is not a T5 model.",
            hint="LiT5 models are T5: castorini/LiT5-Distill-base and its larger forms.",
        )
    # Only plain attention tells its weights.
    more = {"attn_implementation": "eager"} if attentions else {}
    model, report = load_model(located, "AutoModelForSeq2SeqLM", dtype, **more)
    require_all_weights(located, report)
    return TorchFusionInDecoder(model.to(device), load_tokenizer(located), device, dtype)
