"""What a reader of a wiki page sees, from its wiki text, as far as that goes without the wiki."""

from __future__ import annotations

import html
import re

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_REFERENCE = re.compile(r"<ref\b[^<>/]*/>|<ref\b[^<>]*>.*?</ref\s*>", re.DOTALL | re.IGNORECASE)
_BRACES = re.compile(r"\{\{|\}\}")
_BRACKETS = re.compile(r"\[\[|\]\]")
_FILES = re.compile(
    r"\s*(?:file|image|category|datei|bild|kategorie|fichier|cat\u00e9gorie|archivo|"
    r"categor\u00eda|immagine|categoria|\u0444\u0430\u0439\u043b|"
    r"\u043a\u0430\u0442\u0435\u0433\u043e\u0440\u0438\u044f)\s*:",
    re.IGNORECASE,
)
_OUTSIDE = re.compile(r"\[(?:https?:|ftp:|//)[^\s\]]*\s*([^\]]*)\]")
_QUOTES = re.compile(r"'{2,5}")
_HEADING = re.compile(r"^(={1,6})[ \t]*(.+?)[ \t]*\1[ \t]*$", re.MULTILINE)
_LINE_MARKS = re.compile(r"^[*#:;]+[ \t]*", re.MULTILINE)
_TABLE_LINES = re.compile(r"^[ \t:]*(?:\{\|.*|\|\}|\|-.*)$", re.MULTILINE)
_CELL = re.compile(r"^[ \t]*[|!]\+?(?:[^|\n\[]*\|(?!\|))?[ \t]*", re.MULTILINE)
_CELLS = re.compile(r"\|\||!!")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_SWITCH = re.compile(r"__[A-Z]{3,}__")
_GAPS = re.compile(r"\n{3,}")


def plain_wiki_text(text: str) -> str:
    """The text without markup: links as their words, no templates, references, files, categories.

    Cells of tables and headings stay, one a line. What is opened and never closed stays as it is.
    """
    text = _REFERENCE.sub("", _COMMENT.sub("", text))
    text = _without_templates(text)
    text = _with_words_of_links(text)
    text = _OUTSIDE.sub(r"\1", text)
    text = _HEADING.sub(r"\2", _QUOTES.sub("", text))
    text = _CELLS.sub("\n", _CELL.sub("", _TABLE_LINES.sub("", text)))
    text = _TAG.sub("", _SWITCH.sub("", _LINE_MARKS.sub("", text)))
    return _GAPS.sub("\n\n", html.unescape(text)).strip()


def _without_templates(text: str) -> str:
    pieces: list[str] = []
    depth = after = opened = 0
    for match in _BRACES.finditer(text):
        if match[0] == "{{":
            if not depth:
                pieces.append(text[after : match.start()])
                opened = match.start()
            depth += 1
        elif depth:
            depth -= 1
            after = match.end()
    return "".join(pieces) + text[opened if depth else after :]


def _with_words_of_links(text: str) -> str:
    """The text with every link as what is shown for it; files and categories show nothing."""
    inside: list[list[str]] = [[]]
    after = 0
    for match in _BRACKETS.finditer(text):
        inside[-1].append(text[after : match.start()])
        after = match.end()
        if match[0] == "[[":
            inside.append([])
        elif len(inside) > 1:
            inside[-2].append(_words_of_link("".join(inside.pop())))
        else:
            inside[-1].append(match[0])
    inside[-1].append(text[after:])
    return "[[".join("".join(pieces) for pieces in inside)


def _words_of_link(content: str) -> str:
    if _FILES.match(content):
        return ""
    return content.rpartition("|")[2] if "|" in content else content.removeprefix(":")
