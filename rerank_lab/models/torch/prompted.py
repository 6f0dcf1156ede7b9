"""Language models that read a template and answer with one logit: decoders and T5.

One pass over the prompt, no generation. Decoders are padded on the left with positions counted
from their first real token, encoders on the right, so that company in a batch changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rerank_lab.core.context import Context
from rerank_lab.core.errors import InvalidInput, ModelUnavailable
from rerank_lab.models.execution_plan import Plan
from rerank_lab.models.handles import Handle
from rerank_lab.models.locate.adapter import Adapter, merge
from rerank_lab.models.locate.resolve import Located, fetch
from rerank_lab.models.runtime.device import choose_device, torch_dtype
from rerank_lab.models.runtime.memory import Usage
from rerank_lab.models.runtime.request import Call, Options
from rerank_lab.models.runtime.tokens import clipped
from rerank_lab.models.templates import BOS, EOS, Template
from rerank_lab.models.torch.backend import TorchEngine
from rerank_lab.models.torch.pretrained import (
    control_tokens,
    load_pretrained,
    require_all_weights,
    without,
)

Values = Mapping[str, str]
_WITH_HEAD = "AutoModelForSequenceClassification"
_DOCUMENTS = ("document", "other")
_QUERY_SHARE = 0.75
"""Of the room for query and document, what a very long query may take."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids, whether anything was left out, and of which documents of the template it was."""

    ids: list[int]
    cut: bool
    documents: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)


class Prompter(Handle):
    """A language model with its template: values for the template to scores."""

    __slots__ = ()

    def score(
        self, prompts: Sequence[Values], ctx: Context, usage: Usage | None = None
    ) -> list[float]:
        """A logit, or a difference of two, for each set of values; higher is more relevant."""
        if not prompts:
            return []
        with self.call(ctx, usage) as (engine, call):
            scores: list[float] = engine.score(prompts, call)
            return scores


