"""Attention as one operator of ONNX Runtime instead of the dozen that exporters write.

Texts run one at a time and unpadded, so that a mask made from the attention mask alone is all
zeros: the products, scale, mask, softmax and reshapes of a layer become one MultiHeadAttention.
Nothing here proves that a rewritten graph computes the same: whoever rewrites one compares both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_SCALES = ("Mul", "Div")
_DOMAIN = "com.microsoft"
_MASK_OPS = frozenset(
    {"Add", "Cast", "Concat", "Constant", "ConstantOfShape", "Equal", "Expand", "Gather", "Mul"}
    | {"Reshape", "Shape", "Slice", "Sub", "Unsqueeze", "Where", "Identity"}
)
"""What turns an attention mask into numbers to add; anything with positions needs more."""


def fuse_attention(path: Path) -> int:
    """Rewrite a graph's file in place; the number of layers whose attention is one operator now."""
    import onnx

    model = onnx.load(str(path))
    graph = _Graph(model.graph)
    count = sum(graph.fuse(softmax) for softmax in graph.of("Softmax"))
    if not count:
        return 0
    graph.drop_unused()
    if all(entry.domain != _DOMAIN for entry in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(_DOMAIN, 1))
    onnx.save(model, str(path))
    return count


def mask_keys(path: Path) -> bool:
    """Let every attention of a rewritten graph pass over tokens whose `attention_mask` is 0.

    Returns False, and changes nothing, where an attention is not one operator.
    """
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load(str(path))
    layers = [node for node in model.graph.node if node.op_type == "MultiHeadAttention"]
    if not layers or any(node.op_type == "Softmax" for node in model.graph.node):
        return False
    name = "attention_mask"
    shape = [1, "sequence"]
    model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.INT64, shape))
    cast = helper.make_node("Cast", [name], [f"{name}/keys"], to=TensorProto.INT32)
    model.graph.node.insert(0, cast)
    for node in layers:
        bias = list(node.input[3:4]) or [""]
        inputs = [*node.input[:3], *bias, f"{name}/keys"]
        del node.input[:]
        node.input.extend(inputs)
    onnx.save(model, str(path))
    return True


