"""How often each term stands in each document, counted in stretches on all cores.

    python -m rerank_lab.retrievers.counting FOLDER FIRST LAST LANGUAGE STOP_WORDS OUT

counts the documents FIRST to LAST of a stored corpus in a process of its own and writes what it
counted into OUT, as arrays; progress goes to standard output. Processes are started as commands,
not forked: whoever builds an index may hold threads and models.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.context import Context
from rerank_lab.core.errors import BackendError
from rerank_lab.core.machine import cpu_threads
from rerank_lab.core.text import load_json
from rerank_lab.corpora.analysis import Analyzer
from rerank_lab.corpora.ascii_words import ascii_words
from rerank_lab.corpora.stored_documents import StoredDocuments, stored_documents

Ints = NDArray[np.int32]
_CHUNK = 2000
_BLOCK, _BLOCK_TEXTS = 8_000_000, 6000
"""Characters of the texts, and texts, that are cut into words together."""
_LEAST_BLOCK = 2000
"""So few texts are cut one by one, without Arrow."""
SEGMENT = 25_000
"""Documents that are counted and sorted together."""
_MOST_WORDS = 1_000_000
"""So many different words are remembered with their terms."""
_LEAST_SHARE = 25_000
"""Documents for which starting a process pays."""
_MOST_PROCESSES = 16
_VOCABULARY, _PAUSE_S = "vocabulary.json", 0.02


@dataclass(frozen=True, slots=True)
class IndexSegment:
    """What was counted in a stretch of documents that begins with number `first`.

    Attributes:
        first: the number of the first document.
        terms: term numbers, one for each pair of a term and a document that holds it.
            The entries of one term stand together.
        documents: of these pairs, counted from `first`; ascending for each term.
        frequencies: how often the term stands in the document.
        lengths: terms of each document, repetitions included.
    """

    first: int
    terms: Ints
    documents: Ints
    frequencies: Ints
    lengths: Ints

    def save(self, folder: Path) -> None:
        """Write the arrays into a folder."""
        for name in ("terms", "documents", "frequencies", "lengths"):
            file = folder / f"{self.first:010}-{name}.npy"
            np.save(file, getattr(self, name), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, first: int) -> IndexSegment:
        """The segment that `save` wrote there."""
        names = ("terms", "documents", "frequencies", "lengths")
        arrays = {n: np.load(folder / f"{first:010}-{n}.npy", allow_pickle=False) for n in names}
        return cls(first, **arrays)


class TermCounter:
    """Counts the terms of documents, stretch by stretch, with one vocabulary for all of them."""

    def __init__(self, analyzer: Analyzer) -> None:
        self.vocabulary: dict[str, int] = {}
        self._analyzer = analyzer
        self._codes = _Codes(self)
        self._terms, self._starts = array("i"), array("q", [0])

    def add_word(self, word: str) -> int:
        """The number of a new word; its terms are worked out once."""
        number = self.vocabulary
        self._terms.extend(
            [number.setdefault(term, len(number)) for term in self._analyzer.word_terms(word)]
        )
        self._starts.append(len(self._terms))
        return len(self._starts) - 2

    def segment(self, texts: Iterable[str], first: int) -> IndexSegment:
        """Count `texts`, the first of which is document number `first`."""
        count, pairs = 0, []
        for block in _blocks(texts):
            pairs.append(self._pairs(block, count))
            count += len(block)
        self._codes.keep_small()
        return _counted(np.concatenate(pairs) if pairs else np.zeros(0, np.int64), count, first)

    def _pairs(self, texts: list[str], first: int) -> NDArray[np.int64]:
        """A number for each term in each text, repetitions included: term << 32 | document."""
        plain = [n for n, text in enumerate(texts) if text.isascii()]
        if len(plain) < _LEAST_BLOCK:
            plain = []
        codes, numbers = array("i"), array("i")
        for number in sorted(set(range(len(texts))).difference(plain)):
            words = self._analyzer.document_words(texts[number])
            codes.extend(map(self._codes.__getitem__, words))
            numbers.extend([first + number] * len(words))
        pairs = self._expanded(np.frombuffer(codes, np.int32), np.frombuffer(numbers, np.int32))
        if not plain:
            return pairs
        block = ascii_words([texts[number] for number in plain])
        word_codes = np.array([self._codes[word] for word in block.distinct], np.int32)
        holders = np.repeat(np.array(plain, np.int32) + np.int32(first), block.counts)
        return np.concatenate([pairs, self._expanded(word_codes[block.codes], holders)])

    def _expanded(self, codes: Ints, numbers: Ints) -> NDArray[np.int64]:
        starts, terms = np.frombuffer(self._starts, np.int64), np.frombuffer(self._terms, np.int32)
        counts = (starts[1:] - starts[:-1])[codes]
        # Term i of a word lies i places behind the word's first one.
        places = np.repeat(starts[codes] - (np.cumsum(counts) - counts), counts)
        places += np.arange(len(places))
        pairs: NDArray[np.int64] = terms[places].astype(np.int64) << 32
        pairs |= np.repeat(numbers, counts)
        return pairs


def _blocks(texts: Iterable[str]) -> Iterator[list[str]]:
    """The texts in lists that are looked at together."""
    block: list[str] = []
    size = 0
    for text in texts:
        block.append(text)
        size += len(text)
        if size > _BLOCK or len(block) >= _BLOCK_TEXTS:
            yield block
            block, size = [], 0
    if block:
        yield block


def _counted(pairs: NDArray[np.int64], documents: int, first: int) -> IndexSegment:
    numbers = pairs & 0xFFFFFFFF
    lengths = np.bincount(numbers, minlength=documents).astype(np.int32)
    pairs.sort()
    new = np.flatnonzero(np.diff(pairs, prepend=-1))
    frequencies = np.diff(new, append=len(pairs)).astype(np.int32)
    pairs = pairs[new]
    terms, holders = (pairs >> 32).astype(np.int32), (pairs & 0xFFFFFFFF).astype(np.int32)
    return IndexSegment(first, terms, holders, frequencies, lengths)


class _Codes(dict[str, int]):
    """The number of each word; one that is new is looked at when it is asked for."""

    def __init__(self, counter: TermCounter) -> None:
        super().__init__()
        self._counter = counter

    def __missing__(self, word: str) -> int:
        code = self[word] = self._counter.add_word(word)
        return code

    def keep_small(self) -> None:
        """Forget the words when they are very many; they get new numbers, of the same terms."""
        if len(self) > _MOST_WORDS:
            self.clear()


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted in a corpus: its terms, sorted, and its segments in the documents' order.

    `parts` are segments, or where they lie; beside each list what number its terms have here.
    """

    terms: list[str]
    parts: list[tuple[NDArray[np.int32], list[IndexSegment | tuple[Path, int]]]]

    def segments(self) -> Iterator[IndexSegment]:
        """The segments, one in memory at a time where they lie on the disk.

        Terms of a segment may come in any order, but the entries of one term stand together.
        """
        for numbers, segments in self.parts:
            for one in segments:
                segment = one if isinstance(one, IndexSegment) else IndexSegment.load(*one)
                yield replace(segment, terms=numbers[segment.terms])


