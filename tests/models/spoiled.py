"""An int8 form whose weights are shuffled, so that no check lets it pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rerank_lab.models.convert import quantisation
from rerank_lab.models.convert.samples import Feed


def spoil_int8(patch: pytest.MonkeyPatch) -> None:
    """From here on, models are quantised wrongly."""
    quantise = quantisation.quantise

    def spoiled(source: Path, target: Path, samples: Sequence[Feed]) -> int:
        import onnx
        from onnx import numpy_helper

        count = quantise(source, target, samples)
        model = onnx.load(str(target))
        for tensor in model.graph.initializer:
            if tensor.name.endswith("/int8"):
                shuffled = np.random.default_rng(0).permutation(numpy_helper.to_array(tensor))
                tensor.CopyFrom(numpy_helper.from_array(shuffled, tensor.name))
            elif tensor.name.endswith("/scale"):
                larger = 30 * numpy_helper.to_array(tensor)
                tensor.CopyFrom(numpy_helper.from_array(larger, tensor.name))
        onnx.save(model, str(target))
        return count

    patch.setattr(quantisation, "quantise", spoiled)
