"""The inverted index of BM25: for every term the documents that hold it and what it adds there.

Scores are worked out when the index is built (Lu 2024, "BM25S", arXiv:2407.03618), so that a search
adds up a few stored columns. Formulas: Kamphuis et al. 2020, "Which BM25 do you mean?".
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.context import Context
from rerank_lab.core.text import load_json
from rerank_lab.corpora.analysis import Analyzer
from rerank_lab.corpora.key_table import KeyTable, mapped, write_table
from rerank_lab.corpora.stored_documents import StoredDocuments
from rerank_lab.retrievers.base import DamagedIndex
from rerank_lab.retrievers.counting import Counts, IndexSegment, count_documents, count_texts

VARIANTS = ("lucene", "robertson", "atire", "bm25l", "bm25+")
_BLOCK = 64
_SLACK = np.float32(1 - 1e-4)
"""Sums of float32 differ by their order; by less than this for any query."""
_SPARSE = 8
"""Where one document of so many is in a list at most, the others are not looked at."""
_ENOUGH = 4096
"""The best of so many documents with a rare word are about as good as the best of all."""
_LOOK_UP = 16
"""So many entries are added up in the time in which one is looked up."""
_PART = 1 << 20
_TERMS = "terms"

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

    `peaks[t]` is the most that term t adds anywhere; without `peaks` it is looked for in each
    search. `absent[t]` is added to every document that matches a query with term t; `order` is each
    document's place when ids are sorted, which settles ties.
    """

    terms: Mapping[str, int]
    start: NDArray[np.int64]
    documents: Ints
    weights: Floats
    absent: Floats
    order: Ints
    peaks: Floats | None

    def search(self, terms: Sequence[str], k: int) -> list[tuple[int, float]]:
        """(document number, score > 0) of the best k: by score, then by document id."""
        return self.weighted(Counter(terms), k)

    def weighted(self, terms: Mapping[str, float], k: int) -> list[tuple[int, float]]:
        """Like `search`, for a query that gives each of its terms a weight > 0."""
        numbered = ((self.terms.get(term), np.float32(times)) for term, times in terms.items())
        query = [(number, times) for number, times in numbered if number is not None]
        constant = np.float32(0)
        for number, times in query:
            constant += self.absent[number] * times
        contenders = self._contenders(query, k)
        scores = self._scores(query, contenders)
        best = _best(scores, self.order[contenders], k)
        return [(int(contenders[n]), float(scores[n] + constant)) for n in best]

    def _contenders(self, query: Sequence[tuple[int, np.float32]], k: int) -> NDArray[np.int64]:
        """Documents among which the best k are, in ascending order.

        The terms that can add most come first (MaxScore, Turtle and Flood 1995). As soon as no
        document without any of them can be among the best, the long lists of common words that are
        left are not gone through: whoever is close enough is a contender.
        """
        columns = sorted((self._list(number, times) for number, times in query), reverse=True)
        with _zeros(len(self.order)) as (scores, seen):
            return self._near_the_best(columns, scores, seen, k)

    def _near_the_best(
        self, columns: Sequence[_List], scores: Floats, seen: list[Ints], k: int
    ) -> NDArray[np.int64]:
        """As `_contenders`; adds up in `scores`, and notes in `seen` where these are not 0."""
        rest, size = sum(column.peak for column in columns), 0
        for place, column in enumerate(columns):
            if place and len(column.documents) > size >= k * place:
                near = _near(scores, seen, k, rest)
                if near is not None and len(near) * _LOOK_UP < len(column.documents):
                    near = np.unique(near)
                    return _narrowed(near, scores[near], columns[place:], k)
            times, weights = column.times, column.weights
            seen.append(column.documents)
            np.add.at(scores, column.documents, weights if times == 1 else weights * times)
            size += len(column.documents)
            rest -= column.peak
        if k * len(columns) < size < len(scores) // _SPARSE:
            near = _near(scores, seen, k, 0.0)
            if near is not None:
                return np.unique(near).astype(np.int64)
        return _contenders(scores, k)

    def _list(self, number: int, times: np.float32) -> _List:
        documents, weights = self._column(number)
        peak = weights.max(initial=0) if self.peaks is None else self.peaks[number]
        return _List(float(peak * times), number, documents, weights, times)

    def _column(self, number: int) -> tuple[Ints, Floats]:
        place = slice(int(self.start[number]), int(self.start[number + 1]))
        return self.documents[place], self.weights[place]

    def _scores(
        self, query: Sequence[tuple[int, np.float32]], documents: NDArray[np.int64]
    ) -> Floats:
        """The scores of some documents, added up in the order of the query's terms."""
        scores = np.zeros(len(documents), dtype=np.float32)
        wanted = documents.astype(np.int32)
        for number, times in query:
            holders, weights = self._column(number)
            places = np.searchsorted(holders, wanted)
            places[places == len(holders)] = 0
            held = holders[places] == wanted
            own = weights[places[held]]
            scores[held] += own * times if times != 1 else own
        return scores

    def idf(self, term: str) -> float:
        """Inverse document frequency as Lucene has it, ln(1 + (N - df + 0.5) / (df + 0.5)).

        That of a term of no document for one that the index does not hold.
        """
        number, n = self.terms.get(term), len(self.order)
        df = 0 if number is None else int(self.start[number + 1] - self.start[number])
        return math.log1p((n - df + 0.5) / (df + 0.5))

    def save(self, folder: Path) -> None:
        """Write the arrays and the table of terms into a folder; those that are its files stay."""
        for name in ("documents", "weights"):
            values = getattr(self, name)
            if isinstance(values, np.memmap):
                values.flush()
            else:
                np.save(folder / f"{name}.npy", values, allow_pickle=False)
        for name in ("start", "absent", "order", "peaks"):
            if getattr(self, name) is not None:
                np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)
        write_table(folder, _TERMS, self.terms)

    @classmethod
    def open(cls, folder: Path) -> Postings:
        """Memory-mapped. Raises OSError or ValueError when the files are damaged."""
        names = ("start", "documents", "weights", "absent", "order")
        arrays = {name: mapped(folder / f"{name}.npy") for name in names}
        file = folder / "peaks.npy"
        peaks = mapped(file) if file.exists() else None  # as stored until version 0.1
        terms = _stored_terms(folder)
        entries = len(arrays["documents"])
        if (
            len(arrays["start"]) != len(terms) + 1
            or int(arrays["start"][-1]) != entries
            or len(arrays["weights"]) != entries
            or (peaks is not None and len(peaks) != len(terms))
        ):
            raise ValueError("the parts of the index do not fit together")
        return cls(terms, **arrays, peaks=peaks)


