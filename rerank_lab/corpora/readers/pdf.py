"""PDF files with a text layer."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.limits import check_size
from rerank_lab.corpora.mapping import Row
from rerank_lab.corpora.readers.base import (
    Match,
    PageReader,
    ReadOptions,
    Sample,
    broken_file,
    page_row,
)
from rerank_lab.corpora.readers.pdf_columns import in_reading_order
from rerank_lab.corpora.source import Source

if TYPE_CHECKING:
    from pypdf import PageObject


_SHARE_KEPT = 0.95
"""Of the words of a page that must be left when its columns are put in order."""


class PDFReader(PageReader):
    """The text layer of a PDF, pages joined by an empty line, columns one after the other."""

    name = "pdf"
    label = "PDF"
    extensions = (".pdf",)

    def sniff(self, sample: Sample) -> Match | None:
        """The five bytes that every PDF begins with, or the extension."""
        if sample.head.startswith(b"%PDF-"):
            return Match(1.0, "it begins with the bytes %PDF-")
        return self.by_extension(sample)

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """The file as one row. Raises InvalidInput without a text layer or with a password."""
        check_size(source.name, source.size, options.limits.page_file)
        title, pages = _title_and_pages(source)
        empty = [number for number, text in enumerate(pages, 1) if not text.strip()]
        if len(empty) == len(pages):
            raise InvalidInput(
                f"{source.name} has no text in its {len(pages)} pages; it is likely a scan.",
                hint="Run text recognition (OCR) on it first, then give the result.",
            )
        if empty:
            log.warning(
                f"{len(empty)} of {len(pages)} pages have no text, the first is page {empty[0]}.",
                "Run text recognition (OCR) if they are scans.",
                file=source.name,
            )
        yield page_row(source, title, "\n\n".join(pages), pages=len(pages))


def _text_of(page: PageObject) -> str:
    """The text in the order of the file, or by column where the page has columns of text."""
    text: str = page.extract_text()
    try:
        ordered = in_reading_order(page.extract_text(extraction_mode="layout"))
    except Exception:  # the layout of an odd page is not worth losing its text
        return text
    # Rotated text has no place in the layout, and its order is not worth losing it.
    whole = ordered and len(ordered.split()) >= _SHARE_KEPT * len(text.split())
    return ordered if ordered and whole else text


def _title_and_pages(source: Source) -> tuple[str, list[str]]:
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.ERROR)  # its chatter on slightly broken files
    try:
        reader = PdfReader(io.BytesIO(source.read()))
        if reader.is_encrypted and not reader.decrypt(""):
            raise InvalidInput(
                f"{source.name} is protected by a password.",
                hint="Save a copy without the password and give that.",
            )
        pages = [_text_of(page) for page in reader.pages]
        return str((reader.metadata.title if reader.metadata else "") or "").strip(), pages
    except LabError:
        raise
    except Exception as error:  # a damaged PDF makes the parser raise anything
        raise broken_file(source, "PDF", error) from error
