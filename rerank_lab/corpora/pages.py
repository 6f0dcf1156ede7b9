"""Readers of files that are one document each: plain text, Markdown, HTML, PDF, DOCX.

Each gives one row with `id` (from the file's path), `title`, `text` and, where known, more.
"""

from __future__ import annotations

import io
import logging
import re
import zipfile
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from rerank_lab.core.errors import InvalidInput, LabError
from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.limits import MB, Limits, check_size
from rerank_lab.corpora.source import Source, read_text
from rerank_lab.corpora.tables import ReadOptions, Row

_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_UNDERLINED = re.compile(r"^(\S.*)\n=+[ \t]*$", re.MULTILINE)
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_FRONT_TITLE = re.compile(r"^title:[ \t]*[\"']?(.+?)[\"']?[ \t]*$", re.MULTILINE)
_BLOCKS = (
    *("p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "section", "article"),
    *("table", "ul", "ol", "blockquote", "pre", "dd", "dt", "figcaption", "header", "footer"),
)
_DROPPED = ("script", "style", "noscript", "template", "svg", "head")


def read_plain(source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
    """The whole file is one document, titled by its file name."""
    check_size(source.name, source.size, options.limits.page_file)
    yield _row(source, _stem(source), read_text(source, log, options.encoding))


def read_markdown(source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
    """The text as written; the title is the front matter's or the first heading."""
    check_size(source.name, source.size, options.limits.page_file)
    text = read_text(source, log, options.encoding)
    front = _FRONT_MATTER.match(text)
    body = text[front.end() :] if front else text
    prose = _FENCE.sub("", body)
    found = (_FRONT_TITLE.search(front.group()) if front else None) or min(
        filter(None, (_HEADING.search(prose), _UNDERLINED.search(prose))),
        key=lambda match: match.start(),
        default=None,
    )
    yield _row(source, found.group(1).strip() if found else _stem(source), body)


def read_html(source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
    """The visible text, one line a block; scripts and styles are dropped."""
    from lxml import html

    check_size(source.name, source.size, options.limits.page_file)
    encoding = options.encoding or _declared_encoding(source)
    text = re.sub(r"\A\s*<\?xml.*?\?>", "", read_text(source, log, encoding), flags=re.DOTALL)
    try:
        tree = html.document_fromstring(text) if text.strip() else None
    except Exception:  # a damaged page makes the parser raise anything
        tree = None
    if tree is None:
        yield _row(source, _stem(source), "")
        return
    title = " ".join((tree.findtext(".//title") or tree.findtext(".//h1") or "").split())
    lines = (" ".join(line.split()) for line in "".join(_visible(tree)).split("\n"))
    yield _row(source, title or _stem(source), "\n".join(line for line in lines if line))


def _visible(tree: Any) -> Iterator[str]:
    """The text of a page in pieces, with a line end before and after every block."""
    from lxml import etree

    walker = etree.iterwalk(tree, events=("start", "end", "comment", "pi"))
    for event, element in walker:
        if event == "start" and element.tag in _DROPPED:
            walker.skip_subtree()
        elif event == "start":
            yield ("\n" if element.tag in _BLOCKS else "") + (element.text or "")
        else:
            yield ("\n" if element.tag in _BLOCKS else "") + (element.tail or "")


def read_pdf(source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
    """The text layer, pages joined by an empty line. No layer or a password: InvalidInput."""
    from pypdf import PdfReader

    check_size(source.name, source.size, options.limits.page_file)
    logging.getLogger("pypdf").setLevel(logging.ERROR)  # its chatter on slightly broken files
    try:
        reader = PdfReader(io.BytesIO(source.read()))
        if reader.is_encrypted and not reader.decrypt(""):
            raise InvalidInput(
                f"{source.name} is protected by a password.",
                hint="Save a copy without the password and give that.",
            )
        pages = [page.extract_text() for page in reader.pages]
        title = str((reader.metadata.title if reader.metadata else "") or "").strip()
    except LabError:
        raise
    except Exception as error:  # a damaged PDF makes the parser raise anything
        raise _broken(source, "PDF", error) from error
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
    yield _row(source, title or _stem(source), "\n\n".join(pages), pages=len(pages))


def read_docx(source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
    """Paragraphs and table rows in their order, one a line."""
    import docx
    from docx.table import Table

    check_size(source.name, source.size, options.limits.page_file)
    _check_docx_volume(source, options.limits)
    try:
        document = docx.Document(io.BytesIO(source.read()))
        lines: list[str] = []
        for block in document.iter_inner_content():
            if isinstance(block, Table):
                lines += ["\t".join(cell.text for cell in row.cells) for row in block.rows]
            else:
                lines.append(block.text)
        title = (document.core_properties.title or "").strip()
    except Exception as error:  # a damaged DOCX makes its parsers raise anything
        raise _broken(source, "DOCX", error) from error
    text = "\n".join(line for line in lines if line.strip())
    yield _row(source, title or _stem(source), text)


def _row(source: Source, title: str, text: str, **more: int) -> Row:
    name = re.sub(r"\s+", "_", PurePath(source.name).as_posix())
    return 0, {"id": name, "title": title, "text": text.strip(), **more}


def _stem(source: Source) -> str:
    return PurePath(source.name).stem.replace("_", " ")


def _declared_encoding(source: Source) -> str:
    """The charset of a meta tag, when Python knows it and the bytes are not UTF-8 anyway."""
    import codecs

    found = re.search(rb"charset=[\"']?([\w-]+)", source.head(4096), re.IGNORECASE)
    try:
        source.read().decode("utf-8")
        return ""
    except UnicodeDecodeError:
        pass
    try:
        name = codecs.lookup(found.group(1).decode()).name if found else ""
    except LookupError:
        return ""
    return "" if name == "utf-8" else name


def _check_docx_volume(source: Source, limits: Limits) -> None:
    """A DOCX is a zip: its parts may not unpack to more than a page file may be (or 10 times)."""
    try:
        with zipfile.ZipFile(io.BytesIO(source.read())) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
    except Exception as error:
        raise _broken(source, "DOCX", error) from error
    if unpacked > max(10 * MB, min(source.size * limits.archive_ratio, limits.page_file)):
        raise InvalidInput(
            f"{source.name} unpacks to far more than its size; it is not read.",
            hint="Open it in a word processor and save it again.",
        )


def _broken(source: Source, kind: str, error: Exception) -> InvalidInput:
    reason = str(error).split("\n")[0] or "it is damaged"
    return InvalidInput(
        f"{source.name} cannot be read as {kind}: {reason}.",
        hint=f"Open it in a program that shows {kind} files and save it again.",
    )
