"""A named run of bytes (a file or an upload) and how it becomes lines of text."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, BinaryIO, cast

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.problems import ProblemLog
from rerank_lab.core.text import encodable
from rerank_lab.corpora.limits import DEFAULT_LIMITS, MB, Limits, check_size
from rerank_lab.remote.objects.store import FileOrigin

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 256 << 10
LINES = "lines"
"""The tally of a `ProblemLog` that counts the lines of a file."""
_XZ_MAGIC = b"\xfd7zXZ\x00"
_XZ_MEMORY = 256 << 20
"""Bytes that unpacking may take; `xz -9` needs 65 MB."""
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_ESCAPED = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class Source:
    """Bytes with the name that problems are reported under. Either `path` or `data` is set.

    Bytes compressed with gzip, bzip2, xz or Zstandard are decompressed wherever they are read.
    """

    name: str
    path: Path | None = None
    data: bytes = field(default=b"", repr=False)
    limits: Limits = field(default=DEFAULT_LIMITS, repr=False)
    origin: FileOrigin | None = field(default=None, repr=False)
    """Where it was brought from, if that is not this machine."""

    @classmethod
    def of(cls, path: Path, name: str = "") -> Source:
        """The source that a file (or a folder) is."""
        return cls(name or path.name, path)

    @property
    def size(self) -> int:
        """Bytes as they are stored, before decompression."""
        return self.path.stat().st_size if self.path else len(self.data)

    @property
    def suffix(self) -> str:
        """The extension in lower case, such as `.csv`, without that of a compression."""
        return PurePath(uncompressed_name(self.name)).suffix.lower()

    @property
    def plain_path(self) -> Path | None:
        """The path of a file whose bytes can be used as they are."""
        return None if self._compression else self.path

    def open(self) -> BinaryIO:
        """A stream of the (decompressed) bytes.

        Reading it raises InvalidInput when they are damaged or far more than a compressed text
        can be.
        """
        if compression := self._compression:
            stored = compression(self._open_stored())
            raw = _BoundedStream(self.name, stored, self.size, self.limits)
            return cast(BinaryIO, io.BufferedReader(raw))
        return self._open_stored()

    def read(self) -> bytes:
        """All the (decompressed) bytes, of at most 200 MB where they are compressed."""
        if self._compression is None:
            with self._open_stored() as stored:
                return stored.read()
        limit = DEFAULT_LIMITS.page_file
        with self.open() as stream:
            data = stream.read(limit + 1)
        check_size(f"{self.name}, decompressed,", len(data), limit)
        return data

    def head(self, size: int = 64 << 10) -> bytes:
        """The first (decompressed) bytes."""
        with self.open() as stream:
            return stream.read(size)

    def _open_stored(self) -> BinaryIO:
        if self.path is None:
            return io.BytesIO(self.data)
        try:
            return self.path.open("rb")
        except OSError as error:
            raise InvalidInput(
                f"{self.name} cannot be read: {error.strerror or error}.",
                hint="Check that the file is there, and that you may read it.",
            ) from error

    @property
    def _compression(self) -> Callable[[BinaryIO], BinaryIO] | None:
        if self.path and self.path.is_dir():
            return None
        with self._open_stored() as stream:
            start = stream.read(len(_XZ_MAGIC))
        return next((opener for magic, opener in _COMPRESSIONS if start.startswith(magic)), None)


def uncompressed_name(name: str) -> str:
    """A file name without `.gz`, `.bz2`, `.zst` or `.xz`."""
    path = PurePath(name)
    return name[: -len(path.suffix)] if path.suffix.lower() in COMPRESSED_SUFFIXES else name


class _BoundedStream(io.RawIOBase):
    """Decompressed bytes, counted as they come: the size that a file states is not believed."""

    def __init__(self, name: str, stream: BinaryIO, stored: int, limits: Limits) -> None:
        self._name = name
        self._stream = stream
        self._left = min(limits.decompressed, max(10 * MB, stored * limits.archive_ratio))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except Exception as error:  # damaged bytes make the decompressor raise anything
            raise InvalidInput(
                f"{self._name} cannot be decompressed: {error or 'it is damaged'}.",
                hint="Check that it was sent completely, or compress it again.",
            ) from error
        self._left -= len(data)
        if self._left < 0:
            raise InvalidInput(
                f"{self._name} decompresses to far more than its size; it is not read.",
                hint="Decompress it yourself and give the file inside, if you trust it.",
            )
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


class _XzStream:
    """Decompressed bytes of an xz file, which may be several streams one after the other.

    What a file says it needs in memory is not believed: the decompressor gets a limit.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decompressor = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)

    def read(self, size: int) -> bytes:
        """At most so many bytes; none at the end."""
        while True:
            if self._decompressor.eof:
                stored = self._decompressor.unused_data or self._stream.read(size)
                if not stored.strip(b"\x00"):
                    return b""
                self._decompressor = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
            else:
                needs = self._decompressor.needs_input
                stored = self._stream.read(size) if needs else b""
                if needs and not stored:
                    raise EOFError("it ends in the middle")
            if data := self._decompressor.decompress(stored, size):
                return data

    def close(self) -> None:
        """Close the stream of stored bytes."""
        self._stream.close()


