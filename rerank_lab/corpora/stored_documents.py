"""The documents of an imported corpus, which stay on the disk: `corpus.jsonl` and its tables.

`corpus.jsonl` is what counts. Beside it lie, in a hidden folder, where each of its lines begins,
the ids, the documents that passages were cut from, and what would take a walk through all texts,
such as the content hash. The tables belong to one size and time of the file, and are made anew for
any other.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from abc import abstractmethod
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from pathlib import Path
from typing import Any, overload
from weakref import finalize

import msgspec
import numpy as np
from numpy.typing import NDArray

from rerank_lab.core.context import Context
from rerank_lab.core.errors import StorageError
from rerank_lab.core.storage import disk_errors, remove_folder, staged_folder, write_file
from rerank_lab.core.text import load_json
from rerank_lab.core.types import Document
from rerank_lab.corpora.key_table import KeyTable, KeyTableWriter, mapped
from rerank_lab.corpora.lookups import ContentDigest

_log = logging.getLogger(__name__)
CORPUS = "corpus.jsonl"
TABLES = ".documents"
"""The folder of the tables, beside `corpus.jsonl`."""
_MANIFEST, _FORMAT = "manifest.json", 1
_CHUNK = 2000
_WRITTEN_AT_ONCE = 4 << 20
_DAMAGED = (OSError, ValueError, KeyError, EOFError)


class DocumentLine(
    msgspec.Struct, rename={"id": "_id", "parent": "_parent"}, forbid_unknown_fields=True
):
    """A line of `corpus.jsonl`."""

    id: str
    text: str
    title: str = ""
    metadata: dict[str, Any] = {}
    parent: str = ""


_DECODER = msgspec.json.Decoder(DocumentLine)


class UnusualLines(ValueError):
    """A corpus file that was written by other hands: a reader has to look at it."""


def document_of(line: bytes) -> Document:
    """The document of a line as `corpora.store` writes it. Raises UnusualLines for any other."""
    try:
        row = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        row = _leniently(line)
    return Document(row.id, row.text, row.title, row.metadata, row.parent)


def _leniently(line: bytes) -> DocumentLine:
    """As Python's own JSON reads it, which knows NaN."""
    try:
        return msgspec.convert(load_json(line), DocumentLine)
    except (ValueError, msgspec.ValidationError) as error:
        raise UnusualLines(str(error)) from error


class _ByPlace(Sequence[Document]):
    """Documents that are read one at a time by their places; slices are tuples."""

    @overload
    def __getitem__(self, number: int) -> Document: ...
    @overload
    def __getitem__(self, number: slice) -> tuple[Document, ...]: ...
    def __getitem__(self, number: int | slice) -> Document | tuple[Document, ...]:
        if isinstance(number, slice):
            return tuple(self[place] for place in range(*number.indices(len(self))))
        place = number + len(self) if number < 0 else number
        if not 0 <= place < len(self):
            raise IndexError(number)
        return self._at(place)

    @abstractmethod
    def _at(self, place: int) -> Document:
        """The document at a place from 0 on that is there."""


