"""The inverted index of BM25: for every term the documents that hold it and what it adds there.

Scores are worked out when the index is built (Lu 2024, "BM25S", arXiv:2407.03618), so that a search
adds up a few stored columns. Formulas: Kamphuis et al. 2020, "Which BM25 do you mean?".
"""

from __future__ import annotations

import json
import math
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.context import Context
from rerank_lab.core.text import load_json
from rerank_lab.corpora.analysis import Analyzer
from rerank_lab.retrievers.base import DamagedIndex

VARIANTS = ("lucene", "robertson", "atire", "bm25l", "bm25+")
_CHUNK = 2000
_BLOCK = 64

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Weighting:
    """A BM25 variant with its parameters: k1 >= 0 (saturation), 0 <= b <= 1 (length)."""

    variant: str
    k1: float
    b: float
    delta: float = 0.5

    def idf(self, df: NDArray[Any], n: int) -> NDArray[np.float64]:
        """Inverse document frequency, never negative. `df` >= 1 documents of `n` hold the term."""
        df = df.astype(np.float64)
        value: NDArray[np.float64]
        if self.variant == "lucene":
            value = np.log1p((n - df + 0.5) / (df + 0.5))
        elif self.variant == "robertson":
            value = np.log(np.maximum((n - df + 0.5) / (df + 0.5), 1.0))
        elif self.variant == "atire":
            value = np.log(n / df)
        elif self.variant == "bm25l":
            value = np.log((n + 1) / (df + 0.5))
        else:
            value = np.log((n + 1) / df)
        return value

    def gain(self, tf: NDArray[Any], length: NDArray[Any]) -> NDArray[np.float64]:
        """What `tf` occurrences add, by `length` (the document's over the mean length)."""
        norm = 1 - self.b + self.b * length
        value: NDArray[np.float64]
        if self.variant in ("lucene", "robertson"):
            value = tf / (self.k1 * norm + tf)
        elif self.variant == "atire":
            value = tf * (self.k1 + 1) / (tf + self.k1 * norm)
        elif self.variant == "bm25l":
            c = tf / norm + self.delta
            value = (self.k1 + 1) * c / (self.k1 + c)
        else:
            value = (self.k1 + 1) * tf / (self.k1 * norm + tf) + self.delta
        return value

    def absent(self) -> float:
        """What an absent term adds, before idf: not 0 for BM25L and BM25+."""
        if self.variant not in ("bm25l", "bm25+"):
            return 0.0
        return float(self.gain(np.zeros(1), np.ones(1))[0])


@dataclass(frozen=True, slots=True)
class Postings:
    """`documents[start[t]:start[t+1]]` hold term t, ascending; `weights` is what it adds there.

    `absent[t]` is added to every document that matches a query with term t; `order` is each
    document's place when ids are sorted, which settles ties.
    """

    terms: Mapping[str, int]
    start: NDArray[np.int64]
    documents: Ints
    weights: Floats
    absent: Floats
    order: Ints

    def search(self, terms: Sequence[str], k: int) -> list[tuple[int, float]]:
        """(document number, score > 0) of the best k: by score, then by document id."""
        return self.weighted(Counter(term for term in terms if term in self.terms), k)

    def weighted(self, terms: Mapping[str, float], k: int) -> list[tuple[int, float]]:
        """Like `search`, for a query that gives each of its terms a weight > 0."""
        scores = np.zeros(len(self.order), dtype=np.float32)
        constant = np.float32(0)
        for number, times in ((self.terms[t], w) for t, w in terms.items() if t in self.terms):
            place = slice(int(self.start[number]), int(self.start[number + 1]))
            weights = self.weights[place]
            added = weights * np.float32(times) if times != 1 else weights
            np.add.at(scores, self.documents[place], added)
            constant += self.absent[number] * np.float32(times)
        contenders = _contenders(scores, k)
        best = contenders[np.lexsort((self.order[contenders], -scores[contenders]))][:k]
        return [(int(d), float(scores[d] + constant)) for d in best]

    def idf(self, term: str) -> float:
        """Inverse document frequency as Lucene has it, ln(1 + (N - df + 0.5) / (df + 0.5)).

        That of a term of no document for one that the index does not hold.
        """
        number, n = self.terms.get(term), len(self.order)
        df = 0 if number is None else int(self.start[number + 1] - self.start[number])
        return math.log1p((n - df + 0.5) / (df + 0.5))

    def save(self, folder: Path) -> None:
        """Write the arrays and the list of terms into a folder."""
        for name in ("start", "documents", "weights", "absent", "order"):
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)
        (folder / "terms.json").write_text(json.dumps(list(self.terms)), "utf-8")

    @classmethod
    def open(cls, folder: Path) -> Postings:
        """Memory-mapped. Raises OSError or ValueError when the files are damaged."""
        names = ("start", "documents", "weights", "absent", "order")
        arrays = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in names
        }
        listed = load_json((folder / "terms.json").read_text("utf-8"))
        entries = len(arrays["documents"])
        if (
            len(arrays["start"]) != len(listed) + 1
            or int(arrays["start"][-1]) != entries
            or len(arrays["weights"]) != entries
        ):
            raise ValueError("the parts of the index do not fit together")
        return cls({term: i for i, term in enumerate(listed)}, **arrays)


