"""Torch classifier to ONNX graph: load, measure activations, smooth, export, quantise."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from rerank_lab.models.locate.resolve import Located

_FLOOR = 1e-5


def load_classifier(folder: Path) -> Any:
    """The full-precision model for export. Safetensors only, no code from the folder."""
    from transformers import AutoModelForSequenceClassification

    return _load(AutoModelForSequenceClassification, folder)


def load_encoder(folder: Path) -> Any:
    """The full-precision encoder of an embedding model, for export."""
    from transformers import AutoModel

    return _load(AutoModel, folder)


def _load(kind: Any, folder: Path) -> Any:
    import torch
    from transformers import AutoConfig
    from transformers.utils import logging

    logging.disable_progress_bar()
    config = AutoConfig.from_pretrained(str(folder), local_files_only=True)
    sdpa = getattr(kind._model_mapping.get(type(config), None), "_supports_sdpa", False)
    model = kind.from_pretrained(
        str(folder),
        local_files_only=True,
        use_safetensors=True,
        dtype=torch.float32,
        attn_implementation="sdpa" if sdpa else "eager",
    )
    return model.eval()


def logits(model: Any, located: Located, query: str, text: str) -> list[float]:
    """Raw outputs for one pair, as the model's own tokenizer reads it."""
    import torch

    inputs = _tokenizer(str(located.folder))(
        query, text, return_tensors="pt", truncation=True, max_length=located.max_length
    )
    with torch.inference_mode():
        return [float(value) for value in model(**inputs).logits[0]]


def largest_inputs(
    model: Any, located: Located, probes: Sequence[tuple[str, Sequence[str]]]
) -> dict[str, Any]:
    """For each linear layer of the encoder, the largest magnitude of each input channel."""
    import torch

    found: dict[str, Any] = {}

    def watch(name: str) -> Any:
        def note(_: Any, inputs: tuple[Any, ...]) -> None:
            peak = inputs[0].detach().abs().reshape(-1, inputs[0].shape[-1]).amax(0)
            found[name] = torch.maximum(found[name], peak) if name in found else peak.clone()

        return note

    body = f"{model.base_model_prefix}."
    hooks = [
        layer.register_forward_pre_hook(watch(name))
        for name, layer in model.named_modules()
        if type(layer) is torch.nn.Linear and name.startswith(body)
    ]
    for query, texts in probes:
        for text in texts[::3]:
            logits(model, located, query, text)
    for hook in hooks:
        hook.remove()
    return found


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


def export(model: Any, located: Located, path: Path, output: str = "logits") -> None:
    """Write the graph for one unpadded text: a batch of one, any number of tokens.

    `output` is the model's output that the graph gives: "logits" or "last_hidden_state".

    Token types are an input only where the model's own tokenizer hands them over.
    """
    import torch

    class Wrapped(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: Any, token_type_ids: Any = None) -> Any:
            types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
            return getattr(self.model(input_ids=input_ids, attention_mask=None, **types), output)

    ids = torch.full((1, 24), 5, dtype=torch.long)
    names = ["input_ids"]
    types = "token_type_ids" in _tokenizer(str(located.folder)).model_input_names
    if types and (getattr(model.config, "type_vocab_size", 0) or 0) > 1:
        names.append("token_type_ids")
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
    """Weights to int8 per output channel; activations are quantised while running."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        str(source),
        str(target),
        weight_type=QuantType.QInt8,
        per_channel=True,
        extra_options={"MatMulConstBOnly": True},
    )


@cache
def _tokenizer(folder: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)