class StoredDocuments(_ByPlace):
    """Documents in their order, read from the disk when they are looked at. Safe to share.

    Slices are tuples. Walking through all of them keeps one in memory at a time.
    """

    def __init__(self, folder: Path, tables: Path, about: Mapping[str, Any]) -> None:
        self.folder = folder
        """The folder of the corpus, with its `corpus.jsonl`."""
        self.content_hash = str(about["content_hash"])
        self._file = _File(folder / CORPUS)
        self._offsets = mapped(tables / "offsets.npy")
        self._blank = mapped(tables / "blank.npy")
        self._documents = int(about["documents"])
        self.ids = KeyTable.open(tables, "ids")
        self._parents: KeyTable | None = None
        if about["passages"]:
            self._parents = KeyTable.open(tables, "parents")
            self._parent_numbers = mapped(tables / "parent-numbers.npy")
            self._passage_starts = mapped(tables / "passage-starts.npy")
            self._passage_numbers = mapped(tables / "passage-numbers.npy")
        if len(self.ids) != len(self) or self._file.size != int(self._offsets[-1]):
            raise ValueError("the tables do not fit the corpus")

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def _at(self, place: int) -> Document:
        start, end = self._offsets[place : place + 2].tolist()
        return document_of(self._file.read(start, end - start))

    def __iter__(self) -> Iterator[Document]:
        return self.between(0, len(self))

    def between(self, first: int, last: int) -> Iterator[Document]:
        """The documents from number `first` to before `last`, one in memory at a time."""
        for start in range(first, last, _CHUNK):
            offsets = self._offsets[start : min(start + _CHUNK, last) + 1].tolist()
            data = self._file.read(offsets[0], offsets[-1] - offsets[0])
            for begin, end in pairwise(offsets):
                yield document_of(data[begin - offsets[0] : end - offsets[0]])

    def __repr__(self) -> str:
        return f"StoredDocuments({str(self.folder)!r}, {len(self)} documents)"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, StoredDocuments):
            return self.content_hash == other.content_hash
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(other) == len(self) and all(
            mine == theirs for mine, theirs in zip(self, other, strict=True)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def by_id(self) -> Mapping[str, Document]:
        """Documents (or passages) by their id."""
        return _ById(self)

    @property
    def parent_of(self) -> Mapping[str, str]:
        """Passage id -> document id, for the passages only; empty when nothing was cut."""
        return _ParentOf(self)

    @property
    def passages_of(self) -> Mapping[str, list[Document]]:
        """The passages of each document that was cut, by its id; empty when nothing was."""
        return _PassagesOf(self)

    @property
    def document_ids(self) -> AbstractSet[str]:
        """The ids that judgments may speak of."""
        return _DocumentIds(self)

    @property
    def blank_numbers(self) -> list[int]:
        """Where documents without any text stand."""
        numbers: list[int] = self._blank.tolist()
        return numbers

    def numbers_of(self, doc_id: str) -> list[int]:
        """Where documents stand whose `document_id` this is."""
        number = self.number(doc_id)
        whole = [] if number is None or self.parent_name(number) else [number]
        return sorted([*whole, *self.passage_numbers(doc_id)])

    def number(self, doc_id: object) -> int | None:
        """Where the document or passage of this id stands; None where there is none."""
        return self.ids.number(doc_id) if isinstance(doc_id, str) else None

    def parent_name(self, number: int) -> str:
        """The document that a passage was cut from; "" for what was not cut."""
        if self._parents is None:
            return ""
        parent = int(self._parent_numbers[number])
        return "" if parent < 0 else self._parents[parent]

    @property
    def parent_names(self) -> Sequence[str]:
        """The documents that were cut."""
        return () if self._parents is None else self._parents

    def passage_numbers(self, doc_id: object) -> list[int]:
        """Where the passages of a document stand, in order; empty for what was not cut."""
        if self._parents is None or not isinstance(doc_id, str):
            return []
        parent = self._parents.number(doc_id)
        if parent is None:
            return []
        start, end = self._passage_starts[parent], self._passage_starts[parent + 1]
        numbers: list[int] = self._passage_numbers[start:end].tolist()
        return numbers

    @property
    def all_passage_numbers(self) -> list[int]:
        """Where passages stand, in order."""
        if self._parents is None:
            return []
        numbers: list[int] = np.flatnonzero(self._parent_numbers >= 0).tolist()
        return numbers

    @property
    def passage_count(self) -> int:
        """How many of the documents are passages."""
        return 0 if self._parents is None else len(self._passage_numbers)

    @property
    def document_count(self) -> int:
        """How many documents there were before they were cut."""
        return self._documents


class _File:
    """A file that stays open, so that it can be read when another has taken its name.

    It is read, not mapped: pages of a map count as memory of the process, 64 KB for each look.
    """

    def __init__(self, path: Path) -> None:
        self._stream = path.open("rb", buffering=0)
        self._lock = threading.Lock()
        self.size = os.fstat(self._stream.fileno()).st_size
        finalize(self, self._stream.close)

    def read(self, start: int, size: int) -> bytes:
        """`size` bytes from `start` on. Safe to call from several threads."""
        if hasattr(os, "pread"):
            return os.pread(self._stream.fileno(), size, start)
        with self._lock:
            self._stream.seek(start)
            return self._stream.read(size)


class _ById(Mapping[str, Document]):
    def __init__(self, documents: StoredDocuments) -> None:
        self._documents = documents

    def __getitem__(self, doc_id: str) -> Document:
        number = self._documents.number(doc_id)
        if number is None:
            raise KeyError(doc_id)
        return self._documents[number]

    def __contains__(self, doc_id: object) -> bool:
        return self._documents.number(doc_id) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._documents.ids)

    def __len__(self) -> int:
        return len(self._documents)


