"""How much of anything is read from a file that somebody gave us. All limits live here."""

from __future__ import annotations

from dataclasses import dataclass

from rerank_lab.core.errors import InvalidInput
from rerank_lab.core.text import readable_size

MB, GB = 1 << 20, 1 << 30


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes unless the name says otherwise."""

    upload: int = 1 * GB
    """The largest file that is opened at all."""
    line: int = 16 * MB
    """The longest line or table cell (in characters); a longer one is reported and left out."""
    archive_total: int = 4 * GB
    """All members of a zip, unpacked."""
    decompressed: int = 4 * GB
    """A file compressed by gzip, bzip2, xz or Zstandard, decompressed while it is read."""
    archive_ratio: int = 200
    """Unpacked over packed size of one member. Real text stays well below 100."""
    archive_entries: int = 200_000
    page_file: int = 200 * MB
    """The largest JSON array, HTML, PDF, DOCX, Markdown or text file; these are read whole."""
    problems: int = 50
    """How many problems of each severity are kept word for word; the rest are counted."""


DEFAULT_LIMITS = Limits()
LOCAL_LIMITS = Limits(upload=1 << 60, decompressed=1 << 60)
"""For files that somebody names on their own machine: as large as the disk holds."""


IMPORT_IT = "On the machine itself, rerank-lab corpora import FILE --name NAME reads any size."
SPLIT = "Split it, or keep a part of it: reranking is compared on a sample as well."


def check_size(name: str, size: int, limit: int, hint: str = SPLIT) -> None:
    """Raise InvalidInput for an empty file or one over the limit, before anything is read."""
    if size == 0:
        raise InvalidInput(
            f"{name} is empty (0 bytes).", hint="Check that the file was saved or sent completely."
        )
    if size > limit:
        raise InvalidInput(
            f"{name} is {readable_size(size)}; files of up to {readable_size(limit)} are read.",
            hint=hint,
        )
