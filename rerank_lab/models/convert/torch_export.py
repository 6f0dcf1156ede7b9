"""Torch classifier to ONNX graph: load, measure activations, smooth, export, quantise."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.torch.loading import load_config, load_model, load_tokenizer

_FLOOR = 1e-5


@dataclass(frozen=True, slots=True)
class ExportSource:
    """A full-precision model, its own tokenizer, and the tokens that it reads at most."""

    model: Any
    tokenizer: Any
    max_length: int

    def logits(self, query: str, text: str) -> list[float]:
        """Raw outputs for one pair, as the model's own tokenizer reads it."""
        import torch

        inputs = self.tokenizer(
            query, text, return_tensors="pt", truncation=True, max_length=self.max_length
        )
        with torch.inference_mode():
            return [float(value) for value in self.model(**inputs).logits[0]]

    @property
    def reads_types(self) -> bool:
        """Whether token types matter: the tokenizer hands them over and the model has several."""
        several = (getattr(self.model.config, "type_vocab_size", 0) or 0) > 1
        return several and "token_type_ids" in self.tokenizer.model_input_names


def load_source(located: LocatedModel, transformers_class: str) -> ExportSource:
    """A model for export, by the name of a transformers class. Raises ModelUnavailable."""
    import transformers

    mapping = getattr(transformers, transformers_class)._model_mapping
    sdpa = getattr(mapping.get(type(load_config(located)), None), "_supports_sdpa", False)
    attention = "sdpa" if sdpa else "eager"
    model, _ = load_model(located, transformers_class, "float32", attn_implementation=attention)
    return ExportSource(model.eval(), load_tokenizer(located), located.max_length)


def largest_inputs(
    source: ExportSource, probes: Sequence[tuple[str, Sequence[str]]]
) -> dict[str, Any]:
    """For each linear layer of the encoder, the largest magnitude of each input channel."""
    import torch

    peaks: dict[str, Any] = {}

    def watch(name: str) -> Any:
        def note(_: Any, inputs: tuple[Any, ...]) -> None:
            peak = inputs[0].detach().abs().reshape(-1, inputs[0].shape[-1]).amax(0)
            peaks[name] = torch.maximum(peaks[name], peak) if name in peaks else peak.clone()

        return note

    body = f"{source.model.base_model_prefix}."
    hooks = [
        layer.register_forward_pre_hook(watch(name))
        for name, layer in source.model.named_modules()
        if type(layer) is torch.nn.Linear and name.startswith(body)
    ]
    for query, texts in probes:
        for text in texts[::3]:
            source.logits(query, text)
    for hook in hooks:
        hook.remove()
    return peaks


def smooth(model: Any, largest: dict[str, Any], strength: float) -> None:
    """Even out what each linear layer of the encoder is given, in place; its output stays the same.

    Input channels are divided by a factor that the weights take over. Where a layer narrows (the
    second half of a feed-forward block), each token is also divided by its largest value and the
    result multiplied by it: there a single token, often [CLS] or [SEP], is ten times larger than
    all others, and int8 would spend its 256 steps on that token alone.
    """
    for name, peak in largest.items():
        parent_name, _, child = name.rpartition(".")
        parent = model.get_submodule(parent_name)
        linear = getattr(parent, child)
        weights = linear.weight.detach().abs().amax(0).clamp(min=_FLOOR)
        factor = peak.clamp(min=_FLOOR) ** strength / weights ** (1.0 - strength)
        setattr(parent, child, _evened(linear, factor / factor.mean()))


def _evened(linear: Any, factor: Any) -> Any:
    import torch

    class Evened(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = torch.nn.Linear(linear.in_features, linear.out_features, bias=False)
            self.bias = linear.bias
            self.register_buffer("inverse", 1.0 / factor)
            self.narrows = linear.in_features > linear.out_features
            with torch.no_grad():
                self.inner.weight.copy_(linear.weight * factor[None])

        def forward(self, hidden: Any) -> Any:
            hidden = hidden * self.inverse
            if self.narrows:
                largest = hidden.abs().amax(-1, keepdim=True).clamp(min=_FLOOR)
                result = self.inner(hidden / largest) * largest
            else:
                result = self.inner(hidden)
            return result if self.bias is None else result + self.bias

    return Evened().eval()


def export(source: ExportSource, path: Path, output: str = "logits") -> None:
    """Write the graph for one unpadded text: a batch of one, any number of tokens.

    `output` is the model's output that the graph gives: "logits" or "last_hidden_state".
    Token types are an input only where the model's own tokenizer hands them over.
    """
    import torch

    class Wrapped(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = source.model

        def forward(self, input_ids: Any, token_type_ids: Any = None) -> Any:
            types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
            return getattr(self.model(input_ids=input_ids, attention_mask=None, **types), output)

    ids = torch.full((1, 24), 5, dtype=torch.long)
    names = ["input_ids", *(["token_type_ids"] if source.reads_types else [])]
    hidden = [output] if output != "logits" else []
    sample = (ids, torch.zeros_like(ids))[: len(names)]
    with torch.inference_mode(), contextlib.redirect_stdout(None):
        torch.onnx.export(
            Wrapped().eval(),
            sample,
            str(path),
            dynamo=False,
            input_names=names,
            output_names=[output],
            dynamic_axes={name: {1: "sequence"} for name in [*names, *hidden]},
            opset_version=17,
        )


def quantise(source: Path, target: Path) -> None:
    """Weights to int8 per output channel; activations are quantised while running.

    A processor without int8 dot products (VNNI) adds up pairs of products in 16 bits, which
    overflow: there the weights use 7 bits.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        str(source),
        str(target),
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=not has_int8_dot_products(),
        extra_options={"MatMulConstBOnly": True},
    )


def has_int8_dot_products() -> bool:
    """Whether the processor adds up int8 products in 32 bits; assumed where it is unknown."""
    try:
        processor = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return True
    return "avx2" not in processor or "_vnni" in processor
