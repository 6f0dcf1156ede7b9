"""Torch models to full-precision ONNX graphs."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rerank_lab.models.locate.folder import LocatedModel
from rerank_lab.models.torch.loading import load_config, load_model, load_tokenizer


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