def _merged(parts: Sequence[tuple[Iterable[str], list[IndexSegment | tuple[Path, int]]]]) -> Counts:
    """One vocabulary for parts that each have their own. It does not tell what the parts were."""
    known: dict[str, int] = {}
    numbers = [
        np.array([known.setdefault(term, len(known)) for term in terms], np.int32)
        for terms, _ in parts
    ]
    terms = sorted(known)
    places = np.empty(len(terms), np.int32)
    places[[known[term] for term in terms]] = np.arange(len(terms), dtype=np.int32)
    segments = [segments for _, segments in parts]
    return Counts(terms, [(places[n], own) for n, own in zip(numbers, segments, strict=True)])


def count_texts(texts: Sequence[str], analyzer: Analyzer, ctx: Context) -> Counts:
    """Count texts that are in memory, in this process. Reports "indexing" with counts."""
    counter = TermCounter(analyzer)
    segments = _segments(counter, iter(texts), 0, len(texts), ctx)
    counts = _merged([(counter.vocabulary, list(segments))])
    ctx.report("indexing", len(texts), len(texts))
    return counts


def count_documents(
    documents: StoredDocuments, analyzer: Analyzer, folder: Path, ctx: Context
) -> Counts:
    """Count documents that lie on the disk, on all cores; `folder` takes what was counted.

    Raises:
        BackendError: One of the processes failed.
        Cancelled: `ctx` says so; the processes have ended then.
    """
    processes = min(cpu_threads(), len(documents) // _LEAST_SHARE, _MOST_PROCESSES)
    if processes < 2:
        return _count_here(documents, analyzer, folder, ctx)
    share = -(-len(documents) // processes)
    stretches = [
        (first, min(first + share, len(documents))) for first in range(0, len(documents), share)
    ]
    places = [folder / f"part-{number}" for number in range(len(stretches))]
    work = [
        _Process(documents.folder, stretch, analyzer, place)
        for stretch, place in zip(stretches, places, strict=True)
    ]
    _wait(work, len(documents), ctx)
    return _joined(places, stretches)


def _count_here(
    documents: StoredDocuments, analyzer: Analyzer, folder: Path, ctx: Context
) -> Counts:
    place, size = folder / "part-0", len(documents)
    texts = (document.content for document in documents)
    write_counts(texts, (0, size), analyzer, place, ctx)
    ctx.report("indexing", size, size)
    return _joined([place], [(0, size)])


def write_counts(
    texts: Iterator[str], stretch: tuple[int, int], analyzer: Analyzer, out: Path, ctx: Context
) -> None:
    """Count the texts of the documents of a stretch and write its segments and vocabulary."""
    out.mkdir()
    counter = TermCounter(analyzer)
    for segment in _segments(counter, texts, *stretch, ctx):
        segment.save(out)
    (out / _VOCABULARY).write_text(json.dumps(list(counter.vocabulary)), "utf-8")


def _segments(
    counter: TermCounter, texts: Iterator[str], first: int, last: int, ctx: Context
) -> Iterator[IndexSegment]:
    for start in range(first, last, SEGMENT):
        size = min(SEGMENT, last - start)
        yield counter.segment(
            _watched(islice(texts, size), start - first, last - first, ctx), start
        )


def _watched(texts: Iterator[str], done: int, total: int, ctx: Context) -> Iterator[str]:
    """The same texts; progress is reported and cancelling heeded on the way."""
    for number, text in enumerate(texts, done):
        if number % _CHUNK == 0:
            ctx.checkpoint()
            ctx.report("indexing", number, total)
        yield text


def _joined(places: Sequence[Path], stretches: Sequence[tuple[int, int]]) -> Counts:
    """What processes have left in these places."""
    parts: list[tuple[Iterable[str], list[IndexSegment | tuple[Path, int]]]] = []
    for place, (first, last) in zip(places, stretches, strict=True):
        terms: list[str] = load_json((place / _VOCABULARY).read_text("utf-8"))
        parts.append((terms, [(place, start) for start in range(first, last, SEGMENT)]))
    return _merged(parts)


class _Process:
    """One process that counts a stretch of documents. `done` says how many it has behind it."""

    def __init__(
        self, folder: Path, stretch: tuple[int, int], analyzer: Analyzer, out: Path
    ) -> None:
        package = Path(__file__).parents[2]
        path = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH", "")]))
        first, last = stretch
        words = [*map(str, (folder, first, last)), analyzer.language, str(analyzer.stop_words)]
        command = [sys.executable, "-m", __name__, *words, str(out)]
        self.done = 0
        self.errors = ""
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
        )
        self._readers = [
            threading.Thread(target=self._follow, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def code(self) -> int | None:
        """The exit code; None while it works."""
        return self._process.poll()

    def stop(self) -> None:
        """End it, if it has not ended, and wait for its last words."""
        if self.code is None:
            self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join()

    def _follow(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self.done = int(line)

    def _listen(self, stream: IO[str]) -> None:
        with stream:
            self.errors = stream.read()


def _wait(work: Sequence[_Process], total: int, ctx: Context) -> None:
    """Until all have ended well; the rest is stopped where one fails or nobody waits any more."""
    try:
        while any(process.code is None for process in work):
            ctx.checkpoint()
            ctx.report("indexing", sum(process.done for process in work), total)
            if any(process.code for process in work):
                break
            time.sleep(_PAUSE_S)
    finally:
        failed = [process for process in work if process.code]
        for process in work:
            process.stop()
    if failed:
        raise BackendError(
            "A process that counts the words of the corpus has failed.",
            hint="There may be too little memory or disk; try again.",
            details=failed[0].errors[-2000:],
        )
    ctx.report("indexing", total, total)


def main(words: Sequence[str]) -> int:
    """Count a stretch of a stored corpus, as the module's text says."""
    folder, first, last, language, stop_words, out = words
    documents = stored_documents(Path(folder))
    if documents is None:
        return 1

    def say(progress: Any) -> None:
        sys.stdout.write(f"{progress.done}\n")
        sys.stdout.flush()

    stretch = int(first), int(last)
    texts = (document.content for document in documents.between(*stretch))
    analyzer = Analyzer(language, stop_words == "True")
    write_counts(texts, stretch, analyzer, Path(out), Context(progress=say))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
