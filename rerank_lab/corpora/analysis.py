"""How lexical first stages cut text into terms: one analyser for documents and queries.

Unicode is normalised (NFKC) and case-folded. Words are kept as words; things that look like code or
part numbers (`foo_bar`, `getUserName`, `E-2104`, `node.js`, `C++`, `1.2.3`) are kept whole and give
their parts as well. Scripts written without spaces (Chinese, Japanese, Korean, Thai, Lao, Khmer,
Burmese) become overlapping pairs of characters. Stop words and the Snowball stemmer follow the
language.
"""

from __future__ import annotations

import importlib.util
import re
import runpy
import threading
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path

LANGUAGES = (
    "english",
    "none",
    "arabic",
    "armenian",
    "basque",
    "catalan",
    "danish",
    "dutch",
    "esperanto",
    "estonian",
    "finnish",
    "french",
    "german",
    "greek",
    "hindi",
    "hungarian",
    "indonesian",
    "irish",
    "italian",
    "lithuanian",
    "nepali",
    "norwegian",
    "portuguese",
    "romanian",
    "russian",
    "serbian",
    "spanish",
    "swedish",
    "tamil",
    "turkish",
    "yiddish",
)
"""Names of Snowball stemmers; "none" neither stems nor drops stop words."""

_STOP_LISTS = {
    "english": "STOPWORDS_EN",
    "danish": "STOPWORDS_DANISH",
    "dutch": "STOPWORDS_DUTCH",
    "french": "STOPWORDS_FRENCH",
    "german": "STOPWORDS_GERMAN",
    "italian": "STOPWORDS_ITALIAN",
    "norwegian": "STOPWORDS_NORWEGIAN",
    "portuguese": "STOPWORDS_PORTUGUESE",
    "russian": "STOPWORDS_RUSSIAN",
    "spanish": "STOPWORDS_SPANISH",
    "swedish": "STOPWORDS_SWEDISH",
    "turkish": "STOPWORDS_TURKISH",
}

# Scripts without spaces between words, whose runs become pairs of characters.
_HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_SPACELESS = (
    _HAN + "\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"  # kana
    "\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3"  # hangul
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17d3"  # Burmese, Khmer
)
# Vowel signs, accents and joiners that belong to a word although `\w` does not match them.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed"
    "\u0900-\u0903\u093a-\u094f\u0955-\u0957\u0962\u0963\u0980-\u0983\u09bc-\u09cd\u09d7"
    "\u0a01-\u0a03\u0a3c-\u0a51\u0a70-\u0a75\u0a81-\u0a83\u0abc-\u0acd\u0b01-\u0b03\u0b3c-\u0b57"
    "\u0b82\u0bbe-\u0bcd\u0bd7\u0c00-\u0c04\u0c3e-\u0c56\u0c81-\u0c83\u0cbc-\u0cd6"
    "\u0d00-\u0d03\u0d3b-\u0d4d\u0d57\u0d82\u0d83\u0dca-\u0ddf\u200c\u200d"
)
_JOINED = r"{w}+(?:[.\-'’&]{w}+)*(?:\+\+|\#(?!\w))?"
_PLAIN = re.compile(_JOINED.format(w=r"\w"))
_MIXED = re.compile(
    f"[{_SPACELESS}]+|" + _JOINED.format(w=rf"(?:[^\W{_SPACELESS}]|[{_MARKS}])"),
)
_SPECIAL = re.compile(f"[{_SPACELESS}{_MARKS}]")
_RUN = re.compile(f"[{_SPACELESS}]")
_HAN_CHAR = re.compile(f"[{_HAN}]")
_SEPARATORS = re.compile(r"[._\-'’&+#]+")
_APOSTROPHE = re.compile(r"['’]")
_CODE = re.compile(r"[\d._\-&+#]")
_CAMEL = re.compile(
    r"[A-Z]{2,}[a-z]?(?![a-z])\d*|[A-Z]+(?=[A-Z][a-z]{2})|[A-Z]?[a-z]+\d*|[A-Z]\d*|\d+"
)
_MAX_REMEMBERED = 1_000_000
_MAX_TERM = 100


