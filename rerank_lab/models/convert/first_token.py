"""The last layer for the first token only, in graphs of which nothing else is read.

A relevance head, or a vector pooled by [CLS], reads one token of the last layer. Its keys and
values come from all tokens; its queries, its output, the feed-forward block and the layer norms
behind them are needed for that token alone. Nothing here proves that a rewritten graph computes the
same: whoever rewrites one compares both.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rerank_lab.models.convert.samples import values_inside

_LENGTHS = (5, 9)
_ATTENTION = "MultiHeadAttention"
_BY_TOKEN = frozenset(
    {"Abs", "Add", "Cast", "Clip", "Div", "Erf", "Gelu", "Identity", "Mul", "Pow", "Relu"}
    | {"Sigmoid", "Sqrt", "Sub", "Tanh", "DynamicQuantizeLinear", _ATTENTION}
)
"""Operators whose result for a token depends on that token, of attention by its queries.

Quantising takes its scale from all tokens that it is given: from one, it is that token's own.
"""
_PRODUCTS = ("MatMul", "MatMulInteger")
_REDUCTIONS = ("ReduceMean", "ReduceMax")


def keep_first_token(path: Path, hidden_states: bool = False) -> int:
    """Rewrite a graph's file in place; the number of operators that now see one token.

    Args:
        path: The graph, for one text a run.
        hidden_states: Whether the first output holds a vector a token, of which the caller reads
            the first. Otherwise the graph itself has to pick the first token, as heads do.
    """
    import onnx

    model = onnx.load(str(path))
    graph = _LastLayer(model.graph, model.graph.output[0].name if hidden_states else "")
    cuts = graph.cuts()
    if not cuts:
        return 0
    shapes = _shapes(model, cuts)
    by_token = [name for name in cuts if _has_tokens(name, shapes)]
    if not by_token or any(_moves_elsewhere(name, shapes) for name in cuts):
        return 0
    graph.cut(by_token)
    del model.graph.value_info[:]  # recorded shapes, by which buffers are shared, are others now
    if hidden_states:
        model.graph.output[0].type.tensor_type.shape.dim[1].CopyFrom(
            onnx.TensorShapeProto.Dimension(dim_value=1)
        )
    onnx.save(model, str(path))
    return len(graph.narrow)


class _LastLayer:
    """The nodes of a graph that are needed for the first token only."""

    def __init__(self, graph: Any, output: str) -> None:
        self.graph = graph
        self.output = output
        self.makers = {name: node for node in graph.node for name in node.output}
        self.weights = {weight.name: weight for weight in graph.initializer}
        self.outputs = {value.name for value in graph.output}
        self.constants = {"", *self.weights}
        for node in graph.node:
            if self.constants.issuperset(node.input):
                self.constants.update(node.output)
        self.readers: dict[str, list[tuple[Any, int]]] = {}
        for node in graph.node:
            for position, name in enumerate(node.input):
                self.readers.setdefault(name, []).append((node, position))
        self.narrow: dict[int, Any] = {}
        for node in reversed(graph.node):
            if self._is_by_token(node) and all(self._first_only(name) for name in node.output):
                self.narrow[id(node)] = node

    def cuts(self) -> list[str]:
        """Values from outside that the narrow nodes read, but for constants."""
        names = {
            name: None
            for node in self.narrow.values()
            for position, name in enumerate(node.input)
            if self._reads_narrowly(node, position)
            and id(self.makers.get(name)) not in self.narrow
            and name not in self.constants
        }
        return list(names)

    def cut(self, names: list[str]) -> None:
        """Let the narrow nodes read the first token of these values."""
        from onnx import helper, numpy_helper

        for name, value in (("starts", 0), ("ends", 1), ("axes", 1)):
            tensor = numpy_helper.from_array(np.array([value], np.int64), f"first_token/{name}")
            self.graph.initializer.append(tensor)
        for name in names:
            first = f"{name}/first_token"
            slices = [name, *(f"first_token/{part}" for part in ("starts", "ends", "axes"))]
            place = next(i for i, node in enumerate(self.graph.node) if name in node.output)
            self.graph.node.insert(place + 1, helper.make_node("Slice", slices, [first]))
            for node, position in self.readers[name]:
                if self._reads_narrowly(node, position):
                    node.input[position] = first

    def _first_only(self, name: str) -> bool:
        if name in self.outputs:
            return name == self.output
        return all(
            self._picks_first(node, position) or self._reads_narrowly(node, position)
            for node, position in self.readers.get(name, ())
        )

    def _reads_narrowly(self, node: Any, position: int) -> bool:
        """Keys and values of an attention come from all tokens, whatever reads the outcome."""
        return id(node) in self.narrow and not (node.op_type == _ATTENTION and position)

    def _picks_first(self, node: Any, position: int) -> bool:
        if node.op_type != "Gather" or position or _attribute(node, "axis", 0) != 1:
            return False
        index = self._constant(node.input[1])
        return index is not None and index.ndim == 0 and int(index) == 0

    def _is_by_token(self, node: Any) -> bool:
        if node.op_type in _BY_TOKEN:
            return True
        if node.op_type in _PRODUCTS:
            return node.input[1] in self.constants
        if node.op_type == "LayerNormalization":
            return bool(_attribute(node, "axis", -1) == -1)
        if node.op_type in _REDUCTIONS:
            axes = _attribute(node, "axes", None)
            if axes is None and len(node.input) > 1:
                axes = self._constant(node.input[1])
            return axes is not None and list(axes) == [-1] and _attribute(node, "keepdims", 1) == 1
        return False

    def _constant(self, name: str) -> Any:
        """The number or array of a weight or Constant, None for what is computed."""
        from onnx import numpy_helper

        if name in self.weights:
            return numpy_helper.to_array(self.weights[name])
        node = self.makers.get(name)
        if node is None or node.op_type != "Constant":
            return None
        value = _attribute(node, "value", None)
        return None if value is None else numpy_helper.to_array(value)


def _attribute(node: Any, name: str, otherwise: Any) -> Any:
    from onnx import helper

    values = (helper.get_attribute_value(a) for a in node.attribute if a.name == name)
    return next(values, otherwise)


def _shapes(model: Any, names: list[str]) -> list[dict[str, tuple[int, ...]]]:
    """The shapes that values have while texts of these lengths go through the graph."""
    inputs = [value.name for value in model.graph.input]
    feeds = [{name: np.ones((1, length), np.int64) for name in inputs} for length in _LENGTHS]
    runs = values_inside(model, names, feeds)
    return [dict(zip(names, map(np.shape, values), strict=True)) for values in runs]


def _token_axes(name: str, shapes: list[dict[str, tuple[int, ...]]]) -> Iterator[int]:
    """The axes along which a value grows with the text."""
    first, second = (one[name] for one in shapes)
    yield from (axis for axis, (a, b) in enumerate(zip(first, second, strict=True)) if a != b)


def _has_tokens(name: str, shapes: list[dict[str, tuple[int, ...]]]) -> bool:
    return list(_token_axes(name, shapes)) == [1]


def _moves_elsewhere(name: str, shapes: list[dict[str, tuple[int, ...]]]) -> bool:
    return list(_token_axes(name, shapes)) not in ([], [1])
