"""Designs and cells as the bytes that the lab database keeps.

A cell is one value of MessagePack: ids as a list, scores packed as 32-bit numbers where those hold
them exactly and as 64-bit ones elsewhere; all of it compressed where that makes it smaller. The
first byte says how the rest is written.
"""

from __future__ import annotations

import array
import json
import sys
import zlib
from dataclasses import fields
from typing import Any

import msgspec

from rerank_lab.core.errors import LabError
from rerank_lab.core.text import load_json
from rerank_lab.core.types import Ranking, Status, Trace
from rerank_lab.evaluation.experiments.cells import Cell, Design, Failure

_PLAIN, _COMPRESSED, _JSON = b"m", b"z", b"j"
_WORTH_COMPRESSING = 256
_LEVEL = 1
_NO_TRACE = Trace()
_TRACE_FIELDS = tuple((one.name, getattr(_NO_TRACE, one.name)) for one in fields(Trace))


class _PackedCell(msgspec.Struct, array_like=True):
    """A cell without the names of its query and pipeline, which its row has.

    `scale` and `doc_ids` are None without a ranking. `singles` and `doubles` are the scores, of
    which one is empty; ids behind the last score have none.
    """

    status: Status
    scale: str | None = None
    doc_ids: list[str] | None = None
    singles: bytes = b""
    doubles: bytes = b""
    trace: Trace = _NO_TRACE
    failure: Failure | None = None


_read = msgspec.msgpack.Decoder(_PackedCell).decode


def packed_cell(cell: Cell) -> bytes:
    """The bytes of a cell."""
    ranking = cell.ranking
    scores = [] if ranking is None else [one for one in ranking.scores if one is not None]
    singles, doubles = _packed_scores(scores)
    values = [
        cell.status.value,
        None if ranking is None else ranking.scale,
        None if ranking is None else ranking.doc_ids,
        singles,
        doubles,
        _changed_fields(cell.trace),
        cell.failure,
    ]
    try:
        written = msgspec.msgpack.encode(values)
    except UnicodeEncodeError:  # half a character of an id, which JSON alone can write
        return _JSON + json.dumps(msgspec.to_builtins(values)).encode()
    if len(written) > _WORTH_COMPRESSING:
        compressed = zlib.compress(written, _LEVEL)
        if len(compressed) < len(written):
            return _COMPRESSED + compressed
    return _PLAIN + written


def unpacked_cell(query_id: str, pipeline: str, content: bytes) -> Cell:
    """The cell of these bytes.

    Raises:
        ValueError, LabError: they are damaged, or of a later version.
    """
    packed = _unpacked(bytes(content))
    ranking = None
    if packed.doc_ids is not None:
        scores: list[float | None] = []
        scores += _scores(packed.singles, "f") or _scores(packed.doubles, "d")
        scores += [None] * (len(packed.doc_ids) - len(scores))
        if len(packed.doc_ids) < len(scores):
            raise ValueError("more scores than documents")
        ranking = Ranking.from_columns(query_id, packed.doc_ids, scores, packed.scale or "order")
    return Cell(query_id, pipeline, packed.status, ranking, packed.trace, packed.failure)


def packed_design(design: Design) -> bytes:
    """The bytes of a design."""
    return zlib.compress(json.dumps(design.to_json(), separators=(",", ":")).encode())


def unpacked_design(content: bytes) -> Design:
    """The design of these bytes, its pipelines by their names of today.

    Raises:
        ValueError: they are damaged, or of a later version.
    """
    try:
        return Design.from_json(load_json(zlib.decompress(content)))
    except (zlib.error, LabError) as error:
        raise ValueError(str(error)) from None


def _unpacked(content: bytes) -> _PackedCell:
    form, written = content[:1], content[1:]
    if form == _JSON:
        return msgspec.convert(load_json(written), _PackedCell, strict=False)
    if form == _COMPRESSED:
        try:
            written = zlib.decompress(written)
        except zlib.error as error:
            raise ValueError(str(error)) from None
    elif form != _PLAIN:
        raise ValueError(f"cells are not written as {form!r} in this version")
    return _read(written)


def _packed_scores(scores: list[float]) -> tuple[bytes, bytes]:
    """The scores as little-endian 32-bit numbers, or, where those differ, as 64-bit ones."""
    doubles = array.array("d", scores)
    singles = array.array("f", scores)
    if singles.tolist() == doubles.tolist():
        return _little_endian(singles), b""
    return b"", _little_endian(doubles)


def _scores(packed: bytes, kind: str) -> list[float]:
    numbers: array.array[float] = array.array(kind)
    numbers.frombytes(packed)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


def _little_endian(numbers: array.array[float]) -> bytes:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _changed_fields(trace: Trace) -> dict[str, Any]:
    """What a trace holds beyond an empty one."""
    values = ((name, getattr(trace, name), usual) for name, usual in _TRACE_FIELDS)
    return {name: value for name, value, usual in values if value != usual}
