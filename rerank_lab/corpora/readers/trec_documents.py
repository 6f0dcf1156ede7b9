"""TREC documents and WikiExtractor articles: `<DOC>` elements, no well-formed XML as a whole."""

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
_ARTICLE = re.compile(r'<doc (?=[^>]*\bid=")(?=[^>]*\btitle=")[^>]*>')
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
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


class WikiExtractorReader(Reader):
    """Articles between `<doc id="1" url="..." title="Owl">` and `</doc>` (WikiExtractor)."""

    name = "wikiextractor"
    label = "WikiExtractor articles"
    mapping = ColumnMapping("text", "id", "title")

    def sniff(self, sample: Sample) -> Match | None:
        """The source begins with <doc> that has an id and a title."""
        telling = _ARTICLE.match(sample.text.lstrip("\ufeff \r\n"))
        return Match(0.95, "it begins with <doc> with an id and a title") if telling else None

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """A row an article, without the line that repeats its title."""
        decoding = detect_decoding(source, log, options.encoding)
        about: dict[str, str] = {}
        start, lines = 0, list[str]()
        for number, line in read_lines(source, decoding, log, options.limits):
            if tag := _ARTICLE.match(line.lstrip("\ufeff ")):
                if start:
                    _report(source.name, start, "end", log)
                about = {name: html.unescape(value) for name, value in _ATTRIBUTE.findall(tag[0])}
                start, lines = number, []
            elif start and line.strip() == "</doc>":
                yield start, about | {"text": _article(about.get("title", ""), lines)}
                start = 0
            elif start:
                lines.append(line)
        if start:
            _report(source.name, start, "end", log)


def _article(title: str, lines: list[str]) -> str:
    repeated = bool(lines) and lines[0].strip() == title
    return html.unescape("".join(lines[1:] if repeated else lines)).strip()


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
