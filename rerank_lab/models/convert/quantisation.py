"""A full-precision graph to int8: weights once, activations while running.

Weights are quantised per output channel. A text's activations get one scale for all channels and
tokens, so that both are evened out first:

- channels that are far larger than the rest are divided by a factor that the weights take over
  (Xiao et al. 2023, "SmoothQuant"). Layers that read the same values share the factor, and behind
  an attention the weights of its values take over the division, so that it costs nothing there;
- where a layer narrows (the second half of a feed-forward block), each token is divided by its
  largest value and the result multiplied by it: there a single token, often [CLS] or [SEP], is ten
  times larger than all others, and int8 would spend its 256 steps on that token alone.

Heads, which see one token, stay as they are. Large tables of embeddings are kept in 16 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rerank_lab.models.convert.samples import Feed, values_inside
from rerank_lab.models.runtime.device import has_int8_dot_products

_STRENGTH = 0.75
"""How much of a channel's size goes into its weights: SmoothQuant's alpha."""
_FLOOR = 1e-5
_SMALL = 0.3
"""Activation functions such as GELU and SiLU give nothing below its negative."""
_LARGE_TABLE = 1_000_000
_CONTRIB = "com.microsoft"
_ATTENTION = "MultiHeadAttention"


@dataclass(slots=True)
class _Group:
    """Products that read the same values. `peaks` of shape [n_channels], largest magnitudes."""

    source: str
    products: list[Any]
    peaks: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    lowest: float = 0.0
    by_token: bool = False


def quantise(source: Path, target: Path, samples: Sequence[Feed]) -> int:
    """Write the int8 form of a graph; the number of its products that are quantised.

    Args:
        source: A full-precision graph for one text a run.
        target: The file to write.
        samples: Texts by which the size of channels is measured.
    """
    import onnx

    model = onnx.load(str(source))
    graph = _QuantisedGraph(model.graph)
    graph.measure(model, samples)
    count = graph.rewrite()
    if all(entry.domain != _CONTRIB for entry in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(_CONTRIB, 1))
    onnx.save(model, str(target))
    return count


class _QuantisedGraph:
    """A graph whose products with constant weights become products of int8."""

    def __init__(self, graph: Any) -> None:
        from onnx import numpy_helper

        self.graph = graph
        self.tensors = {tensor.name: tensor for tensor in graph.initializer}
        self.makers = {name: node for node in graph.node for name in node.output}
        self.readers: dict[str, list[Any]] = {}
        for node in graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        groups: dict[str, _Group] = {}
        self.weights: dict[str, NDArray[np.float32]] = {}
        for node in graph.node:
            weight = node.input[1] if node.op_type == "MatMul" else ""
            if weight in self.tensors and len(self.tensors[weight].dims) == 2:
                groups.setdefault(node.input[0], _Group(node.input[0], [])).products.append(node)
                values = numpy_helper.to_array(self.tensors[weight])
                # By product: tied layers share a tensor, and each has its own activations.
                self.weights[node.output[0]] = np.array(values, np.float32)
        self.groups = list(groups.values())
        self.biases: dict[str, NDArray[np.float32]] = {}

    def measure(self, model: Any, samples: Sequence[Feed]) -> None:
        """Find out how large each channel gets; what holds no row a token is left out."""
        names = [group.source for group in self.groups]
        for values in values_inside(model, names, samples):
            for group, value in zip(self.groups, values, strict=True):
                group.by_token = np.ndim(value) == 3
                rows = np.asarray(value, np.float32).reshape(-1, np.shape(value)[-1])
                peaks = np.abs(rows).max(axis=0)
                group.peaks = np.maximum(group.peaks, peaks) if group.peaks.size else peaks
                group.lowest = min(group.lowest, float(rows.min()))
        self.groups = [group for group in self.groups if group.by_token]

    def rewrite(self) -> int:
        """Put the int8 nodes in place; the number of products."""
        before: dict[int, list[Any]] = {}
        instead: dict[int, list[Any]] = {}
        folded: set[int] = set()
        evened = [self._even_out(group) for group in self.groups]
        for group, nodes in zip(self.groups, evened, strict=True):
            before[id(group.products[0])] = nodes
            rows = self._quantised_rows(group, nodes)
            for product in group.products:
                instead[id(product)] = self._product(product, group.source, rows, folded)
        nodes_now: list[Any] = []
        for node in self.graph.node:
            if id(node) not in folded:
                nodes_now += before.get(id(node), [])
                nodes_now += instead.get(id(node)) or self._table(node) or [node]
        del self.graph.node[:]
        self.graph.node.extend(nodes_now)
        self._drop_unused()
        return len(instead)

    def _even_out(self, group: _Group) -> list[Any]:
        """The node that divides channels, if one is needed; the weights take the factor over."""
        if _narrows(self.weights[group.products[0].output[0]]):
            return []
        largest = [np.abs(self.weights[p.output[0]]).max(axis=1) for p in group.products]
        weights = np.maximum(np.max(largest, axis=0), _FLOOR)
        factor = np.maximum(group.peaks, _FLOOR) ** _STRENGTH / weights ** (1 - _STRENGTH)
        factor = (factor / factor.mean()).astype(np.float32)
        for product in group.products:
            self.weights[product.output[0]] *= factor[:, None]
        if self._divide_values(group, 1 / factor):
            return []
        self._add_tensor(f"{group.source}/inverse", (1 / factor).astype(np.float32))
        names = [group.source, f"{group.source}/inverse"]
        return [self._node("Mul", names, [f"{group.source}/even"])]

    def _divide_values(self, group: _Group, inverse: NDArray[np.float32]) -> bool:
        """Let the values of the attention in front take a division over, where they can."""
        attention = self.makers.get(group.source)
        if attention is None or attention.op_type != _ATTENTION:
            return False
        total = self.makers.get(attention.input[2])
        if total is None or total.op_type != "Add" or len(self.readers[total.output[0]]) != 1:
            return False
        bias, product = self._bias(total), self._made_by(total, "MatMul")
        if product is None or product.output[0] not in self.weights:
            return False
        if not bias or len(self.readers[bias]) > 1:
            return False
        self.weights[product.output[0]] *= inverse[None].astype(np.float32)
        self.biases[bias] = (self._array(bias) * inverse).astype(np.float32)
        return True

    def _quantised_rows(self, group: _Group, nodes: list[Any]) -> tuple[list[str], str]:
        """The names of values, scale and zero point, and of each token's size if it was divided."""
        name = nodes[-1].output[0] if nodes else group.source
        base, size = group.source, ""
        if _narrows(self.weights[group.products[0].output[0]]):
            size = f"{base}/size"
            peak = name
            if group.lowest < -_SMALL:
                peak = f"{base}/magnitude"
                nodes.append(self._node("Abs", [name], [peak]))
            floor = max(_FLOOR, -group.lowest if peak == name else 0.0)
            self._add_tensor(f"{base}/floor", np.array(floor, np.float32))
            nodes += [
                self._largest(peak, f"{base}/largest"),
                self._node("Max", [f"{base}/largest", f"{base}/floor"], [size]),
                self._node("Div", [name, size], [f"{base}/rows"]),
            ]
            name = f"{base}/rows"
        parts = [f"{base}/{part}" for part in ("quantised", "scale", "zero_point")]
        nodes.append(self._node("DynamicQuantizeLinear", [name], parts))
        return parts, size

    def _product(
        self, product: Any, base: str, rows: tuple[list[str], str], folded: set[int]
    ) -> list[Any]:
        """The int8 form of one product, its bias included where nothing stands between."""
        (values, scale, zero_point), size = rows
        weight, output, bias = product.output[0], product.output[0], ""
        readers = self.readers.get(output, [])
        if len(readers) == 1 and readers[0].op_type == "Add" and not size:
            bias = self._bias(readers[0])
            if bias:
                folded.add(id(readers[0]))
                output = readers[0].output[0]
        self._add_int8(weight)
        if bias in self.biases:
            self._add_tensor(f"{bias}/divided", self.biases[bias])
            bias = f"{bias}/divided"
        names = [values, f"{weight}/int8", scale, f"{weight}/scale", zero_point, "", bias]
        whole = f"{output}/by_size" if size else output
        nodes = [
            self._node("MatMulIntegerToFloat", names[: 7 if bias else 5], [whole], domain=_CONTRIB)
        ]
        return [*nodes, self._node("Mul", [whole, size], [output])] if size else nodes

    def _add_int8(self, weight: str) -> None:
        """Symmetric, per output channel; 7 bits where pairs of products are added up in 16 bits."""
        largest = 127 if has_int8_dot_products() else 63
        values = self.weights[weight]
        scale = np.maximum(np.abs(values).max(axis=0) / largest, np.finfo(np.float32).tiny)
        self._add_tensor(f"{weight}/int8", np.rint(values / scale).astype(np.int8))
        self._add_tensor(f"{weight}/scale", scale.astype(np.float32))

    def _table(self, node: Any) -> list[Any]:
        """A look-up in a large table, from 16 bits."""
        table = node.input[0] if node.op_type == "Gather" else ""
        if table not in self.tensors or int(np.prod(self.tensors[table].dims)) < _LARGE_TABLE:
            return []
        values = self._array(table)
        if values.dtype != np.float32 or np.abs(values).max() > np.finfo(np.float16).max:
            return []
        half, output = f"{table}/half", node.output[0]
        self._add_tensor(half, values.astype(np.float16))
        node.input[0] = half
        node.output[0] = f"{output}/half"
        return [node, self._node("Cast", [f"{output}/half"], [output], to=1)]

    def _bias(self, total: Any) -> str:
        """The constant vector that an Add adds, or ""."""
        names = [n for n in total.input if n in self.tensors and len(self.tensors[n].dims) == 1]
        return names[0] if len(names) == 1 else ""

    def _made_by(self, node: Any, kind: str) -> Any:
        makers = (self.makers.get(name) for name in node.input)
        return next((maker for maker in makers if maker and maker.op_type == kind), None)

    def _array(self, name: str) -> Any:
        from onnx import numpy_helper

        return numpy_helper.to_array(self.tensors[name])

    def _add_tensor(self, name: str, values: Any) -> None:
        from onnx import numpy_helper

        if name not in self.tensors:
            self.tensors[name] = numpy_helper.from_array(values, name)
            self.graph.initializer.append(self.tensors[name])

    def _largest(self, name: str, output: str) -> Any:
        return self._node("ReduceMax", [name], [output], axes=[-1], keepdims=1)

    def _node(self, kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
        from onnx import helper

        return helper.make_node(kind, inputs, outputs, **attributes)

    def _drop_unused(self) -> None:
        used = {name for node in self.graph.node for name in node.input}
        tensors = [tensor for tensor in self.graph.initializer if tensor.name in used]
        del self.graph.initializer[:]
        self.graph.initializer.extend(tensors)
        del self.graph.value_info[:]


def _narrows(weights: NDArray[np.float32]) -> bool:
    """Whether a layer gives fewer channels than it reads."""
    return bool(weights.shape[0] > weights.shape[1])