def _zstandard(stream: BinaryIO) -> BinaryIO:
    import pyarrow

    return cast(BinaryIO, pyarrow.input_stream(stream, compression="zstd"))


COMPRESSED_SUFFIXES = (".gz", ".bz2", ".zst", ".xz")
_COMPRESSIONS: tuple[tuple[bytes, Callable[[BinaryIO], BinaryIO]], ...] = (
    (b"\x1f\x8b", lambda stream: cast(BinaryIO, gzip.GzipFile(fileobj=stream))),
    (b"BZh", lambda stream: cast(BinaryIO, bz2.BZ2File(stream))),
    (b"\x28\xb5\x2f\xfd", _zstandard),
    (_XZ_MAGIC, lambda stream: cast(BinaryIO, _XzStream(stream))),
)


_LATIN_PAGES = ("cp1250", "cp1257", "cp1254", "iso8859_2", "iso8859_3", "iso8859_4", "iso8859_15",
                "iso8859_10", "iso8859_13", "iso8859_14", "iso8859_16", "latin_1", "mac_latin2",
                "mac_roman", "mac_iceland", "mac_turkish", "cp437", "cp850", "cp852", "cp858",
                "cp1258", "cp775", "hp_roman8")  # fmt: skip
_WESTERN = frozenset("àâãåæçèêëìïñòõøùûÿÀÂÃÅÆÇÈÊËÌÏÑÒÕØÙÛœŒ¿¡ªº«»–—‘’“”„…€")
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_IN_WORD = re.compile(rb"(?<=[A-Za-z])[\x80-\xff]+|[\x80-\xff]+(?=[A-Za-z])")
_PORTUGUESE = re.compile("ão|õe|ãe", re.IGNORECASE)
_CENTRAL = frozenset("ąćčďęěłńňřśšťůźżžăşţșțőűğıĄĆČĎĘĚŁŃŇŘŚŠŤŮŹŻŽĂŞŢŐŰĞİ")
_CENTRAL_SIGNS = frozenset("ŠšŽžÝýÕõ")
"""Czech, Slovak and Croatian letters with the same bytes in both pages, and what cp1252 makes of
the Hungarian ő. (In Portuguese, õ stands before e.)"""
_UNPACK = "Unpack it and give the file inside."
_BINARIES = (
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"\x04\x22\x4d\x18", "an LZ4 archive", _UNPACK),
    (b"PK\x03\x04", "a zip archive or an office file", "Unpack it, or save it as CSV or text."),
    (b"{\\rtf", "an RTF file", "Save it as DOCX or as text."),
    (b"ARROW1", "an Arrow (Feather) file", "Save the table as Parquet."),
    (b"Obj\x01", "an Avro file", "Save the table as Parquet or as JSON lines."),
    (b"SQLite format 3\x00", "an SQLite database", "Export the table as CSV."),
    (b"\x89HDF", "an HDF5 file", "Save the table as Parquet or CSV."),
    (b"\x93NUMPY", "a NumPy array", "Save the texts as CSV or JSON lines."),
    (b"\x80\x04\x95", "a Python pickle", "Pickles can run code. Save it as Parquet or JSON lines."),
    (b"\x80\x05\x95", "a Python pickle", "Pickles can run code. Save it as Parquet or JSON lines."),
    (b"PAR1", "a Parquet file", "Keep its extension .parquet."),
)
"""(first bytes, what they are, what to do) of files that are often given and are no text."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """A codec name and whether single bytes that do not fit it are replaced (and reported)."""

    codec: str
    lossy: bool = False


def detect_decoding(source: Source, log: ProblemLog, encoding: str = "") -> Decoding:
    """The encoding of a text file: the one given, else a byte order mark, else UTF-8, else a guess.

    A guess is noted in `log` with its confidence. NUL bytes mean UTF-16 or a binary file; the
    latter raises InvalidInput.
    """
    if encoding:
        return Decoding(_known_codec(encoding), lossy=True)
    head = source.head(_SAMPLE)
    for magic, what, hint in _BINARIES:
        if head.startswith(magic):
            raise InvalidInput(f"{source.name} is {what}, which is not read as text.", hint=hint)
    for mark, codec in _BOMS:
        if head.startswith(mark):
            return Decoding(codec, lossy=True)
    has_nul, bad, others = _survey(source)
    if has_nul:
        return Decoding(_utf16_or_refuse(source.name, head), lossy=True)
    if not bad:
        return Decoding("utf-8")
    if others > 10 * bad:
        log.warning(
            f"{bad:,} bytes are not valid UTF-8; they show as \ufffd.",
            "Save the file as UTF-8 again from the program that wrote it.",
            file=source.name,
        )
        return Decoding("utf-8", lossy=True)
    return Decoding(_guess(source, head, log), lossy=True)


def read_lines(
    source: Source, decoding: Decoding, log: ProblemLog, limits: Limits = DEFAULT_LIMITS
) -> Iterator[tuple[int, str]]:
    """(line number, line with its line end) for every line; over-long ones are reported, not given.

    Lines end at LF, CR LF or CR only, never at the Unicode separators that JSON text may hold.
    """
    errors = "replace" if decoding.lossy else "strict"
    number = 0
    with io.TextIOWrapper(source.open(), decoding.codec, errors, newline="") as stream:
        try:
            while line := stream.readline(limits.line + 1):
                number += 1
                if len(line) <= limits.line or line.endswith(("\n", "\r")):
                    yield number, line
                    continue
                _skip_line(stream, limits.line)
                log.error(
                    f"The line is longer than {limits.line:,} characters and was left out.",
                    "Give one document a line, or a JSON array as a whole.",
                    file=source.name,
                    line=number,
                )
        finally:
            log.tally(source.name, LINES, number)


def read_text(source: Source, log: ProblemLog, encoding: str = "") -> str:
    """The whole file as text, every line end a line feed."""
    decoding = detect_decoding(source, log, encoding)
    text = source.read().decode(decoding.codec, "replace" if decoding.lossy else "strict")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def clean_text(text: str) -> str:
    """`text` without NUL characters and lone surrogates, which no tokenizer or file can take."""
    return encodable(text.replace("\x00", " ") if "\x00" in text else text)


def clean_value(value: Any) -> Any:
    """A value of JSON with `clean_text` of every text in it, keys too; any other value as it is."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_value(key): clean_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [clean_value(inner) for inner in value]
    return value


