"""HTML pages."""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterator
from typing import Any

from rerank_lab.core.problems import ProblemLog
from rerank_lab.corpora.limits import check_size
from rerank_lab.corpora.mapping import Row
from rerank_lab.corpora.readers.base import Match, PageReader, ReadOptions, Sample, page_row
from rerank_lab.corpora.source import Source, read_text

_BLOCKS = frozenset((
    "p", "div", "br", "hr", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "hgroup", "section",
    "article", "main", "aside", "header", "address", "option", "optgroup", "select", "button",
    "summary", "details", "dialog", "menu", "table", "caption", "thead", "tbody", "tfoot", "ul",
    "ol", "dl", "dd", "dt", "blockquote", "pre", "figure", "figcaption", "form", "fieldset",
    "legend", "textarea", "center", "video", "audio", "iframe", "object", "body", "search",
))  # fmt: skip
_CELLS = ("td", "th", "label", "input")
_DROPPED = (
    *("script", "style", "noscript", "template", "svg", "head", "nav", "footer"),
    *("rp", "rt"),  # how a word is spoken, written above it
)
_PERMALINK_NAMES = frozenset(
    ("headerlink", "permalink", "anchor-link", "hash-link", "heading-link", "doc-anchor")
)
_PERMALINK_SIGNS = re.compile("[\\s\u00b6#\u00a7\U0001f517\u200b\u2060\ufeff]*")
_ASIDE = frozenset((
    "nav", "navbar", "navigation", "site-nav", "main-nav", "topnav", "sidenav", "sidebar",
    "site-sidebar", "sphinxsidebar", "menu", "main-menu", "breadcrumb", "breadcrumbs", "toc",
    "table-of-contents", "footer", "site-footer", "page-footer", "pagination", "pager",
    "cookie-banner", "cookie-consent", "cookie-notice", "skip-link", "skip-to-content",
))  # fmt: skip
"""Classes and ids of what stands around the text of a page."""
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
        title = " ".join((tree.findtext(".//title") or "").split()) or _first_heading(tree)
        yield page_row(source, title, _main_text(tree))


def page_text(markup: str) -> str:
    """The visible text of a piece of HTML, one line a block."""
    from lxml import html

    return _text_of(html.document_fromstring(f"<div>{markup}</div>"))


def _first_heading(tree: Any) -> str:
    heading = tree.find(".//h1")
    return "" if heading is None else " ".join(_text_of(heading).split())


def _main_text(tree: Any) -> str:
    """The text of the one main part, or of the whole page where there is none worth the name.

    What stands around it by its classes is left out, unless little is left then.
    """
    whole = _text_of(tree)
    text = _text_of(tree, _ASIDE)
    text = text if len(text) >= _LEAST_SHARE * len(whole) else whole
    parts = tree.xpath(_MAIN)
    outer = [part for part in parts if not any(other in part.iterancestors() for other in parts)]
    main = _text_of(outer[0], _ASIDE) if len(outer) == 1 else ""
    return main if len(main) >= _LEAST_SHARE * len(text) else text


def _text_of(tree: Any, left_out: Collection[str] = ()) -> str:
    lines = (" ".join(line.split()) for line in "".join(_visible(tree, left_out)).split("\n"))
    return "\n".join(line for line in lines if line)


def _visible(tree: Any, left_out: Collection[str]) -> Iterator[str]:
    """The text of a page in pieces: a line end around every block, a space around every cell.

    Elements with a class or id among `left_out` are not part of it.
    """
    from lxml import etree

    walker = etree.iterwalk(tree, events=("start", "end", "comment", "pi"))
    for event, element in walker:
        if event == "start" and element is not tree and _is_dropped(element, left_out):
            walker.skip_subtree()
        elif event == "start":
            yield _gap(element) + (element.text or "")
        elif element is not tree:
            yield _gap(element) + (element.tail or "")


def _is_dropped(element: Any, left_out: Collection[str]) -> bool:
    """Whether an element is no part of what the page says."""
    classes = (element.get("class") or "").lower().split()
    hidden = element.get("aria-hidden") == "true"
    if hidden or element.tag in _DROPPED or element.get("role") in _ROLES:
        return True
    if element.tag == "a" and (_is_permalink(element) or not _PERMALINK_NAMES.isdisjoint(classes)):
        return True
    names = [*classes, (element.get("id") or "").lower()] if left_out else ()
    return any(name in left_out for name in names)


def _is_permalink(element: Any) -> bool:
    """Whether a link leads to its own page and shows nothing but a sign for that."""
    own_page = (element.get("href") or "").startswith("#")
    return own_page and _PERMALINK_SIGNS.fullmatch("".join(element.itertext())) is not None


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