class _ParentOf(Mapping[str, str]):
    def __init__(self, documents: StoredDocuments) -> None:
        self._documents = documents

    def __getitem__(self, doc_id: str) -> str:
        number = self._documents.number(doc_id) if len(self) else None
        parent = "" if number is None else self._documents.parent_name(number)
        if not parent:
            raise KeyError(doc_id)
        return parent

    def __iter__(self) -> Iterator[str]:
        ids = self._documents.ids
        return (ids[number] for number in self._documents.all_passage_numbers)

    def __len__(self) -> int:
        return self._documents.passage_count


class _PassagesOf(Mapping[str, list[Document]]):
    def __init__(self, documents: StoredDocuments) -> None:
        self._documents = documents

    def __getitem__(self, doc_id: str) -> list[Document]:
        numbers = self._documents.passage_numbers(doc_id)
        if not numbers:
            raise KeyError(doc_id)
        return [self._documents[number] for number in numbers]

    def __contains__(self, doc_id: object) -> bool:
        return doc_id in self._documents.parent_names

    def __iter__(self) -> Iterator[str]:
        return iter(self._documents.parent_names)

    def __len__(self) -> int:
        return len(self._documents.parent_names)


class _DocumentIds(AbstractSet[str]):
    def __init__(self, documents: StoredDocuments) -> None:
        self._documents = documents

    @classmethod
    def _from_iterable(cls, ids: Iterable[Any]) -> AbstractSet[Any]:
        return frozenset(ids)

    def __contains__(self, doc_id: object) -> bool:
        number = self._documents.number(doc_id)
        if number is not None and not self._documents.parent_name(number):
            return True
        return doc_id in self._documents.parent_names

    def __iter__(self) -> Iterator[str]:
        documents = self._documents
        yield from documents.parent_names
        for number, doc_id in enumerate(documents.ids):
            if not documents.parent_name(number) and doc_id not in documents.parent_names:
                yield doc_id

    def __len__(self) -> int:
        return self._documents.document_count


def lasting(documents: Sequence[Document]) -> Sequence[Document]:
    """The documents as a corpus holds them: as they lie on the disk, else as a tuple."""
    return documents if isinstance(documents, StoredDocuments) else tuple(documents)


def blank_numbers(documents: Sequence[Document]) -> list[int]:
    """Where documents without any text stand."""
    if isinstance(documents, StoredDocuments):
        return documents.blank_numbers
    return [n for n, document in enumerate(documents) if not document.content.strip()]


def usual_documents(folder: Path) -> tuple[Document, ...] | None:
    """All documents of a corpus file in memory; None where it is not as this program writes it."""
    try:
        with (folder / CORPUS).open("rb") as lines:
            documents = tuple(map(document_of, lines))
    except (OSError, UnusualLines):
        return None
    distinct = {document.id for document in documents}
    return documents if len(distinct) == len(documents) else None