class _StoredTerms(Mapping[str, int]):
    """The number of each term, looked up where it is stored."""

    def __init__(self, table: KeyTable) -> None:
        self._table = table

    def __getitem__(self, term: str) -> int:
        number = self._table.number(term)
        if number is None:
            raise KeyError(term)
        return number

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


def _stored_terms(folder: Path) -> Mapping[str, int]:
    listed = folder / "terms.json"
    if not listed.exists():
        return _StoredTerms(KeyTable.open(folder, _TERMS))
    # As indexes were stored until version 0.1: one list, read as a whole.
    return {term: number for number, term in enumerate(load_json(listed.read_text("utf-8")))}


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
    return weighted_postings(count_texts(texts, analyzer, ctx), ids, weighting, ctx)


def build_stored(
    documents: StoredDocuments,
    analyzer: Analyzer,
    weighting: Weighting,
    folder: Path,
    ctx: Context,
) -> None:
    """Index documents that lie on the disk into an empty folder: on all cores, bounded in memory.

    The scores are those of `build`, bit for bit. Reports "indexing" with counts.

    Raises:
        BackendError: A process that counts words failed.
    """
    with TemporaryDirectory(dir=folder, prefix="counts-") as place:
        counts = count_documents(documents, analyzer, Path(place), ctx)
        postings = weighted_postings(counts, documents.ids, weighting, ctx, folder)
    postings.save(folder)


def weighted_postings(
    counts: Counts,
    ids: Sequence[str],
    weighting: Weighting,
    ctx: Context,
    folder: Path | None = None,
) -> Postings:
    """The index of a counted corpus; `documents` and `weights` are files of a folder if given.

    One segment is in memory at a time, beside them.
    """
    n = len(ids)
    df = np.zeros(len(counts.terms), np.int64)
    lengths = np.zeros(n, np.int64)
    for segment in counts.segments():
        df += np.bincount(segment.terms, minlength=len(df))
        lengths[segment.first : segment.first + len(segment.lengths)] = segment.lengths
    idf = weighting.idf(df, n) if len(df) else np.zeros(0)
    start = np.zeros(len(df) + 1, dtype=np.int64)
    np.cumsum(df, out=start[1:])
    documents = new_array(folder, "documents", np.int32, int(start[-1]))
    weights = new_array(folder, "weights", np.float32, int(start[-1]))
    relative = lengths / max(1e-9, float(lengths.mean()))
    free = start[:-1].copy()
    for segment in counts.segments():
        ctx.checkpoint()
        for part in _parts(segment):
            gain = weighting.gain(part.frequencies, relative[part.documents + segment.first])
            added = (idf[part.terms] * (gain - weighting.absent())).astype(np.float32)
            places = next_places(part.terms, free)
            documents[places] = part.documents + np.int32(segment.first)
            weights[places] = added
    absent = (idf * weighting.absent()).astype(np.float32)
    numbers = {term: number for number, term in enumerate(counts.terms)}
    peaks = peaks_of(start, weights)
    return Postings(numbers, start, documents, weights, absent, order_of(ids), peaks)


def order_of(ids: Sequence[str]) -> Ints:
    """The place of each document when the ids are sorted."""
    order = np.empty(len(ids), dtype=np.int32)
    order[sorted(range(len(ids)), key=list(ids).__getitem__)] = np.arange(len(ids), dtype=np.int32)
    return order


def _parts(segment: IndexSegment) -> Iterator[IndexSegment]:
    """A segment in pieces of a bounded number of entries."""
    for first in range(0, len(segment.terms), _PART):
        piece = slice(first, first + _PART)
        yield IndexSegment(
            segment.first,
            segment.terms[piece],
            segment.documents[piece],
            segment.frequencies[piece],
            segment.lengths,
        )


