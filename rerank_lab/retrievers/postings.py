"""The inverted index of BM25: for every term the documents that hold it and what it adds there.

Scores are worked out when the index is built (Lu 2024, "BM25S", arXiv:2407.03618), so that a search
adds up a few stored columns. Formulas: Kamphuis et al. 2020, "Which BM25 do you mean?".
"""

from __future__ import annotations

import math
import operator
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

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
TOPS = (10, 100, 1000)
"""The places at which the weights of a list are kept: they tell what the best k have at least."""
_TINY = 1e-30
_SLACK = 1 - 1e-4
"""Sums of float32 differ by their order; by less than this for any query."""
_SPARSE = 8
"""Where one document of so many is in a list, which documents have a score is not noted."""
_LOOK_UP = 16
"""So many entries are added up in the time in which one is looked up."""
_PART = 1 << 20
_TERMS = "terms"

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Numbers = NDArray[np.intp]


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

    `peaks[t]` is the most that term t adds anywhere, looked for in each search where it is None;
    `tops[t]` is what it adds to its 10th, 100th and 1000th best document, unused where it is None;
    with it, all weights are above 0.
    `absent[t]` is added to every document that matches a query with term t; `order` is each
    document's place when ids are sorted, which settles ties.
    """

    terms: Mapping[str, int]
    start: NDArray[np.int64]
    documents: Ints
    weights: Floats
    absent: Floats
    order: Ints
    peaks: Floats | None
    tops: Floats | None = None

    def search(self, terms: Sequence[str], k: int) -> list[tuple[int, float]]:
        """(document number, score > 0) of the best k: by score, then by document id."""
        return self.weighted(Counter(terms), k)

    def weighted(self, terms: Mapping[str, float], k: int) -> list[tuple[int, float]]:
        """Like `search`, for a query that gives each of its terms a weight > 0."""
        numbered = ((self.terms.get(term), np.float32(times)) for term, times in terms.items())
        query = [(number, times) for number, times in numbered if number is not None]
        constant = np.float32(0)
        if self.absent[[number for number, _ in query]].any():
            for number, times in query:
                constant += self.absent[number] * times
        contenders = np.sort(self._contenders(query, k))
        scores = self._scores(query, contenders)
        best = _best(scores, self.order[contenders], k)
        totals = (scores[best] + constant).tolist()
        return list(zip(contenders[best].tolist(), totals, strict=True))

    def _contenders(self, query: Sequence[tuple[int, np.float32]], k: int) -> Numbers:
        """Documents among which the best k are.

        The terms that can add most come first (MaxScore, Turtle and Flood 1995). As soon as no
        document without any of them can be among the best, the long lists of common words that are
        left are not gone through: they are looked up for whoever is close enough. `bound` is what
        the k-th best document has at least.
        """
        columns = [self._list(number, times) for number, times in query]
        columns = sorted((one for one in columns if one.peak > 0), key=_peak, reverse=True)
        bound, rest = self._known_bound(query, k), sum(column.peak for column in columns)
        with _zeros(len(self.order), self.tops is not None) as partial:
            for place, column in enumerate(columns):
                if place and rest >= bound and len(column.documents) > 2 * partial.size >= 2 * k:
                    bound = max(bound, partial.bound(k, bound))
                if place and rest < bound:
                    return _narrowed(partial, columns[place:], k, bound)
                partial.add(column)
                rest -= column.peak
            return _narrowed(partial, (), k, bound)

    def _known_bound(self, query: Sequence[tuple[int, np.float32]], k: int) -> float:
        """What one term alone gives k documents at least; 0 where that is not known."""
        column = next((place for place, size in enumerate(TOPS) if k <= size), None)
        if self.tops is None or column is None:
            return 0.0
        best = max((float(self.tops[number, column] * times) for number, times in query), default=0)
        return best * _SLACK

    def _list(self, number: int, times: np.float32) -> _List:
        documents, weights = self._column(number)
        peak = weights.max(initial=0) if self.peaks is None else self.peaks[number]
        return _List(float(peak * times), documents, weights, times)

    def _column(self, number: int) -> tuple[Ints, Floats]:
        place = slice(int(self.start[number]), int(self.start[number + 1]))
        return self.documents[place], self.weights[place]

    def _scores(self, query: Sequence[tuple[int, np.float32]], documents: Numbers) -> Floats:
        """The scores of some documents, added up in the order of the query's terms."""
        scores = np.zeros(len(documents), dtype=np.float32)
        wanted = documents.astype(np.int32)
        for number, times in query:
            scores += _looked_up(*self._column(number), times, wanted)
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
        for name in ("start", "absent", "order", "peaks", "tops"):
            if getattr(self, name) is not None:
                np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)
        write_table(folder, _TERMS, self.terms)

    @classmethod
    def open(cls, folder: Path) -> Postings:
        """Memory-mapped. Raises OSError or ValueError when the files are damaged."""
        names = ("start", "documents", "weights", "absent", "order")
        arrays = {name: mapped(folder / f"{name}.npy") for name in names}
        peaks, tops = _mapped_if_there(folder, "peaks"), _mapped_if_there(folder, "tops")
        terms = _stored_terms(folder)
        entries = len(arrays["documents"])
        if (
            len(arrays["start"]) != len(terms) + 1
            or int(arrays["start"][-1]) != entries
            or len(arrays["weights"]) != entries
            or any(best is not None and len(best) != len(terms) for best in (peaks, tops))
        ):
            raise ValueError("the parts of the index do not fit together")
        return cls(terms, **arrays, peaks=peaks, tops=tops)


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