def stored_documents(folder: Path, ctx: Context | None = None) -> StoredDocuments | None:
    """The documents of the corpus in `folder`; their tables are made when they are missing.

    None where the file is not as this program writes it, or no table can be written: whoever asks
    then reads all of it.
    """
    tables = folder / TABLES
    try:
        if not _is_current(folder, tables):
            _make_tables(folder, ctx or Context())
        try:
            return _opened(folder, tables)
        except _DAMAGED as error:
            _log.warning("The tables in %s are damaged and are made anew: %s", tables, error)
            remove_folder(tables)
        _make_tables(folder, ctx or Context())
        return _opened(folder, tables)
    except (UnusualLines, StorageError, *_DAMAGED) as error:
        _log.info("The documents in %s are read as a whole: %s", folder, error)
        return None


def _make_tables(folder: Path, ctx: Context) -> None:
    tables = folder / TABLES
    with staged_folder(tables, complete=lambda path: _is_current(folder, path)) as staged:
        write_tables(folder / CORPUS, staged, ctx)


def _opened(folder: Path, tables: Path) -> StoredDocuments:
    return StoredDocuments(folder, tables, _about(tables))


def _about(tables: Path) -> Mapping[str, Any]:
    about = load_json((tables / _MANIFEST).read_text("utf-8"))
    if not isinstance(about, dict) or about.get("format") != _FORMAT:
        raise ValueError("the tables have another format")
    return about


def _is_current(folder: Path, tables: Path) -> bool:
    try:
        about, state = _about(tables), (folder / CORPUS).stat()
    except (OSError, ValueError):
        return False
    return bool((about.get("size"), about.get("modified_ns")) == (state.st_size, state.st_mtime_ns))


def write_tables(file: Path, folder: Path, ctx: Context) -> None:
    """Write the tables of a corpus file into an empty folder, in one pass of bounded memory.

    Raises:
        UnusualLines: The file is not as this program writes it, or an id comes twice.
        StorageError: The folder cannot be written.
    """
    with disk_errors(folder):
        state = file.stat()
        tables = _TableWriter(folder)
        try:
            with file.open("rb") as stream:
                for number, line in enumerate(stream):
                    if number % _CHUNK == 0:
                        ctx.checkpoint()
                        ctx.report("Storing ids", number)
                    tables.add(document_of(line), len(line))
            about = tables.finish()
        finally:
            tables.discard()
        _write_about(folder, about, state)


def _write_about(tables: Path, about: dict[str, Any], state: os.stat_result) -> None:
    """The manifest of tables, which belong to a corpus file in that state."""
    about |= {"format": _FORMAT, "size": state.st_size, "modified_ns": state.st_mtime_ns}
    write_file(tables / _MANIFEST, json.dumps(about, indent=1))


