"""What goes through a graph while texts do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rerank_lab.models.runtime.tokenizer import Tokenized

Feed = dict[str, Any]
"""The arrays of one text by input name, each of shape [1, n_tokens]."""


def feed_of(text: Tokenized) -> Feed:
    """What a graph reads of a text; inputs that it does not have are left out when it runs."""
    ones = np.ones((1, len(text)), np.int64)
    return {
        "input_ids": text.ids[None],
        "token_type_ids": text.types[None],
        "attention_mask": ones,
    }


def values_inside(model: Any, names: Sequence[str], feeds: Sequence[Feed]) -> Iterator[list[Any]]:
    """The values of these names, inside the graph or out of it, for each text."""
    import onnx
    import onnxruntime

    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    present = {value.name for value in watched.graph.output}
    watched.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in present)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        watched.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    inputs = {value.name for value in session.get_inputs()}
    for feed in feeds:
        yield session.run(list(names), {k: v for k, v in feed.items() if k in inputs})