def _mapped_if_there(folder: Path, name: str) -> Floats | None:
    """An array that indexes of earlier versions lack."""
    file = folder / f"{name}.npy"
    return mapped(file) if file.exists() else None


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
    tops = tops_of(start, weights)
    return Postings(numbers, start, documents, weights, absent, order_of(ids), peaks, tops)


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


class _List(NamedTuple):
    """The documents of a term of a query, and the most that it can add."""

    peak: float
    documents: Ints
    weights: Floats
    times: np.float32

    def added_to(self, documents: Numbers) -> Floats:
        """What the term adds to each of some documents, which are in ascending order."""
        return _looked_up(self.documents, self.weights, self.times, documents.astype(np.int32))


_peak = operator.itemgetter(0)


def _looked_up(holders: Ints, weights: Floats, times: np.float32, documents: Ints) -> Floats:
    """What a list adds to each of some documents, 0 to those that it does not hold."""
    places = holders.searchsorted(documents)
    own = weights.take(places, mode="clip")  # past the end, it is another document's
    own *= holders.take(places, mode="clip") == documents
    return own if times == 1 else own * times


class _PartialScores:
    """What the lists so far give each document, and which documents have anything.

    Attributes:
        size: how many documents have a score, or more.
    """

    def __init__(self, scores: Floats, positive: bool) -> None:
        """`scores` are all 0. An entry that adds nothing, of lists that are not all `positive`,
        lets a document be noted twice."""
        self.size = 0
        self._scores, self._positive = scores, positive
        self._lists: list[Numbers] = []
        self._dense = False

    def add(self, column: _List) -> None:
        """Add a list. Documents that come first are noted, unless very many have a score."""
        weights = column.weights if column.times == 1 else column.weights * column.times
        documents = column.documents.astype(np.intp)
        if self._dense or len(documents) * _SPARSE > len(self._scores):
            self._dense = True
            self.size += len(documents)
            self._scores[documents] += weights
            return
        held = self._scores[documents]
        new = documents[held == 0] if self._lists else documents
        held += weights
        self._scores[documents] = held
        self._lists.append(new)
        self.size += len(new)

    def of(self, documents: Numbers) -> Floats:
        """The scores of some documents."""
        return self._scores[documents]

    def near(self, least: float) -> tuple[Numbers, Floats]:
        """The documents with at least that score, each once, and their scores."""
        least = max(least, _TINY)
        if self._dense:
            near = np.flatnonzero(self._scores >= least)
            return near, self._scores[near]
        documents = np.concatenate(self._lists) if self._lists else np.zeros(0, np.intp)
        scores = self._scores[documents]
        possible = scores >= least
        if self._positive:
            return documents[possible], scores[possible]
        near = np.unique(documents[possible])
        return near, self._scores[near]

    def bound(self, k: int, least: float) -> float:
        """What the k-th best document has at least, where that is more than `least`; else 0."""
        scores = self.near(least)[1]
        return float(_kth_best(scores, k)) * _SLACK if len(scores) >= k else 0.0

    def clear(self) -> None:
        """Set what was changed to 0."""
        if self._dense:
            self._scores[:] = 0
        else:
            for documents in self._lists:
                self._scores[documents] = 0


