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
    *(
        "option",
        "button",
        "summary",
        "table",
        "ul",
        "ol",
        "blockquote",
        "pre",
        "dd",
        "dt",
        "figcaption",
        "header",
        "footer",
    ),
)
_CELLS = ("td", "th", "label", "input")
_DROPPED = ("script", "style", "noscript", "template", "svg", "head", "nav", "footer")
_PERMALINKS = ("headerlink", "permalink", "anchor-link")
_ROLES = ("navigation", "search", "contentinfo")
_MAIN = "//main | //*[@role='main']"
_LEAST_SHARE = 0.3
"""A main part with less of the page's text is not what the page is about."""


class HTMLReader(PageReader):
    """The visible text of a page, one line a block; of its main part where it marks one.

    Scripts, styles, navigation, footers and permalinks are dropped.
    """

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
        yield page_row(source, title, _main_text(tree))


def page_text(markup: str) -> str:
    """The visible text of a piece of HTML, one line a block."""
    from lxml import html

    return _text_of(html.document_fromstring(f"<div>{markup}</div>"))


def _main_text(tree: Any) -> str:
    """The text of the one main part, or of the whole page where there is none worth the name."""
    text = _text_of(tree)
    parts = tree.xpath(_MAIN)
    outer = [part for part in parts if not any(other in part.iterancestors() for other in parts)]
    main = _text_of(outer[0]) if len(outer) == 1 else ""
    return main if len(main) >= _LEAST_SHARE * len(text) else text


def _text_of(tree: Any) -> str:
    lines = (" ".join(line.split()) for line in "".join(_visible(tree)).split("\n"))
    return "\n".join(line for line in lines if line)


def _visible(tree: Any) -> Iterator[str]:
    """The text of a page in pieces: a line end around every block, a space around every cell."""
    from lxml import etree

    walker = etree.iterwalk(tree, events=("start", "end", "comment", "pi"))
    for event, element in walker:
        if event == "start" and _is_dropped(element):
            walker.skip_subtree()
        elif event == "start":
            yield _gap(element) + (element.text or "")
        else:
            yield _gap(element) + (element.tail or "")


def _is_dropped(element: Any) -> bool:
    """Whether an element is no part of what the page says."""
    classes = (element.get("class") or "").split()
    permalink = element.tag == "a" and any(name in _PERMALINKS for name in classes)
    hidden = element.get("aria-hidden") == "true"
    return permalink or hidden or element.tag in _DROPPED or element.get("role") in _ROLES


def _gap(element: Any) -> str:
    """What stands between an element and its neighbours."""
    if element.tag in _BLOCKS:
        return "\n"
    following = element.tag == "a" and element.getnext() is not None and not element.tail
    return " " if element.tag in _CELLS or following else ""


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
