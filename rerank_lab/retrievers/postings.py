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
from dataclasses import dataclass, field
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
_LISTS_AT_HAND = 1 << 14
"""So many lists of terms stay at hand: where they lie, not what they hold."""
_COMMON, _USES = 32, 3
"""A list with one document of `_COMMON` is laid out as a column when asked for `_USES` times,"""
_COLUMN_BYTES = 64 << 20
"""while all columns of an index together take no more memory than this."""
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
    _at_hand: _AtHand = field(default_factory=lambda: _AtHand(), init=False, compare=False)

    def search(self, terms: Sequence[str], k: int) -> list[tuple[int, float]]:
        """(document number, score > 0) of the best k: by score, then by document id."""
        return self.weighted(Counter(terms), k)

    def weighted(self, terms: Mapping[str, float], k: int) -> list[tuple[int, float]]:
        """Like `search`, for a query that gives each of its terms a weight > 0."""
        query = []
        for term, times in terms.items():
            own = self._list(term)
            if own is not None:
                peak, factor = own.peak * times, np.float32(times)
                query.append(_WeightedList(peak, own.documents, own.weights, factor, own))
        contenders, scores = self._contenders(query, k)
        best = _best(scores, self.order.take(contenders), k)
        totals = scores.take(best)
        if any(column.own.absent for column in query):
            totals += _absent(query)
        return list(zip(contenders.take(best).tolist(), totals.tolist(), strict=True))

    def _contenders(self, query: Sequence[_WeightedList], k: int) -> tuple[Numbers, Floats]:
        """Documents among which the best k are, and their scores.

        The terms that can add most come first (MaxScore, Turtle and Flood 1995). As soon as no
        document without any of them can be among the best, the long lists of common words that are
        left are not gone through: they are looked up for whoever is close enough. `bound` is what
        the k-th best document has at least.
        """
        columns = [one for one in query if one.peak > 0]
        columns.sort(key=_peak, reverse=True)
        bound, rest = self._known_bound(query, k), sum(column.peak for column in columns)
        zeros = _borrowed_zeros(len(self.order))
        partial = _PartialScores(zeros[: len(self.order)])
        for place, column in enumerate(columns):
            if place and rest >= bound and len(column.documents) > 2 * partial.size >= 2 * k:
                bound = partial.bound(k, bound)
            if place and rest < bound:
                candidates = _narrowed(partial, columns[place:], k, bound)
                break
            partial.add(column)
            rest -= column.peak
        else:
            candidates = _narrowed(partial, (), k, bound)
        partial.clear()
        _SCRATCH.zeros = zeros
        return candidates.documents, candidates.exact_scores(query)

    def _known_bound(self, query: Sequence[_WeightedList], k: int) -> float:
        """What one term alone gives k documents at least; 0 where that is not known."""
        column = next((place for place, size in enumerate(TOPS) if k <= size), None)
        if self.tops is None or column is None:
            return 0.0
        best = [one.own.tops[column] * float(one.times) for one in query]
        return max(best, default=0.0) * _SLACK

    def _list(self, term: str) -> _List | None:
        """The list of a term, None where no document holds it."""
        own = self._at_hand.lists.get(term)
        if own is not None:
            if own.column is None and len(own.documents) * _COMMON > len(self.order):
                self._at_hand.count(own, len(self.order))
            return own
        number = self.terms.get(term)
        if number is None:
            return None
        place = slice(int(self.start[number]), int(self.start[number + 1]))
        documents, weights = self.documents[place], self.weights[place]
        peak = weights.max(initial=0) if self.peaks is None else self.peaks[number]
        tops = () if self.tops is None else tuple(self.tops[number].tolist())
        own = _List(float(peak), documents, weights, tops, float(self.absent[number]))
        self._at_hand.keep(term, own)
        return own

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


@dataclass(slots=True)
class _List:
    """The documents of a term, ascending, what it adds to each, and the most that it adds.

    `tops` are its row of `Postings.tops`, `absent` its place in `Postings.absent`. `column` is what
    it adds to every document of the index, where it is at hand.
    """

    peak: float
    documents: Ints
    weights: Floats
    tops: tuple[float, ...]
    absent: float
    uses: int = 1
    column: Floats | None = None


