"""Texts with their numbers, in files that are mapped into memory: a look-up reads a few bytes.

The keys lie one after the other; beside them their hashes, sorted, so that a key is found by binary
search and compared with what is stored. Nothing is unpickled, nothing is read at opening.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

_BYTES, _STARTS, _HASHES, _ROWS = "bytes", "starts", "hashes", "rows"
_WRITTEN_AT_ONCE = 1 << 20


class KeyTable(Sequence[str]):
    """Distinct texts in their order; `number` finds the place of one. Safe to share."""

    def __init__(self, parts: dict[str, NDArray[Any]]) -> None:
        self._bytes, self._starts = parts[_BYTES], parts[_STARTS]
        self._hashes, self._rows = parts[_HASHES], parts[_ROWS]
        self._hash_view = self._hashes.data

    @classmethod
    def open(cls, folder: Path, name: str) -> KeyTable:
        """The table `name` of a folder, memory-mapped.

        Raises:
            OSError: A file is missing or cannot be read.
            ValueError: The files are damaged or do not fit together.
        """
        names = (_BYTES, _STARTS, _HASHES, _ROWS)
        parts = {part: mapped(folder / f"{name}-{part}.npy") for part in names}
        size = len(parts[_ROWS])
        if (
            len(parts[_STARTS]) != size + 1
            or len(parts[_HASHES]) != size
            or int(parts[_STARTS][-1]) != len(parts[_BYTES])
        ):
            raise ValueError(f"the parts of the table {name} do not fit together")
        return cls(parts)

    def number(self, key: str) -> int | None:
        """The place of a key, counted from 0; None where it is not in the table."""
        data = _encoded(key)
        value, hashes = _hash(data), self._hash_view
        place = bisect_left(hashes, value)
        while place < len(hashes) and hashes[place] == value:
            row = int(self._rows[place])
            if self._stored(row) == data:
                return row
            place += 1
        return None

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.number(key) is not None

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> list[str]: ...
    def __getitem__(self, number: int | slice) -> str | list[str]:
        if isinstance(number, slice):
            return [self[place] for place in range(*number.indices(len(self)))]
        place = number + len(self) if number < 0 else number
        if not 0 <= place < len(self):
            raise IndexError(number)
        return self._stored(place).decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        for place in range(len(self)):
            yield self._stored(place).decode("utf-8", "surrogatepass")

    def __len__(self) -> int:
        return len(self._rows)

    def some(self, numbers: Sequence[int]) -> list[str]:
        """The keys at these places, which count from 0."""
        places = np.asarray(numbers, np.int64)
        data, ends = self._bytes.data, self._starts[places + 1].tolist()
        starts = self._starts[places].tolist()
        return [
            str(data[start:end], "utf-8", "surrogatepass")
            for start, end in zip(starts, ends, strict=True)
        ]

    def _stored(self, row: int) -> bytes:
        data: bytes = self._bytes[self._starts[row] : self._starts[row + 1]].tobytes()
        return data


class KeyTableWriter:
    """Collects keys in their order. Their texts go to a file; 16 bytes of memory a key stay.

    Whoever asks for the numbers of keys on the way has them looked up in a table of hashes, which
    takes 8 to 16 bytes more.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._hashes, self._starts = array("Q"), array("q", [0])
        self._data, self._written = bytearray(), 0
        self._spool = (folder / f"{name}.part").open("w+b")
        # Open addressing: a number + 1 in each slot that is taken. Empty until a key is looked up.
        self._slots = array("I")

    def __len__(self) -> int:
        return len(self._hashes)

    def __iter__(self) -> Iterator[str]:
        for number in range(len(self)):
            yield self._key(number).decode("utf-8", "surrogatepass")

    def add(self, key: str) -> None:
        """Append a key. Whether it is there already is found out at the end."""
        data = _encoded(key)
        value = _hash(data)
        if self._slots:
            self._make_room()
            self._slots[self._slot(value)] = len(self) + 1
        self._append(data, value)

    def number(self, key: str) -> int | None:
        """The place of a key that was added, counted from 0; None where it was not."""
        data = _encoded(key)
        return self._number(data, _hash(data))

    def find_or_add(self, key: str) -> int:
        """The place of a key, which is added where it is new."""
        data = _encoded(key)
        value = _hash(data)
        number = self._number(data, value)
        if number is not None:
            return number
        self._slots[self._slot(value)] = len(self) + 1
        self._append(data, value)
        return len(self) - 1

    def _append(self, data: bytes, value: int) -> None:
        self._hashes.append(value)
        self._starts.append(self._starts[-1] + len(data))
        self._data += data
        if len(self._data) >= _WRITTEN_AT_ONCE:
            self._spool.write(self._data)
            self._written += len(self._data)
            self._data.clear()

    def _number(self, data: bytes, value: int) -> int | None:
        self._make_room()
        slots, hashes, mask = self._slots, self._hashes, len(self._slots) - 1
        place = value & mask
        while taken := slots[place]:
            if hashes[taken - 1] == value and self._key(taken - 1) == data:
                return taken - 1
            place = (place + 1) & mask
        return None

    def _slot(self, value: int) -> int:
        """The next free slot for a hash."""
        slots, mask = self._slots, len(self._slots) - 1
        place = value & mask
        while slots[place]:
            place = (place + 1) & mask
        return place

    def _make_room(self) -> None:
        """At most half of the slots are taken once a further key has come."""
        if 2 * (len(self) + 1) <= len(self._slots):
            return
        size = max(1024, len(self._slots))
        while size < 2 * (len(self) + 1):
            size *= 2
        self._slots = array("I", bytes(4 * size))
        for number, value in enumerate(self._hashes):
            self._slots[self._slot(value)] = number + 1

    def _key(self, number: int) -> bytes:
        """The bytes of a key, from the file or from what is not written yet."""
        start, end = self._starts[number], self._starts[number + 1]
        if start >= self._written:
            return bytes(self._data[start - self._written : end - self._written])
        self._spool.seek(start)
        data = self._spool.read(end - start)
        self._spool.seek(0, 2)
        return data

    def finish(self) -> bool:
        """Write the files of the table; False where a key was added twice."""
        self._spool.write(self._data)
        self._spool.flush()
        self._slots = array("I")
        size = self._starts[-1]
        file = self._folder / f"{self._name}.part"
        stored = np.memmap(file, np.uint8, "r") if size else np.zeros(0, np.uint8)
        hashes = np.frombuffer(self._hashes, np.uint64)
        rows = np.argsort(hashes, kind="stable").astype(np.int32)
        parts = {
            _BYTES: np.asarray(stored),
            _STARTS: np.frombuffer(self._starts, np.int64),
            _HASHES: hashes[rows],
            _ROWS: rows,
        }
        for part, values in parts.items():
            np.save(self._folder / f"{self._name}-{part}.npy", values, allow_pickle=False)
        distinct = _are_distinct(KeyTable(parts), parts[_HASHES], rows)
        self.discard()
        return distinct

    def discard(self) -> None:
        """Close and remove what is only needed while keys are added."""
        self._spool.close()
        (self._folder / f"{self._name}.part").unlink(missing_ok=True)


def write_table(folder: Path, name: str, keys: Iterable[str]) -> None:
    """Write the table of some distinct keys. Raises ValueError where one comes twice."""
    writer = KeyTableWriter(folder, name)
    for key in keys:
        writer.add(key)
    if not writer.finish():
        raise ValueError(f"a key of the table {name} comes twice")


def mapped(file: Path) -> NDArray[Any]:
    """An array of a `.npy` file, memory-mapped, read-only.

    Raises:
        OSError: The file is missing or cannot be read.
        ValueError: It holds no array, or one of objects.
    """
    # A plain array over the same memory: one number of a memmap takes three times as long.
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))


def _are_distinct(table: KeyTable, hashes: NDArray[Any], rows: NDArray[Any]) -> bool:
    same = np.flatnonzero(hashes[1:] == hashes[:-1])
    keys = [table[int(rows[place])] for place in np.union1d(same, same + 1)]
    return len(set(keys)) == len(keys)


def _encoded(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _hash(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")