def open_stored(retriever: str, folder: Path, documents: int) -> Postings:
    """The index in `folder`, which must hold that many documents. Raises DamagedIndex."""
    try:
        postings = Postings.open(folder)
    except (OSError, ValueError, EOFError) as error:
        raise DamagedIndex.of(retriever, folder, str(error)) from error
    if len(postings.order) != documents:
        why = f"it holds {len(postings.order)} documents, not {documents}"
        raise DamagedIndex.of(retriever, folder, why)
    return postings


def build(
    texts: Sequence[str],
    ids: Sequence[str],
    analyzer: Analyzer,
    weighting: Weighting,
    ctx: Context,
) -> Postings:
    """Index `texts`; `ids` (same length) settle ties. Reports "indexing" with counts."""
    counted = _count(texts, analyzer, ctx)
    n = len(texts)
    df = np.bincount(counted.terms, minlength=len(counted.vocabulary))
    idf = weighting.idf(df, n) if len(df) else np.zeros(0)
    by_term = np.argsort(counted.terms, kind="stable")
    terms, documents = counted.terms[by_term], counted.documents[by_term]
    lengths = counted.lengths / max(1e-9, float(counted.lengths.mean()))
    gain = weighting.gain(counted.frequencies[by_term], lengths[documents])
    weights = (idf[terms] * (gain - weighting.absent())).astype(np.float32)
    start = np.zeros(len(df) + 1, dtype=np.int64)
    np.cumsum(df, out=start[1:])
    order = np.empty(n, dtype=np.int32)
    order[sorted(range(n), key=ids.__getitem__)] = np.arange(n, dtype=np.int32)
    absent = (idf * weighting.absent()).astype(np.float32)
    return Postings(counted.vocabulary, start, documents, weights, absent, order)


def _contenders(scores: Floats, k: int) -> NDArray[np.int64]:
    """The documents with a score among which the best k are, all that tie with the last included.

    Looks at blocks first: the k-th best of the blocks' maxima cannot lie above the k-th best score,
    and leaves few documents to look at one by one.
    """
    bound = np.float32(0)
    blocks = np.arange(0, len(scores), _BLOCK)
    if len(blocks) > k:
        bound = _kth_best(np.maximum.reduceat(scores, blocks), k)
    contenders = np.flatnonzero(scores >= bound if bound > 0 else scores)
    if len(contenders) > k:
        held = scores[contenders]
        contenders = contenders[held >= _kth_best(held, k)]
    return contenders


def _kth_best(values: Floats, k: int) -> np.float32:
    kth: np.float32 = np.partition(values, len(values) - k)[len(values) - k]
    return kth


@dataclass(frozen=True, slots=True)
class _Counted:
    vocabulary: dict[str, int]
    terms: Ints
    documents: Ints
    frequencies: Ints
    lengths: NDArray[np.int64]


def _count(texts: Sequence[str], analyzer: Analyzer, ctx: Context) -> _Counted:
    """(term, document, frequency) triples, by document."""
    vocabulary: dict[str, int] = {}
    lengths = np.zeros(len(texts), dtype=np.int64)
    parts: list[tuple[Ints, Ints, Ints]] = []
    for first in range(0, len(texts), _CHUNK):
        ctx.checkpoint()
        ctx.report("indexing", first, len(texts))
        flat = array("i")
        for number in range(first, min(first + _CHUNK, len(texts))):
            terms = analyzer.document_terms(texts[number])
            lengths[number] = len(terms)
            flat.extend([vocabulary.setdefault(term, len(vocabulary)) for term in terms])
        parts.append(_triples(np.frombuffer(flat, dtype=np.int32), lengths, first))
    ctx.report("indexing", len(texts), len(texts))
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return _Counted(vocabulary, joined[0], joined[1], joined[2], lengths)


def _triples(flat: Ints, lengths: NDArray[np.int64], first: int) -> tuple[Ints, Ints, Ints]:
    """Count a chunk's terms: `flat` holds them document after document from number `first`."""
    here = lengths[first : first + _CHUNK]
    numbers = np.repeat(np.arange(first, first + len(here), dtype=np.int64), here)
    keys, counts = np.unique((numbers << 32) | flat, return_counts=True)
    terms = (keys & 0xFFFFFFFF).astype(np.int32)
    return terms, (keys >> 32).astype(np.int32), counts.astype(np.int32)