class _AtHand:
    """Where the lists of terms asked for last lie, and the columns of the most common ones.

    Threads share it: at worst a list is opened or a column is filled twice.
    """

    def __init__(self) -> None:
        self.lists: dict[str, _List] = {}
        self._free = _COLUMN_BYTES

    def keep(self, term: str, own: _List) -> None:
        """Have a list at hand. All are dropped once they are too many."""
        if len(self.lists) >= _LISTS_AT_HAND:
            self.lists.clear()
            self._free = _COLUMN_BYTES
        self.lists[term] = own

    def count(self, own: _List, documents: int) -> None:
        """Note that a common word was asked for; fill its column when that comes often."""
        own.uses += 1
        if own.uses >= _USES and self._free >= 4 * documents:
            self._free -= 4 * documents
            column = np.zeros(documents, np.float32)
            column[own.documents] = own.weights
            own.column = column


class _WeightedList(NamedTuple):
    """The list of a term of a query, which adds its weights `times` over, `peak` at most."""

    peak: float
    documents: Ints
    weights: Floats
    times: np.float32
    own: _List

    def added(self) -> Floats:
        """What the term adds to each document of the list."""
        return self.weights if self.times == 1 else self.weights * self.times

    def whole(self) -> Floats:
        """What the term adds to each document of the index; its column is at hand."""
        assert self.own.column is not None
        return self.own.column if self.times == 1 else self.own.column * self.times

    def added_to(self, documents: Ints) -> Floats:
        """What the term adds to each of some documents, 0 to those that the list does not hold."""
        if self.own.column is not None:
            added = self.own.column.take(documents)
        else:
            places = self.documents.searchsorted(documents)
            # Past the end, it is another document's.
            added = self.weights.take(places, mode="clip")
            added *= self.documents.take(places, mode="clip") == documents
        return added if self.times == 1 else added * self.times


_peak = operator.itemgetter(0)


def _absent(query: Sequence[_WeightedList]) -> np.float32:
    """What every document gets that matches a query."""
    constant = np.float32(0)
    for column in query:
        constant += np.float32(column.own.absent) * column.times
    return constant


class _PartialScores:
    """What the lists so far give each document, and which documents have anything.

    Lists wait until a score is asked for, and are added up at once: the calls cost more than the
    sums.

    Attributes:
        size: how many documents have a score, or more.
    """

    def __init__(self, scores: Floats) -> None:
        """`scores` are all 0."""
        self.size = 0
        self._scores = scores
        self._waiting: list[_WeightedList] = []
        self._documents: list[Numbers] = []
        self._untouched, self._distinct, self._dense = True, True, False

    def add(self, column: _WeightedList) -> None:
        """Add a list. Its documents are noted, unless very many have a score."""
        self._dense = self._dense or len(column.documents) * _SPARSE > len(self._scores)
        self._waiting.append(column)
        self.size += len(column.documents)

    def _add_up(self) -> None:
        lists = []
        for column in self._waiting:
            if self._dense and column.own.column is not None:
                self._scores += column.whole()
                self._untouched = False
            else:
                lists.append(column)
        self._waiting.clear()
        if not lists:
            return
        documents = _joined([one.documents for one in lists], np.intp)
        weights = _joined([one.added() for one in lists], np.float32)
        if self._untouched and len(lists) == 1:
            self._scores[documents] = weights
        else:
            self._distinct = False
            np.add.at(self._scores, documents, weights)
        self._untouched = False
        self._documents.append(documents)

    def of(self, documents: Numbers) -> Floats:
        """The scores of some documents."""
        self._add_up()
        return self._scores.take(documents)

    def near(self, k: int, bound: float, rest: float) -> tuple[Numbers, Floats, float]:
        """The documents that may be among the best k when each may get `rest`, and what they have.

        They come once each. `bound` is what the k-th best has at least; it is looked for
        anew, among those that have as much.
        """
        self._add_up()
        if self._dense:
            near = (self._scores >= max(bound - rest, _TINY)).nonzero()[0]
            scores = self._scores.take(near)
            high = scores[scores >= bound]
        else:
            near = _joined(self._documents, np.intp)
            scores = self._scores.take(near)
            high = self._scores.take(self._each_once(near[scores >= bound]))
        if len(high) >= k:
            bound = max(bound, float(_kth_best(high, k)) * _SLACK)
        near = near[scores >= max(bound - rest, _TINY)]
        if not self._dense:
            near = self._each_once(near)
        return near, self._scores.take(near), bound

    def _each_once(self, documents: Numbers) -> Numbers:
        return documents if self._distinct else _each_once(documents, len(self._scores))

    def bound(self, k: int, bound: float) -> float:
        """What the k-th best document has at least, as far as it is more than `bound`."""
        return self.near(k, bound, 0.0)[2]

    def clear(self) -> None:
        """Set what was changed to 0."""
        if self._dense:
            self._scores[:] = 0
        else:
            for documents in self._documents:
                self._scores[documents] = 0


