"""Causal language models in this process, by transformers: answers, first tokens, likelihoods.

Safetensors and GGUF files are read (a GGUF is unpacked to full precision); `trust_remote_code`
stays off. One caller at a time, as for every model in the store.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError, ModelUnavailable
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.locate.resolve import fetch, locate
from rerank_lab.models.runtime.device import choose_device, torch_dtype
from rerank_lab.models.runtime.memory import store
from rerank_lab.models.runtime.request import Usage
from rerank_lab.models.torch.engine import StopOnCancel
from rerank_lab.models.torch.loading import load_model, load_tokenizer

T = TypeVar("T")
Turns = Sequence[tuple[str, str]]
"""(role, text) pairs."""
_UNPACKED = 7.2
"""A 4-bit GGUF takes about so many times its size when it is unpacked to 32 bits."""


@dataclass(frozen=True, slots=True)
class Generated:
    """`first` holds (token, log-probability) of the likeliest first tokens, best first."""

    text: str
    tokens_out: int
    cut_short: bool
    first: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class CausalModel:
    """A model by its reference: catalogue name, local folder or hub id. Light; loads when used."""

    name: str

    def digest(self) -> str:
        """Digest of its files. Raises ModelUnavailable when they are not here."""
        return locate(self.name).digest

    def load(self, ctx: Context) -> None:
        """Fetch the files where they are missing, and load them. Raises ModelUnavailable."""
        fetch(self.name, ctx)
        self.use(lambda _: None, ctx, Usage())

    def unload(self) -> bool:
        """Free its memory unless it is in use."""
        return store().unload(self._key(locate(self.name)))

    def generate(
        self, turns: Turns, max_tokens: int, top: int, ctx: Context, usage: Usage
    ) -> Generated:
        """The likeliest answer, word by word (no sampling), by the model's own chat template."""

        def work(engine: CausalEngine) -> Generated:
            return engine.generate(turns, max_tokens, top, ctx, usage)

        return self.use(work, ctx, usage)

    def likelihood(self, before: str, text: str, ctx: Context, usage: Usage) -> float:
        """The mean log-probability of a token of `text` when it follows `before` and a blank."""

        def work(engine: CausalEngine) -> float:
            return engine.likelihood(before, text, usage)

        return self.use(work, ctx, usage)

    def use(self, work: Callable[[CausalEngine], T], ctx: Context, into: Usage) -> T:
        """`work` with the loaded model, for this caller alone; what it took is added to `into`."""
        located = locate(self.name)
        size = located.weights_size * (_UNPACKED if located.gguf_file else 1.0)
        loaded = store().hold(
            self._key(located), lambda: _load(located), ctx, name=self.name, size=int(size)
        )
        with loaded as (engine, usage):
            into.queue_s += usage.queue_s
            into.load_s += usage.load_s
            into.backend = usage.backend
            return work(engine)

    @staticmethod
    def _key(located: LocatedModel) -> str:
        return f"{located.digest}:causal"


