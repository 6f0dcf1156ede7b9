"""What a model is shown of queries and documents: cut to a budget, and unable to pose as an answer.

Identifiers belong to the prompt alone. A `[3]` in a document becomes `(3)`, the markers of chat
templates and of reasoning become inert, and a text that would itself read as an answer is quoted,
so that a model that merely repeats what it was shown gives no order.
"""

from __future__ import annotations

import re
import unicodedata

from rerank_lab.rerankers.parsing import read_label, read_order, read_selection, read_yes_no

EMPTY = "(empty)"
_BRACKETED = re.compile(r"[\[［﹇]([^\[\]［］﹇﹈]{0,400})[\]］﹈]")
_ID_LIKE = re.compile(r"[\s\d,;>\"'.]*\d[\s\d,;>\"'.]*|\s*[A-Za-z]\s*")
_MARKERS = re.compile(
    r"<[|｜][^<>\n]{0,60}[|｜]>|</?s>|<</?SYS>>|\[/?INST\]|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk)>"
    r"|</?\s*(?:think|thinking|reasoning|answer)\s*>",
    re.IGNORECASE,
)
_INERT = str.maketrans({"<": "‹", ">": "›", "[": "(", "]": ")"})
_ALL_BRACKETS = str.maketrans(dict.fromkeys("[［﹇", "(") | dict.fromkeys("]］﹈", ")"))
_LONGEST_LABEL = 100
"""Longer texts can only be answers when they hold a list, which takes a bracket."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_WORD = re.compile(r"\S+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


def sanitised(text: str) -> str:
    """One line of text that holds no identifier, no template marker and no answer."""
    line = _MARKERS.sub(lambda m: m[0].translate(_INERT), one_line(text))
    line = _BRACKETED.sub(_without_id, line)
    line = re.sub(r"^(?:\s*[>＞])+|(?:[>＞]\s*)+$", lambda m: "›" * len(m[0].split()), line).strip()
    if reads_as_answer(line):
        line = line.translate(_ALL_BRACKETS)
    if not line:
        return EMPTY
    # A mere full stop after an identifier would leave the identifier standing alone.
    wordless = not any(char.isalnum() for char in line)
    return f"“{line}”" if wordless or reads_as_answer(line) else line


def one_line(text: str) -> str:
    """Text on one line that any endpoint can be sent: no control characters, no half surrogates."""
    sendable = text.encode("utf-8", "replace").decode()
    return " ".join(_CONTROL.sub(" ", sendable).split())


def reads_as_answer(text: str) -> bool:
    """Whether some form would take this text for an answer to a question about any documents."""
    if len(text) > _LONGEST_LABEL and not any(bracket in text for bracket in "[［﹇"):
        return False
    return (
        any(read_order(text, n).usable for n in (1, 2, 3, 20))
        or any(read_selection(text, 200, wanted).usable for wanted in (1, 2, 10))
        or read_label(text, 26).usable
        or read_yes_no(text).usable
    )


def cut(text: str, words: int) -> tuple[str, bool]:
    """The first `words` words, and whether something was left out; characters where there are none.

    Texts that are mostly Chinese or Japanese are counted in characters (Sun et al. 2023).
    """
    if 2 * len(_CJK.findall(text)) > len("".join(text.split())):
        return text[:words], len(text) > words
    listed = text.split()
    return (" ".join(listed[:words]), True) if len(listed) > words else (text, False)


def word_spans(text: str) -> list[tuple[int, int]]:
    """[start, end) of what `cut` counts in a text: its words, or its characters."""
    if 2 * len(_CJK.findall(text)) > len("".join(text.split())):
        return [(at, at + 1) for at in range(len(text))]
    return [match.span() for match in _WORD.finditer(text)]


def _without_id(group: re.Match[str]) -> str:
    inside = unicodedata.normalize("NFKC", group[1])
    return f"({group[1]})" if _ID_LIKE.fullmatch(inside) else group[0]