class _Graph:
    """The nodes of a graph with who makes and who reads each value."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.makers = {name: node for node in graph.node for name in node.output}
        self.readers: dict[str, list[Any]] = {}
        for node in graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.weights = {weight.name: weight for weight in graph.initializer}

    def of(self, kind: str) -> list[Any]:
        return [node for node in self.graph.node if node.op_type == kind]

    def fuse(self, softmax: Any) -> bool:
        """Put one operator in place of the attention around a softmax, if it has the known form."""
        from onnx import helper

        match = self._match(softmax)
        if match is None:
            return False
        inputs, heads, last = match
        place = next(i for i, node in enumerate(self.graph.node) if node is last)
        fused = helper.make_node(
            "MultiHeadAttention", inputs, list(last.output), domain=_DOMAIN, num_heads=heads
        )
        self.graph.node.remove(last)
        self.graph.node.insert(place, fused)
        return True

    def _match(self, softmax: Any) -> tuple[list[str], int, Any] | None:
        """Query, key and value as (1, tokens, width), the number of heads, and the last node."""
        scores = self._product(softmax.input[0])
        weighed = self._reader(softmax.output[0], "MatMul")
        if scores is None or weighed is None:
            return None
        joined = self._reader(weighed.output[0], "Transpose", through="Reshape")
        last = self._reader(joined.output[0], "Reshape") if joined is not None else None
        names = (scores.input[0], scores.input[1], weighed.input[1])
        split = [self._split(name) for name in names]
        if last is None or None in split:
            return None
        heads = {self._heads(node) for node in split}
        if len(heads) != 1 or not (count := heads.pop()):
            return None
        return [node.input[0] for node in split if node is not None], count, last

    def _product(self, name: str) -> Any:
        """The product of queries and keys behind a softmax; None when what is added may matter."""
        node = self.makers.get(name)
        while node is not None and node.op_type in ("Add", *_SCALES):
            onward = [i for i in node.input if self._leads_to(i, "MatMul")]
            rest = [i for i in node.input if i not in onward]
            if len(onward) != 1 or (node.op_type == "Add" and not self._only_masks(rest)):
                return None
            node = self.makers.get(onward[0])
        return node if node is not None and node.op_type == "MatMul" else None

    def _split(self, name: str) -> Any:
        """The Reshape that cuts (1, tokens, width) into heads, behind a transpose and a scale."""
        node = self.makers.get(name)
        while node is not None and node.op_type in (*_SCALES, "Transpose"):
            onward = [i for i in node.input if self._leads_to(i, "Reshape")]
            node = self.makers.get(onward[0]) if len(onward) == 1 else None
        return node if node is not None and node.op_type == "Reshape" else None

    def _leads_to(self, name: str, kind: str) -> bool:
        """Whether the nodes behind a value, scales and transposes passed over, end in `kind`."""
        node = self.makers.get(name)
        while node is not None and node.op_type in ("Add", "Transpose", *_SCALES):
            node = next((self.makers[i] for i in node.input if i in self.makers), None)
        return node is not None and node.op_type == kind

    def _reader(self, name: str, kind: str, through: str = "") -> Any:
        """The one node of a kind that reads a value, shape look-ups and `through` passed over."""
        for node in self.readers.get(name, ()):
            if node.op_type == kind:
                return node
            if through and node.op_type == through:
                return self._reader(node.output[0], kind)
        return None

    def _only_masks(self, names: Sequence[str]) -> bool:
        """Whether values come from the attention mask and constants alone."""
        waiting, seen = list(names), set()
        while waiting:
            name = waiting.pop()
            if name in seen or name == "attention_mask":
                continue
            seen.add(name)
            if name in self.weights:
                if int(np.prod(self.weights[name].dims)) > 16:
                    return False
                continue
            node = self.makers.get(name)
            if node is None or node.op_type not in _MASK_OPS:
                return False
            if node.op_type != "Shape":
                waiting += [i for i in node.input if i]
        return True

    def _heads(self, reshape: Any) -> int:
        """How many heads a Reshape to (batch, tokens, heads, size) makes; 0 when unknown."""
        shape = list(self._integers(reshape.input[1]))
        if len(shape) != 4:
            return 0
        heads, size = shape[2:]
        width = self._width(reshape.input[0])
        return heads if heads > 0 else width // size if size > 0 and width % size == 0 else 0

    def _width(self, name: str) -> int:
        """The last dimension of a projection, as its bias tells; 0 when it has none."""
        node = self.makers.get(name)
        biases = [self._weight(i) for i in node.input] if node is not None else []
        return next((int(bias.dims[0]) for bias in biases if bias and len(bias.dims) == 1), 0)

    def _weight(self, name: str) -> Any:
        """The tensor of that name; exporters name equal ones a second time by an Identity."""
        node = self.makers.get(name)
        while node is not None and node.op_type == "Identity":
            name = node.input[0]
            node = self.makers.get(name)
        return self.weights.get(name)

    def _integers(self, name: str) -> Iterator[int]:
        """The numbers of a shape; -1 for one that is computed."""
        from onnx import numpy_helper

        node = self.makers.get(name)
        if name in self.weights:
            yield from map(int, np.ravel(numpy_helper.to_array(self.weights[name])))
        elif node is not None and node.op_type == "Constant":
            value = next(a.t for a in node.attribute if a.name == "value")
            yield from map(int, np.ravel(numpy_helper.to_array(value)))
        elif node is not None and node.op_type == "Concat":
            for part in node.input:
                yield from self._integers(part)
        else:
            yield -1

    def drop_unused(self) -> None:
        """Remove nodes whose outputs nobody reads any more."""
        needed = {value.name for value in self.graph.output}
        needed_nodes = []
        for node in reversed(list(self.graph.node)):
            if needed & set(node.output):
                needed.update(node.input)
                needed_nodes.append(node)
        del self.graph.node[:]
        self.graph.node.extend(reversed(needed_nodes))
