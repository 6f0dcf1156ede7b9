"""The words of many ASCII texts at once: what `analysis` finds with a pattern, found with arrays.

Most of the time of building a keyword index goes into cutting texts into words. Here a block of
texts is one array of bytes; where words begin and end follows from the classes of neighbouring
bytes, and equal words are numbered by Arrow. A test holds it to the pattern, byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a block of texts, text after text.

    Attributes:
        distinct: the different words.
        codes: the place in `distinct` of each word in the texts.
        counts: how many words each text has.
    """

    distinct: list[str]
    codes: NDArray[np.int32]
    counts: NDArray[np.int64]


def _class_of(characters: str) -> Flags:
    flags = np.zeros(256, dtype=bool)
    flags[[ord(character) for character in characters]] = True
    return flags


_LETTERS = _class_of("_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_JOINERS = _class_of(".-'&")
_PLUS, _HASH = ord("+"), ord("#")


def ascii_words(texts: Sequence[str]) -> Words:
    """The words of ASCII texts, at most 2 GB together, as `Analyzer.document_words` has them."""
    import pyarrow as pa

    # Line ends around the texts: every byte has neighbours, and no word goes beyond its text.
    data = np.frombuffer(("\n" + "\n".join(texts) + "\n").encode("ascii"), np.uint8)
    inside, begins = _places(data)
    starts = np.flatnonzero(begins)
    offsets = np.empty(len(starts) + 1, np.int32)
    offsets[:-1] = (np.cumsum(inside, dtype=np.int32) - 1)[starts]
    letters = data[inside]
    offsets[-1] = len(letters)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(letters)]
    encoded = pa.StringArray.from_buffers(len(starts), buffers[1], buffers[2]).dictionary_encode()
    ends = np.cumsum([len(text) + 1 for text in texts])
    return Words(
        encoded.dictionary.to_pylist(),
        np.frombuffer(encoded.indices.buffers()[1], np.int32, len(starts)),  # to_numpy loads pandas
        np.diff(np.searchsorted(starts, ends, side="right"), prepend=0),
    )


def _places(data: Bytes) -> tuple[Flags, Flags]:
    """Which bytes are part of a word, and with which one begins."""
    letter = _LETTERS[data]
    inside = letter.copy()
    begins = letter.copy()
    begins[1:] &= ~letter[:-1]
    joins = _JOINERS[data[1:-1]] & letter[:-2] & letter[2:]
    inside[1:-1] |= joins
    begins[2:] &= ~joins
    hashes = (data[1:-1] == _HASH) & letter[:-2] & ~letter[2:]
    inside[1:-1] |= hashes
    plus = data == _PLUS
    pairs = plus[1:-1] & plus[2:] & letter[:-2]
    inside[1:-1] |= pairs
    inside[2:] |= pairs
    return inside, begins