class CausalEngine:
    """A loaded tokenizer and model."""

    def __init__(self, tokenizer: Any, model: Any, device: str, dtype: str) -> None:
        self.backend = f"torch {dtype} {device}"
        self.tokenizer: Any = tokenizer
        self.model: Any = model.eval()
        self.device = device
        self.size = sum(p.numel() * p.element_size() for p in model.parameters())
        self.limit = int(getattr(model.config, "max_position_embeddings", 0) or 0)

    def close(self) -> None:
        """Free its memory."""
        self.model = self.tokenizer = None

    def generate(
        self, turns: Turns, max_tokens: int, top: int, ctx: Context, usage: Usage
    ) -> Generated:
        """The likeliest answer; see `CausalModel.generate`."""
        import torch
        from transformers import StoppingCriteriaList

        inputs = self._encoded(self._templated(turns), special=False)
        self._check(inputs["input_ids"].shape[1] + max_tokens)
        with torch.inference_mode():
            output = self.model.generate(
                **inputs,
                max_new_tokens=max_tokens,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                pad_token_id=self.tokenizer.pad_token_id or self.tokenizer.eos_token_id,
                return_dict_in_generate=True,
                output_logits=top > 0,
                stopping_criteria=StoppingCriteriaList([StopOnCancel(ctx)]),
            )
        ids = output.sequences[0, inputs["input_ids"].shape[1] :].tolist()
        usage.tokens += inputs["input_ids"].shape[1]
        ended = bool(ids) and ids[-1] in self._ends()
        text = self.tokenizer.decode(ids, skip_special_tokens=True)
        first = self._first(output.logits[0][0], top) if top else ()
        return Generated(text, len(ids), not ended, first)

    def likelihood(self, before: str, text: str, usage: Usage) -> float:
        """Mean log-probability of a token of `text`; see `CausalModel.likelihood`."""
        import torch

        prompt = f"{before} {text}"
        encoded = self.tokenizer(prompt, return_offsets_mapping=True, return_tensors="pt")
        ends = [int(end) for _, end in encoded.pop("offset_mapping")[0].tolist()]
        ids = encoded["input_ids"].to(self.device)
        self._check(ids.shape[1])
        usage.tokens += ids.shape[1]
        with torch.inference_mode():
            logits = self.model(input_ids=ids).logits[0, :-1].float()
        likelihoods = torch.log_softmax(logits, -1).gather(1, ids[0, 1:, None])[:, 0].tolist()
        # The token that crosses over from the prompt is the text's when it ends within it.
        begin = len(before) + 1
        mine = [float(p) for end, p in zip(ends[1:], likelihoods, strict=True) if end > begin]
        if not mine or not all(math.isfinite(p) for p in mine):
            raise BackendError(
                "The model gives this text no probability.",
                hint="Check that the query is not empty, and try another model.",
            )
        return sum(mine) / len(mine)

    def _templated(self, turns: Turns) -> str:
        if self.tokenizer.chat_template is None:
            return "\n\n".join(text for _, text in turns) + "\n"
        messages = [{"role": role, "content": text} for role, text in turns]
        try:
            return str(
                self.tokenizer.apply_chat_template(
                    messages, tokenize=False, add_generation_prompt=True
                )
            )
        except Exception as error:
            raise BackendError(
                f"The model's chat template does not take these turns: {error}",
                hint="Use a prompt without a system turn, with user and assistant turns in turn.",
            ) from error

    def _encoded(self, text: str, *, special: bool) -> Any:
        plain = self.tokenizer.chat_template is None
        return self.tokenizer(
            text, return_tensors="pt", add_special_tokens=special or plain
        ).to(self.device)  # fmt: skip

    def _check(self, length: int) -> None:
        if self.limit and length > self.limit:
            raise BackendError(
                f"The question takes {length:,} tokens; the model reads {self.limit:,}.",
                hint="Show fewer documents at once (window), or fewer words (passage_words).",
            )

    def _first(self, logits: Any, top: int) -> tuple[tuple[str, float], ...]:
        import torch

        likeliest = torch.log_softmax(logits.float(), -1).topk(min(top, logits.shape[-1]))
        names = [self.tokenizer.decode([i]) for i in likeliest.indices.tolist()]
        return tuple(zip(names, likeliest.values.tolist(), strict=True))

    def _ends(self) -> set[int]:
        ends = self.model.generation_config.eos_token_id
        ids = {ends} if isinstance(ends, int) else set(ends or ())
        return ids | {self.tokenizer.eos_token_id}


def _load(located: LocatedModel) -> CausalEngine:
    device = choose_device("auto")
    dtype = torch_dtype(device)
    packed = {"gguf_file": located.gguf_file.name} if located.gguf_file else {}
    try:
        tokenizer = load_tokenizer(located, **packed)
        model, _ = load_model(located, "AutoModelForCausalLM", dtype, **packed)
    except ModelUnavailable as error:
        if packed:
            error.hint = "GGUF files need: pip install 'rerank-lab[llm]'. " + error.hint
        raise
    return CausalEngine(tokenizer, model.to(device), device, dtype)
