"""HTML pages."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.limits import check_size
from rerank_lab.corpora.mapping import Row
from rerank_lab.corpora.readers.base import Match, PageReader, ReadOptions, Sample, page_row
from rerank_lab.corpora.source import Source, read_text

_BLOCKS = (
    *("p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "section", "article"),
    *("table", "ul", "ol", "blockquote", "pre", "dd", "dt", "figcaption", "header", "footer"),
)
_DROPPED = ("script", "style", "noscript", "template", "svg", "head")


class HTMLReader(PageReader):
    """The visible text of a page, one line a block; scripts and styles are dropped."""

    name = "html"
    label = "HTML"
    extensions = (".html", ".htm", ".xhtml")

    def sniff(self, sample: Sample) -> Match | None:
        """The extension, or the first tag."""
        if match := self.by_extension(sample):
            return match
        begins = re.match(rb"<(!doctype html|html|head|body)", sample.start)
        return Match(0.3, "it begins with an HTML tag") if begins else None

    def read(self, source: Source, options: ReadOptions, log: ProblemLog) -> Iterator[Row]:
        """The page as one row."""
        from lxml import html

        check_size(source.name, source.size, options.limits.page_file)
        encoding = options.encoding or _declared_encoding(source)
        text = re.sub(r"\A\s*<\?xml.*?\?>", "", read_text(source, log, encoding), flags=re.DOTALL)
        try:
            tree = html.document_fromstring(text) if text.strip() else None
        except Exception:  # a damaged page makes the parser raise anything
            tree = None
        if tree is None:
            yield page_row(source, "", "")
            return
        title = " ".join((tree.findtext(".//title") or tree.findtext(".//h1") or "").split())
        lines = (" ".join(line.split()) for line in "".join(_visible(tree)).split("\n"))
        yield page_row(source, title, "\n".join(line for line in lines if line))


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


def _declared_encoding(source: Source) -> str:
    """The charset of a meta tag, when Python knows it and the bytes are not UTF-8 anyway."""
    charset = re.search(rb"charset=[\"']?([\w-]+)", source.head(4096), re.IGNORECASE)
    try:
        source.read().decode("utf-8")
        return ""
    except UnicodeDecodeError:
        pass
    try:
        name = codecs.lookup(charset.group(1).decode()).name if charset else ""
    except LookupError:
        return ""
    return "" if name == "utf-8" else name