class _TableWriter:
    """Writes the tables of documents that come one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ids = KeyTableWriter(folder, "ids")
        self.offsets = array("q", [0])
        self._blank = array("i")
        self._digest = ContentDigest()
        self._parents = KeyTableWriter(folder, "parents")
        self._parent_numbers = array("i")

    def add(self, document: Document, size: int) -> None:
        """The next document, whose line has so many bytes."""
        number = len(self._parent_numbers)
        self.offsets.append(self.offsets[-1] + size)
        self.ids.add(document.id)
        self._digest.add(document)
        if not document.content.strip():
            self._blank.append(number)
        parent = document.parent
        self._parent_numbers.append(self._parents.find_or_add(parent) if parent else -1)

    def finish(self) -> dict[str, Any]:
        """Write the files; what is not in them is returned. Raises UnusualLines for an id twice."""
        if not self.ids.finish():
            raise UnusualLines("an id comes twice")
        self._save("offsets", np.frombuffer(self.offsets, np.int64))
        self._save("blank", np.array(self._blank, np.int32))
        parents = np.array(self._parent_numbers, np.int32)
        passages = int((parents >= 0).sum())
        ids = KeyTable.open(self._folder, "ids")
        numbers = map(ids.number, self._parents)
        both = sum(number is not None and parents[number] < 0 for number in numbers)
        about = {
            "documents": len(parents) - passages + len(self._parents) - both,
            "passages": passages,
            "content_hash": self._digest.hexdigest(),
        }
        if passages:
            self._save_parents(parents)
        return about

    def discard(self) -> None:
        """Close and remove what is only needed while documents are added."""
        self.ids.discard()
        self._parents.discard()

    def _save_parents(self, parents: NDArray[Any]) -> None:
        count = len(self._parents)
        self._parents.finish()
        numbers = np.argsort(parents, kind="stable").astype(np.int32)[int((parents < 0).sum()) :]
        starts = np.zeros(count + 1, np.int64)
        np.cumsum(np.bincount(parents[parents >= 0], minlength=count), out=starts[1:])
        self._save("parent-numbers", parents)
        self._save("passage-starts", starts)
        self._save("passage-numbers", numbers)

    def _save(self, name: str, values: NDArray[Any]) -> None:
        np.save(self._folder / f"{name}.npy", values, allow_pickle=False)


class DocumentWriter(_ByPlace):
    """Writes the documents of a corpus, one after the other, with their tables.

    What was written can be looked at on the way. The texts are on the disk; some 50 bytes of memory
    a document stay.
    """

    def __init__(self, folder: Path) -> None:
        """Begin `corpus.jsonl` in a folder that has none.

        Raises:
            StorageError: The folder cannot be written.
        """
        self._folder = folder
        with disk_errors(folder):
            (folder / TABLES).mkdir(parents=True)
            self._tables = _TableWriter(folder / TABLES)
            self._out = (folder / CORPUS).open("xb", buffering=0)
        self._waiting: list[bytes] = []
        self._waiting_size = 0

    def __len__(self) -> int:
        return len(self._tables.offsets) - 1

    def _at(self, place: int) -> Document:
        written = len(self) - len(self._waiting)
        if place >= written:
            return document_of(self._waiting[place - written])
        start, end = self._tables.offsets[place : place + 2]
        with disk_errors(self._folder), (self._folder / CORPUS).open("rb", buffering=0) as stream:
            stream.seek(start)
            return document_of(stream.read(end - start))

    def add(self, document: Document) -> None:
        """The next document, whose id is new.

        Raises:
            StorageError: The disk is full, for example.
        """
        line = document_line(document)
        self._tables.add(document, len(line))
        self._waiting.append(line)
        self._waiting_size += len(line)
        if len(self._waiting) >= _CHUNK or self._waiting_size > _WRITTEN_AT_ONCE:
            self._write()

    def number(self, doc_id: str) -> int | None:
        """Where the document of this id stands; None where there is none so far."""
        return self._tables.ids.number(doc_id)

    def finish(self) -> StoredDocuments:
        """All that was added, as it lies on the disk now.

        Raises:
            StorageError: The disk is full, for example.
            UnusualLines: An id came twice.
        """
        with disk_errors(self._folder):
            self._write()
            self._out.close()
            tables = self._folder / TABLES
            try:
                about = self._tables.finish()
            finally:
                self._tables.discard()
            _write_about(tables, about, (self._folder / CORPUS).stat())
            return _opened(self._folder, tables)

    def close(self) -> None:
        """Let go of the files of an unfinished corpus; nothing where it is finished."""
        self._out.close()
        self._tables.discard()

    def _write(self) -> None:
        with disk_errors(self._folder):
            data = memoryview(b"".join(self._waiting))
            while data:
                data = data[self._out.write(data) :]
        self._waiting.clear()
        self._waiting_size = 0


def document_line(document: Document) -> bytes:
    """A document as a line of `corpus.jsonl`, in the layout of BEIR."""
    row: dict[str, Any] = {"_id": document.id, "title": document.title, "text": document.text}
    if document.meta:
        row["metadata"] = document.meta
    if document.parent:
        row["_parent"] = document.parent
    line = json.dumps(row, ensure_ascii=False, default=str) + "\n"
    try:
        return line.encode("utf-8")
    except UnicodeEncodeError:  # half of a character, in metadata: no UTF-8 has it
        return line.encode("utf-8", "replace")