def _joined(arrays: Sequence[NDArray[Any]], kind: type) -> NDArray[Any]:
    if len(arrays) == 1:
        return arrays[0].astype(kind, copy=False)
    return np.concatenate(arrays, dtype=kind) if arrays else np.zeros(0, kind)


def _each_once(documents: Numbers, size: int) -> Numbers:
    """The distinct ones of some numbers of documents, of which the index has `size`."""
    last, places = _scratch("places", np.int32, size), np.arange(len(documents), dtype=np.int32)
    last[documents] = places  # where each stands last
    distinct: Numbers = documents[last.take(documents) == places]
    return distinct


_SCRATCH = threading.local()


def _scratch(name: str, kind: type, size: int) -> NDArray[Any]:
    """An array of this thread, so large or larger: new memory for every query takes too long."""
    array: NDArray[Any] | None = getattr(_SCRATCH, name, None)
    if array is None or len(array) < size:
        array = np.zeros(size, kind)
        setattr(_SCRATCH, name, array)
    return array


def _borrowed_zeros(size: int) -> Floats:
    """Zeros. Whoever has set them to 0 again gives them back as `_SCRATCH.zeros`."""
    zeros: Floats = _scratch("zeros", np.float32, size)
    _SCRATCH.zeros = None
    return zeros


class _Candidates:
    """Documents that may be among the best k, and what the lists so far give them.

    Attributes:
        bound: What the k-th best has at least.
    """

    def __init__(self, documents: Numbers, scores: Floats, bound: float) -> None:
        self.documents, self.scores, self.bound = documents, scores, bound
        self._looked_up: dict[int, Floats] = {}

    def look_up(self, column: _WeightedList) -> None:
        """Add what a list gives them."""
        added = column.added_to(self.documents.astype(np.int32))
        self._looked_up[id(column)] = added
        self.scores = self.scores + added

    def prune(self, k: int, rest: float) -> None:
        """Drop those that are not among the best k when each may get `rest`."""
        if len(self.documents) <= k:
            return
        self.bound = max(self.bound, float(_kth_best(self.scores, k)) * _SLACK)
        possible = self.scores >= self.bound - rest
        self.documents, self.scores = self.documents[possible], self.scores[possible]
        for key, added in self._looked_up.items():
            self._looked_up[key] = added[possible]

    def exact_scores(self, query: Sequence[_WeightedList]) -> Floats:
        """Their scores, added up in the order of the query."""
        scores = np.zeros(len(self.documents), np.float32)
        wanted = self.documents.astype(np.int32)
        for column in query:
            added = self._looked_up.get(id(column))
            scores += column.added_to(wanted) if added is None else added
        return scores


def _narrowed(
    partial: _PartialScores, columns: Sequence[_WeightedList], k: int, bound: float
) -> _Candidates:
    """Which documents may be among the best k after these lists.

    A list that is short beside them is added up; in others they are looked up. `bound` is what the
    k-th best has at least.
    """
    rest = sum(column.peak for column in columns)
    candidates = _Candidates(*partial.near(k, bound, rest))
    looked_up = False
    for column in columns:
        if not looked_up and len(candidates.documents) * _LOOK_UP > len(column.documents):
            partial.add(column)
            candidates.scores = partial.of(candidates.documents)
        else:
            looked_up = True
            candidates.look_up(column)
        rest = max(rest - column.peak, 0.0)
        candidates.prune(k, rest)
    return candidates


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
    """The places of the best k; scores are above 0. By score, then by document id."""
    # As whole numbers, floats above 0 have the order that they have as floats.
    keys = scores.view(np.int32).astype(np.int64)
    np.negative(keys, out=keys)
    keys <<= 32
    keys |= order
    best: NDArray[np.int64] = keys.argsort()[:k]
    return best


def _kth_best(values: Floats, k: int) -> np.float32:
    ordered, place = values.copy(), len(values) - k
    ordered.partition(place)
    kth: np.float32 = ordered[place]
    return kth