def next_places(terms: Ints, free: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the next entries of these terms go; `free`, each term's next place, moves on.

    The entries of a term stand together.
    """
    begins = np.flatnonzero(np.diff(terms, prepend=-1))
    sizes = np.diff(begins, append=len(terms))
    places = np.arange(len(terms)) + np.repeat(free[terms[begins]] - begins, sizes)
    free[terms[begins]] += sizes
    return places


def new_array(folder: Path | None, name: str, kind: type, size: int) -> NDArray[Any]:
    """An array for an index; in a folder it is a file that is mapped into memory."""
    if folder is None or not size:
        return np.zeros(size, kind)
    file = folder / f"{name}.npy"
    return np.lib.format.open_memmap(file, mode="w+", dtype=kind, shape=(size,))


@dataclass(frozen=True, slots=True, order=True)
class _List:
    """The documents of a term of a query; lists are compared by the most that they can add."""

    peak: float
    number: int
    documents: Ints = field(compare=False)
    weights: Floats = field(compare=False)
    times: np.float32 = field(compare=False)

    def added_to(self, documents: Ints) -> Floats:
        """What the term adds to each of some documents, which are in ascending order."""
        places = np.searchsorted(self.documents, documents)
        places[places == len(self.documents)] = 0
        own = self.weights[places] * self.times
        return np.where(self.documents[places] == documents, own, np.float32(0))


_SCRATCH = threading.local()


@contextmanager
def _zeros(size: int) -> Iterator[tuple[Floats, list[Ints]]]:
    """An array of zeros for this thread, and a list for the places where they are changed.

    The array is used again: new memory for every query takes longer than the query itself.
    """
    scratch: Floats | None = getattr(_SCRATCH, "zeros", None)
    _SCRATCH.zeros = None
    if scratch is None or len(scratch) < size:
        scratch = np.zeros(size, dtype=np.float32)
    seen: list[Ints] = []
    yield scratch[:size], seen
    if sum(map(len, seen)) * 4 > size:
        scratch[:size] = 0
    else:
        for places in seen:
            scratch[places] = 0
    _SCRATCH.zeros = scratch


def _near(scores: Floats, lists: Sequence[Ints], k: int, rest: float) -> Ints | None:
    """Those of the listed documents that may be among the best k when each may still get `rest`.

    A document may come several times. None where documents of no list may be among the best too.
    """
    size, count = 0, 0
    while count < len(lists) and size < _ENOUGH:
        size += len(lists[count])
        count += 1
    if size < k * count:
        return None
    # Each document comes `count` times at most, so that the first k are among the first k * count.
    bound = _kth_best(scores[np.concatenate(lists[:count])], k * count) * _SLACK
    if bound <= rest:
        return None
    documents = np.concatenate(lists)
    return documents[scores[documents] >= bound - rest]


def _narrowed(
    documents: Ints, scores: Floats, columns: Sequence[_List], k: int
) -> NDArray[np.int64]:
    """Which of `documents` (distinct, ascending) may be among the best k after these lists."""
    rest = sum(column.peak for column in columns)
    for column in columns:
        scores = scores + column.added_to(documents)
        rest -= column.peak
        if len(documents) > k:
            kept = scores >= _kth_best(scores, k) * _SLACK - max(rest, 0.0)
            documents, scores = documents[kept], scores[kept]
    return documents.astype(np.int64)


def peaks_of(start: NDArray[np.int64], weights: Floats) -> Floats:
    """The largest weight of each term, which has one at least."""
    if len(start) < 2:
        return np.zeros(0, np.float32)
    peaks: Floats = np.maximum.reduceat(weights, start[:-1])
    return peaks


def _best(scores: Floats, order: Ints, k: int) -> NDArray[np.int64]:
    """The places of the best k with a score > 0: by score, then by document id."""
    places = np.flatnonzero(scores > 0)
    if len(places) > k:
        places = places[scores[places] >= _kth_best(scores[places], k)]
    best: NDArray[np.int64] = places[np.lexsort((order[places], -scores[places]))][:k]
    return best


def _contenders(scores: Floats, k: int) -> NDArray[np.int64]:
    """The documents with a score among which the best k are, all that tie with the last included.

    Looks at blocks first: the k-th best of the blocks' maxima cannot lie above the k-th best score,
    and leaves few documents to look at one by one. The scores may be off by their last digits.
    """
    bound = np.float32(0)
    blocks = np.arange(0, len(scores), _BLOCK)
    if len(blocks) > k:
        bound = _kth_best(np.maximum.reduceat(scores, blocks), k) * _SLACK
    contenders = np.flatnonzero(scores >= bound if bound > 0 else scores)
    if len(contenders) > k:
        held = scores[contenders]
        contenders = contenders[held >= _kth_best(held, k) * _SLACK]
    return contenders


def _kth_best(values: Floats, k: int) -> np.float32:
    kth: np.float32 = np.partition(values, len(values) - k)[len(values) - k]
    return kth