class Prompting:
    """Values to token ids, by a template and a transformers tokenizer."""

    def __init__(self, tokenizer: Any, template: Template) -> None:
        self._tokenizer = tokenizer
        self._template = template
        self._special = control_tokens(tokenizer)
        self._ends = {BOS: tokenizer.bos_token_id, EOS: tokenizer.eos_token_id}
        self._known: dict[str, list[int]] = {}

    def prompt(self, values: Values, limit: int) -> Prompt:
        """At most `limit` tokens. Raises InvalidInput when the template alone is longer."""
        clean = {name: self._plain(text, limit) for name, text in values.items()}
        cut = any(clipped(text, limit)[1] for text in values.values())
        parts = [(self._ids(text), doc, query) for text, doc, query in self._template.filled(clean)]
        asked_room, room = rooms([(len(ids), doc, query) for ids, doc, query in parts], limit)
        kept = _shares([len(ids) for ids, doc, query in parts if query and not doc], asked_room)
        documents = [ids for ids, doc, _ in parts if doc]
        kept_documents = _shares([len(ids) for ids in documents], room)
        clips = [clipped(values[name], limit)[1] for name in _DOCUMENTS if name in values]
        shorter = [k < len(ids) for k, ids in zip(kept_documents, documents, strict=True)]
        cut_documents = [
            i for i, was_cut in enumerate(shorter) if was_cut or (i < len(clips) and clips[i])
        ]
        sizes, document_sizes = iter(kept), iter(kept_documents)
        found: list[int] = []
        for ids, doc, query in parts:
            size = next(document_sizes) if doc else next(sizes) if query else len(ids)
            cut = cut or size < len(ids)
            found += ids[:size]
        return Prompt(found, cut, tuple(cut_documents))

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

    def __init__(self, model: Any, prompting: Prompting, answers: list[int], dtype: str) -> None:
        super().__init__(model, model.device.type, dtype)
        self._prompting = prompting
        self._answers = answers
        self._encodes = bool(model.config.is_encoder_decoder)
        if dtype != "float32":
            # Logits in bf16 take few values: ties, decided by nobody.
            head = model.get_output_embeddings() if answers else model.score
            head.register_forward_hook(_in_full)

    def score(self, prompts: Sequence[Values], call: Call) -> list[float]:
        prepared = [self._prompting.prompt(values, call.max_length) for values in prompts]
        call.usage.truncated |= {i for i, prompt in enumerate(prepared) if prompt.cut}
        call.usage.cut |= {(i, j) for i, prompt in enumerate(prepared) for j in prompt.documents}
        return self.batches(prepared, call, self._scores, call.max_length)

    def _lengths(self, inputs: Sequence[Any]) -> list[int]:
        return [len(prompt) for prompt in inputs]

    def _scores(self, prompts: list[Prompt]) -> list[float]:
        import torch

        logits = self._logits(*self._padded(prompts)).float()
        scores = logits[:, self._answers[0] if self._answers else 0]
        if len(self._answers) == 2:
            scores = scores - logits[:, self._answers[1]]
        return [float(score) for score in scores.to(torch.float64).cpu()]

    def _padded(self, prompts: list[Prompt]) -> tuple[Any, Any]:
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

        given = {"input_ids": ids, "attention_mask": mask, "use_cache": False}
        if self._encodes:
            start = torch.full_like(ids[:, :1], self.model.config.decoder_start_token_id)
            return self.model(**given, decoder_input_ids=start).logits[:, 0]
        # Positions from the first real token on: padding must not shift them.
        given["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)
        if self._answers:
            return self.model(**given, logits_to_keep=1).logits[:, -1]
        return self.model.score(self.model.base_model(**given).last_hidden_state[:, -1])


def open_prompter(
    model: str,
    template: Template,
    ctx: Context,
    options: Options | None = None,
    adapter: Adapter | None = None,
) -> Prompter:
    """A language model as reranker, loaded. Raises ModelUnavailable with what to do."""
    options = options or Options()
    located = fetch(model, ctx)
    device = choose_device(options.device)
    dtype = torch_dtype(device)
    plan = Plan(
        located,
        "prompt",
        f"torch {dtype} {device}",
        lambda _: _load(located, template, device, dtype, adapter),
        size=int(located.weights_size * 1.3),
        prefixes=(template.digest(), adapter.digest if adapter else ""),
    )
    handle = Prompter(plan, options)
    handle.load(ctx)
    return handle


def _load(
    located: Located, template: Template, device: str, dtype: str, adapter: Adapter | None
) -> TorchPrompted:
    kind = _kind(located, template)
    head: dict[str, Any] = {"num_labels": 1} if kind == _WITH_HEAD else {}
    tokenizer, model, report = load_pretrained(located, kind, dtype, **head)
    require_all_weights(located, report, merge(model, adapter) if adapter else ())
    prompting = Prompting(tokenizer, template)
    words = () if head else (template.true, template.false)
    answers = [prompting.token(word) for word in words if word]
    return TorchPrompted(model.to(device).eval(), prompting, answers, dtype)


def _kind(located: Located, template: Template) -> str:
    """The transformers class that loads it, when architecture and template go together."""
    architecture = str((located.json("config.json").get("architectures") or [""])[0])
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


def _in_full(module: Any, given: Any, _: Any) -> Any:
    from torch.nn import functional

    bias = None if module.bias is None else module.bias.float()
    return functional.linear(given[0].float(), module.weight.float(), bias)


def rooms(parts: Sequence[tuple[int, bool, bool]], limit: int) -> tuple[int, int]:
    """Tokens that the query's own parts may take, and those left to the parts with a document.

    `parts` are (tokens, holds a document, holds the query). Raises InvalidInput when the template
    alone is longer than `limit`.
    """
    fixed = sum(size for size, doc, query in parts if not doc and not query)
    room = limit - fixed
    if room < len([1 for _, doc, query in parts if doc or query]):
        raise InvalidInput(
            f"The model's template alone takes {fixed} of {limit} tokens.",
            hint="Choose a larger max_length, or 0 for the model's own limit.",
        )
    asked_room = int(room * _QUERY_SHARE)
    asked = [size for size, doc, query in parts if query and not doc]
    return asked_room, room - sum(_shares(asked, asked_room))


def _shares(sizes: list[int], room: int) -> list[int]:
    """How much of each may stay so that all fit: short ones leave their room to the rest."""
    kept = [0] * len(sizes)
    left = max(0, room)
    for done, index in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        kept[index] = min(sizes[index], left // (len(sizes) - done))
        left -= kept[index]
    return kept
