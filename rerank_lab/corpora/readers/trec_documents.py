"""TREC document files: `<DOC>` elements that are no well-formed XML as a whole."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.mapping import ColumnMapping, Row
from rerank_lab.corpora.readers.base import Match, Reader, ReadOptions, Sample
from rerank_lab.corpora.source import Source, detect_decoding, read_lines

_ID = re.compile(r"<docno>(.*?)</docno>", re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(r"<(title|headline|ti|head)>(.*?)</\1>", re.IGNORECASE | re.DOTALL)
_TEXT = re.compile(r"<(text|body)>(.*?)</\1>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")


class TRECDocumentReader(Reader):
    """Documents between <DOC> and </DOC> with a <DOCNO>, a title and texts."""

    name = "trec-documents"
    label = "TREC documents"
    mapping = ColumnMapping("text", "id", "title")

    def sniff(self, sample: Sample) -> Match | None:
        """The source begins with <DOC> and has a <DOCNO>."""
        telling = sample.start.startswith(b"<doc>") and b"<docno>" in sample.head.lower()
        return Match(0.95, "it begins with <DOC> and a <DOCNO>") if telling else None

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """A row a <DOC>; one without <DOCNO>, or without its end, is reported."""
        decoding = detect_decoding(source, log, options.encoding)
        start, lines = 0, list[str]()
        for number, line in read_lines(source, decoding, log, options.limits):
            tag = line.strip().lower()
            if tag.startswith("<doc>"):
                if start:
                    _report(source.name, start, "end", log)
                start, lines = number, []
            if start:
                lines.append(line)
            if start and tag.endswith("</doc>"):
                yield from _document("".join(lines), source.name, start, log)
                start = 0
        if start:
            _report(source.name, start, "end", log)


def _document(block: str, file: str, line: int, log: ProblemLog) -> Iterator[Row]:
    doc_id = _ID.search(block)
    if doc_id is None:
        _report(file, line, "DOCNO", log)
        return
    title = _TITLE.search(block)
    texts = [match[2] for match in _TEXT.finditer(block)]
    body = "\n".join(texts) if texts else _ID.sub("", _TITLE.sub("", block, count=1))
    yield line, {"id": doc_id[1], "title": _plain(title[2]) if title else "", "text": _plain(body)}


def _plain(text: str) -> str:
    return html.unescape(_TAG.sub(" ", text)).strip()


def _report(file: str, line: int, what: str, log: ProblemLog) -> None:
    log.error(
        f"The <DOC> that begins here has no {what}; it was left out.",
        "Write <DOC>, <DOCNO>id</DOCNO>, <TEXT>...</TEXT>, </DOC>.",
        file=file,
        line=line,
    )
