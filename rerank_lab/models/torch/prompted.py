"""Language models that read a template and answer with one logit: decoders and T5.

One pass over the prompt, no generation. Decoders are padded on the left with positions counted
from their first real token, encoders on the right, so that company in a batch changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rerank_lab.core.context import Context
from rerank_lab.core.errors import ModelUnavailable
from rerank_lab.models.execution_plan import torch_plan
from rerank_lab.models.local_model import LocalModel
from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.locate.resolve import fetch
from rerank_lab.models.locate.soundness import require_sound
from rerank_lab.models.prompt_templates import BOS, EOS, Template, share_tokens, split_limit
from rerank_lab.models.runtime.request import InferenceRequest, ModelOptions, Usage
from rerank_lab.models.runtime.tokenizer import clipped
from rerank_lab.models.torch.adapter import Adapter, merge
from rerank_lab.models.torch.engine import TorchEngine
from rerank_lab.models.torch.loading import (
    control_tokens,
    load_model,
    load_tokenizer,
    require_all_weights,
    without,
)

Values = Mapping[str, str]
_WITH_HEAD = "AutoModelForSequenceClassification"
_DOCUMENTS = ("document", "other")


@dataclass(frozen=True, slots=True)
class EncodedPrompt:
    """Token ids, whether anything was left out, and of which documents of the template it was."""

    ids: list[int]
    cut: bool
    documents: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)


class PromptedModel(LocalModel["TorchPrompted"]):
    """A language model with its template: values for the template to scores."""

    __slots__ = ()

    def score(
        self, prompts: Sequence[Values], ctx: Context, usage: Usage | None = None
    ) -> list[float]:
        """A logit, or a difference of two, for each set of values; higher is more relevant."""
        return self.computed(
            prompts,
            [sum(map(len, values.values())) for values in prompts],
            lambda engine, some, request: engine.score(some, request),
            ctx,
            usage,
        )


class PromptEncoder:
    """Values to token ids, by a template and a transformers tokenizer."""

    def __init__(self, tokenizer: Any, template: Template) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._special = control_tokens(tokenizer)
        self._ends = {BOS: tokenizer.bos_token_id, EOS: tokenizer.eos_token_id}
        self._known: dict[str, list[int]] = {}

    def prompt(self, values: Values, limit: int) -> EncodedPrompt:
        """At most `limit` tokens. Raises InvalidInput when the template alone is longer."""
        clean = {name: self._plain(text, limit) for name, text in values.items()}
        parts = [(self._ids(text), doc, query) for text, doc, query in self._template.filled(clean)]
        query_limit, document_limit = split_limit(
            [(len(ids), doc, query) for ids, doc, query in parts], limit
        )
        documents = [ids for ids, doc, _ in parts if doc]
        query_sizes = iter(
            share_tokens([len(ids) for ids, doc, query in parts if query and not doc], query_limit)
        )
        sizes = share_tokens([len(ids) for ids in documents], document_limit)
        clips = [clipped(values[name], limit)[1] for name in _DOCUMENTS if name in values]
        cut_documents = tuple(
            i
            for i, (size, ids) in enumerate(zip(sizes, documents, strict=True))
            if size < len(ids) or (i < len(clips) and clips[i])
        )
        cut = any(clipped(text, limit)[1] for text in values.values())
        document_sizes = iter(sizes)
        prompt_ids: list[int] = []
        for ids, doc, query in parts:
            size = next(document_sizes) if doc else next(query_sizes) if query else len(ids)
            cut = cut or size < len(ids)
            prompt_ids += ids[:size]
        return EncodedPrompt(prompt_ids, cut, cut_documents)

    def token(self, word: str) -> int:
        """The id of a word of the template. Raises ModelUnavailable when it is not one token."""
        ids = self._ids(word)
        if len(ids) != 1 or ids[0] == self._tokenizer.unk_token_id:
            raise ModelUnavailable(
                f"The model does not know {word!r} as one word, which its template asks for.",
                hint="Choose the template that the model was trained with (option template).",
            )
        return ids[0]

    def _ids(self, text: str) -> list[int]:
        if text in self._ends:
            end = self._ends[text]
            return [] if end is None else [end]
        if text not in self._known:
            if len(self._known) > 64:
                self._known.clear()
            encoded = self._tokenizer(text, add_special_tokens=False, verbose=False)
            self._known[text] = list(encoded["input_ids"])
        return self._known[text]

    def _plain(self, text: str, limit: int) -> str:
        """Without the model's control tokens: a document cannot end its turn and answer itself."""
        return without(clipped(text, limit)[0], self._special)