def _skip_line(stream: io.TextIOWrapper, size: int) -> None:
    while (part := stream.readline(size)) and not part.endswith(("\n", "\r")):
        pass


def _known_codec(encoding: str) -> str:
    try:
        info = codecs.lookup(encoding)
    except LookupError:
        raise InvalidInput(
            f"There is no text encoding called {encoding!r}.",
            hint="Common ones are utf-8, utf-16, cp1252, latin-1, shift_jis, gb18030, koi8-r.",
        ) from None
    if not info._is_text_encoding:
        raise InvalidInput(f"{encoding!r} is not a text encoding.", hint="Try utf-8 or cp1252.")
    return info.name


def _survey(source: Source) -> tuple[bool, int, int]:
    """(holds NUL bytes, bytes that are not UTF-8, characters outside ASCII)."""
    bad = others = 0
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    with source.open() as stream:
        while chunk := stream.read(MB):
            if b"\x00" in chunk:
                return True, 0, 0
            text = decoder.decode(chunk)
            if not text.isascii():
                others += len(_NOT_ASCII.findall(text))
                bad += len(_ESCAPED.findall(text))
    bad += len(decoder.decode(b"", final=True))
    return False, bad, others - bad


def _utf16_or_refuse(name: str, head: bytes) -> str:
    """UTF-16 without a mark has its NULs on one side of nearly every pair of Latin characters."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    pairs = max(1, len(head) // 2)
    for codec, hits, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if hits > 0.3 * pairs and others < 0.02 * pairs:
            return codec
    raise InvalidInput(
        f"{name} holds NUL bytes: it is a binary file, not text.",
        hint="Export it as CSV, JSONL or UTF-8 text. PDF, DOCX and Parquet keep their extension.",
    )


def _guess(source: Source, head: bytes, log: ProblemLog) -> str:
    from charset_normalizer import from_bytes

    sample = _sample_with_bytes(source, head)
    best = from_bytes(sample).best()
    if best is None:
        raise InvalidInput(
            f"The text encoding of {source.name} is not UTF-8 and cannot be told.",
            hint="Save it as UTF-8, or name its encoding on import.",
        )
    guess = str(best.encoding)
    if guess not in _LATIN_PAGES and _has_latin_words(sample):
        guess = "cp1250"
    western = _is_western(sample, guess)
    encoding = "cp1252" if western else guess
    known = best.language != "Unknown" and not western
    languages = f", reads as {best.language}" if known else ""
    log.note(
        f"The file is not UTF-8; read as {encoding} "
        f"(a guess, confidence {1 - best.chaos:.0%}{languages}).",
        "If letters look wrong, choose the encoding on import or save the file as UTF-8.",
        file=source.name,
    )
    return encoding


def _is_western(sample: bytes, guess: str) -> bool:
    """Whether bytes guessed as another code page of Latin letters are Western European.

    Short texts do not tell the code pages apart. Where a byte means another letter in the two, the
    letters of the guess would stand in the text more often than those of cp1252.
    """
    if guess not in _LATIN_PAGES:
        return False
    try:
        western, other = sample.decode("cp1252"), sample.decode(guess)
    except UnicodeDecodeError:
        return False
    pairs = [(w, o) for w, o in zip(western, other, strict=False) if w != o]
    if not pairs or _PORTUGUESE.search(western):
        return True
    if _CENTRAL_SIGNS & set(western):
        return sum(w in _WESTERN for w, _ in pairs) > sum(o in _CENTRAL for _, o in pairs)
    return sum(w in _WESTERN for w, _ in pairs) >= sum(o in _CENTRAL for _, o in pairs)


def _has_latin_words(sample: bytes) -> bool:
    """Whether the bytes outside ASCII stand alone or in pairs in words of ASCII letters."""
    runs = _HIGH_RUN.findall(sample)
    inside = sum(len(run) <= 2 for run in _IN_WORD.findall(sample))
    return bool(runs) and all(len(run) <= 2 for run in runs) and inside >= 0.8 * len(runs)


def _sample_with_bytes(source: Source, head: bytes) -> bytes:
    """A sample that holds non-ASCII bytes: the guess is worth nothing without them."""
    if not head.isascii():
        return head
    with source.open() as stream:
        while chunk := stream.read(MB):
            if not chunk.isascii():
                return chunk
    return head