_SCRATCH = threading.local()


@contextmanager
def _zeros(size: int, positive: bool) -> Iterator[_PartialScores]:
    """Scores of 0 for so many documents, in memory of this thread.

    The memory is used again: new memory for every query takes longer than the query itself.
    """
    scratch: Floats | None = getattr(_SCRATCH, "zeros", None)
    _SCRATCH.zeros = None
    if scratch is None or len(scratch) < size:
        scratch = np.zeros(size, dtype=np.float32)
    partial = _PartialScores(scratch[:size], positive)
    yield partial
    partial.clear()
    _SCRATCH.zeros = scratch


def _narrowed(partial: _PartialScores, columns: Sequence[_List], k: int, bound: float) -> Numbers:
    """Which documents may be among the best k after these lists.

    A list that is short beside them is added up; in others they are looked up. `bound` is what the
    k-th best has at least.
    """
    rest = sum(column.peak for column in columns)
    documents, scores = partial.near(bound - rest)
    documents, scores, bound = _pruned(documents, scores, k, bound, rest)
    looked_up = False
    for column in columns:
        if not looked_up and len(documents) * _LOOK_UP > len(column.documents):
            partial.add(column)
            scores = partial.of(documents)
        else:
            if not looked_up:
                documents.sort()
                scores, looked_up = partial.of(documents), True
            scores = scores + column.added_to(documents)
        rest = max(rest - column.peak, 0.0)
        documents, scores, bound = _pruned(documents, scores, k, bound, rest)
    return documents


def _pruned(
    documents: Numbers, scores: Floats, k: int, bound: float, rest: float
) -> tuple[Numbers, Floats, float]:
    """Those that may be among the best k when each may get `rest`, and what the k-th best has."""
    if len(documents) > k:
        bound = max(bound, float(_kth_best(scores, k)) * _SLACK)
        possible = scores >= bound - rest
        documents, scores = documents[possible], scores[possible]
    return documents, scores, bound


def tops_of(start: NDArray[np.int64], weights: Floats) -> Floats | None:
    """The 10th, 100th and 1000th largest weight of each term, of shape [n_terms, 3]; 0 for none.

    None where an entry adds nothing: an index with these has none such.
    """
    if len(weights) and weights.min() <= 0:
        return None
    tops = np.zeros((len(start) - 1, len(TOPS)), np.float32)
    sizes = np.diff(start)
    for number in np.flatnonzero(sizes >= TOPS[0]).tolist():
        own, size = weights[start[number] : start[number + 1]], int(sizes[number])
        places = [size - top for top in TOPS if top <= size]
        tops[number, : len(places)] = np.partition(own, places)[places]
    return tops


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


def _kth_best(values: Floats, k: int) -> np.float32:
    ordered, place = values.copy(), len(values) - k
    ordered.partition(place)
    kth: np.float32 = ordered[place]
    return kth