class TorchPrompted(TorchEngine):
    """A transformers language model, or one with a classification head, and its template."""

    def __init__(self, model: Any, encoder: PromptEncoder, answers: list[int], dtype: str) -> None:
        super().__init__(model, model.device.type, dtype)
        self._encoder = encoder
        self._answers = answers
        self._encodes = bool(model.config.is_encoder_decoder)
        if dtype != "float32":
            # Logits in bf16 take few values: ties, decided by nobody.
            head = model.get_output_embeddings() if answers else model.score
            head.register_forward_hook(_in_full)

    def score(self, prompts: Sequence[Values], request: InferenceRequest) -> list[float]:
        """A logit, or a difference of two, for each set of values."""
        with request.tokenising():
            prepared = [self._encoder.prompt(values, request.max_length) for values in prompts]
        request.usage.truncated |= {i for i, prompt in enumerate(prepared) if prompt.cut}
        request.usage.cut |= {(i, j) for i, prompt in enumerate(prepared) for j in prompt.documents}
        return self.batches(prepared, request, self._scores, request.max_length)

    def _lengths(self, inputs: Sequence[Any]) -> list[int]:
        return [len(prompt) for prompt in inputs]

    def _scores(self, prompts: list[EncodedPrompt]) -> list[float]:
        import torch

        logits = self._logits(*self._padded(prompts)).float()
        scores = logits[:, self._answers[0] if self._answers else 0]
        if len(self._answers) == 2:
            scores = scores - logits[:, self._answers[1]]
        return [float(score) for score in scores.to(torch.float64).cpu()]

    def _padded(self, prompts: list[EncodedPrompt]) -> tuple[Any, Any]:
        import torch

        width = max(len(prompt) for prompt in prompts)
        ids = torch.zeros((len(prompts), width), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            place = slice(0, len(prompt)) if self._encodes else slice(width - len(prompt), width)
            ids[row, place] = torch.tensor(prompt.ids)
            mask[row, place] = 1
        return ids.to(self.device), mask.to(self.device)

    def _logits(self, ids: Any, mask: Any) -> Any:
        """Shape (prompts, vocabulary), or (prompts, 1) from a head."""
        import torch

        inputs = {"input_ids": ids, "attention_mask": mask, "use_cache": False}
        if self._encodes:
            start = torch.full_like(ids[:, :1], self.model.config.decoder_start_token_id)
            return self.model(**inputs, decoder_input_ids=start).logits[:, 0]
        # Positions from the first real token on: padding must not shift them.
        inputs["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
        if self._answers:
            return self.model(**inputs, logits_to_keep=1).logits[:, -1]
        return self.model.score(self.model.base_model(**inputs).last_hidden_state[:, -1])


def open_prompted_model(
    model: str,
    template: Template,
    ctx: Context,
    options: ModelOptions | None = None,
    adapter: Adapter | None = None,
) -> PromptedModel:
    """A language model as reranker, loaded. Raises ModelUnavailable with what to do."""
    options = options or ModelOptions()
    located = fetch(model, ctx)
    plan = torch_plan(
        located,
        "prompt",
        options,
        lambda device, dtype: _load(located, template, device, dtype, adapter),
    )
    adapter_digest = adapter.digest if adapter else ""
    plan = replace(plan, template_digest=template.digest(), adapter_digest=adapter_digest)
    prompted = PromptedModel(plan, options)
    prompted.load(ctx)
    return prompted


def _load(
    located: LocatedModel, template: Template, device: str, dtype: str, adapter: Adapter | None
) -> TorchPrompted:
    require_sound(located)
    kind = _kind(located, template)
    head: dict[str, Any] = {"num_labels": 1} if kind == _WITH_HEAD else {}
    model, report = load_model(located, kind, dtype, **head)
    require_all_weights(located, report, merge(model, adapter) if adapter else ())
    encoder = PromptEncoder(load_tokenizer(located), template)
    words = () if head else (template.true, template.false)
    answers = [encoder.token(word) for word in words if word]
    return TorchPrompted(model.to(device).eval(), encoder, answers, dtype)


def _kind(located: LocatedModel, template: Template) -> str:
    """The transformers class that loads it, when architecture and template go together."""
    architecture = located.architecture
    encodes = bool(located.json("config.json").get("is_encoder_decoder"))
    reads_end = EOS in template.parts
    if encodes and architecture.endswith("ForConditionalGeneration") and reads_end:
        return "AutoModelForSeq2SeqLM"
    if not encodes and not reads_end and architecture.endswith(("ForCausalLM", "Classification")):
        by_head = architecture.endswith("Classification") or not template.true
        return _WITH_HEAD if by_head else "AutoModelForCausalLM"
    raise ModelUnavailable(
        f"{located.name} ({architecture or 'of unknown architecture'}) does not fit its template.",
        hint="Use decoder for causal language models, seq2seq and duot5 for T5 models.",
    )


def _in_full(module: Any, inputs: Any, _: Any) -> Any:
    from torch.nn import functional

    bias = None if module.bias is None else module.bias.float()
    return functional.linear(inputs[0].float(), module.weight.float(), bias)