class Analyzer:
    """Text to terms for one language. Safe to share between threads.

    Every distinct word is worked out once and remembered, which is what makes indexing fast.
    """

    def __init__(self, language: str = "english", stop_words: bool = True) -> None:
        self.language = language
        self._stop = stop_list(language) if stop_words else frozenset()
        self._stem = _stemmer(language)
        self._known: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()  # a Snowball stemmer serves one caller at a time

    def document_terms(self, text: str) -> list[str]:
        """The terms of a document, in order, repetitions included."""
        return self._terms(text, singles=True)

    def query_terms(self, text: str) -> list[str]:
        """The terms of a query: as in documents, but a single Han character only by itself."""
        return self._terms(text, singles=False)

    def _terms(self, text: str, singles: bool) -> list[str]:
        special = False
        if not text.isascii():
            text = unicodedata.normalize("NFKC", text)
            special = _SPECIAL.search(text) is not None
        terms: list[str] = []
        known = self._known
        for word in (_MIXED if special else _PLAIN).findall(text):
            found = known.get(word)
            if found is None:
                if special and _RUN.match(word):
                    terms += _pairs(word, singles)
                    continue
                found = self._remember(word)
            terms += found
        return terms

    def _remember(self, word: str) -> tuple[str, ...]:
        with self._lock:
            if len(self._known) >= _MAX_REMEMBERED:
                self._known.clear()
            found = tuple(self._finish(word))
            self._known[word] = found
            return found

    def _finish(self, word: str) -> list[str]:
        terms = []
        for term in _variants(word):
            term = self._fold(term)
            if term in self._stop or not term:
                continue
            terms.append((term if _CODE.search(term) else self._stem(term))[:_MAX_TERM])
        return list(dict.fromkeys(terms))

    def _fold(self, term: str) -> str:
        if self.language == "turkish":
            term = term.replace("I", "ı").replace("İ", "i")
        # Case folding turns the Turkish capital İ into i and a combining dot.
        return term.casefold().replace("i\u0307", "i")


def _variants(word: str) -> list[str]:
    """The word as it stands and, for what looks like code, its parts."""
    if _APOSTROPHE.search(word):
        # user's, l'eau, don't: the parts, without the single letters left over.
        parts = [part for part in _APOSTROPHE.split(word) if len(part) > 1]
        return [variant for part in parts for variant in _variants(part)]
    parts = [part for part in _SEPARATORS.split(word) if part]
    hyphened_words = len(parts) > 1 and not re.search(r"[\d._&+#]", word)
    if hyphened_words:
        return [variant for part in parts for variant in _variants(part)]
    pieces = [piece for part in parts for piece in _camel(part)]
    if pieces == [word]:
        return [word]
    # Single characters that are only a part of something say nothing by themselves.
    return [word, *(p for p in dict.fromkeys([*parts, *pieces]) if len(p) > 1 and p != word)]


def _camel(part: str) -> list[str]:
    if not part.isascii() or part.islower() or part.isupper() or part[1:].islower():
        return [part]
    return _CAMEL.findall(part)


def _pairs(run: str, singles: bool) -> list[str]:
    if len(run) == 1:
        return [run]
    pairs = [run[i : i + 2] for i in range(len(run) - 1)]
    return pairs + _HAN_CHAR.findall(run) if singles else pairs


def _stemmer(language: str) -> Callable[[str], str]:
    if language == "none":
        return str
    import Stemmer

    stem: Callable[[str], str] = Stemmer.Stemmer(language, 0).stemWord
    return stem


@cache
def stop_list(language: str) -> frozenset[str]:
    """The stop words of a language, empty where there is no list for it."""
    name = _STOP_LISTS.get(language)
    return frozenset(_bundled_lists()[name]) if name else frozenset()


@cache
def _bundled_lists() -> dict[str, tuple[str, ...]]:
    # Run as a file of its own: importing the bm25s package would bring in numba and scipy, which
    # takes longer than a first search may take.
    package = importlib.util.find_spec("bm25s")
    folders = (package.submodule_search_locations if package else None) or []
    return runpy.run_path(str(Path(folders[0]) / "stopwords.py"))
