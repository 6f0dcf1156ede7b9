"""How lexical first stages cut text into terms: one analyser for documents and queries.

Unicode is normalised (NFKC) and case-folded. Marks that writers leave out do not matter, as in
Lucene's analysers for Arabic, Persian and Hindi and in its ICU folding for Hebrew, Syriac, digits
and what is invisible: see `fold_marks`. Words are kept as words; things that look like code or
part numbers (`foo_bar`, `getUserName`, `E-2104`, `node.js`, `C++`, `1.2.3`) are kept whole and give
their parts as well. Scripts written without spaces (Chinese, Japanese, Korean, Thai, Lao, Khmer,
Burmese) become overlapping pairs of characters. Stop words and the Snowball stemmer follow the
language.
"""

from __future__ import annotations

import re
import threading
import tomllib
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path

from rerank_lab.components.base import Param
from rerank_lab.core.languages import LANGUAGES
from rerank_lab.core.patterns import LazyPattern
from rerank_lab.corpora.scripts import HAN, MARKS, SPACELESS

LANGUAGE = Param(
    "language",
    "english",
    "Whose stop words and Snowball stemmer to use; none keeps every word as it is written.",
    choices=LANGUAGES,
    label="Language",
)
STOP_WORDS = Param(
    "stop_words",
    True,
    "Leave out words such as 'the' and 'of', in languages that have a list.",
    label="Drop stop words",
)
STOP_WORDS_ONLY = (
    "Every word of the query is a stop word and was left out: with stop_words=false it is searched."
)
"""What is said of a query of which nothing is left."""
ANALYSIS_VERSION = 3
"""Raise it when the same text gives other terms: indexes and scores from before then miss."""

# Lucene's ArabicNormalizer, PersianNormalizer and HindiNormalizer: forms of one letter that writers
# exchange. ICU's folding: hyphens and apostrophes that look alike.
_LETTERS = {
    "\u0622\u0623\u0625\u0671": "\u0627",  # alef with madda, hamza or wasla: alef
    "\u0649\u06cc\u06d2": "\u064a",  # alef maksura, Farsi yeh, yeh barree: yeh
    "\u0629\u06c0\u06c1": "\u0647",  # teh marbuta, heh with yeh, heh goal: heh
    "\u06a9": "\u0643",  # keheh: kaf
    "\u0901": "\u0902",  # chandrabindu: bindu
    "\u0929": "\u0928",  # letters with nukta
    "\u0931": "\u0930",
    "\u0934": "\u0933",
    "\u2010\u2011\u2212\u05be\u058a": "-",
    "\u2018\u201b\u02bc\u05f3": "'",
}
_UNWRITTEN = re.compile(
    "["
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\ufb1e"  # Hebrew points and accents
    # Arabic vowel marks, signs of recitation and tatweel
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed"
    "\u0898-\u089f\u08c9-\u08e1\u08e3-\u08ff"
    "\u0711\u0730-\u074a"  # Syriac vowels
    "\u093c"  # the Devanagari nukta
    # What Unicode calls default ignorable: soft hyphen, grapheme and word joiners, zero width
    # space, directions, fillers, variation selectors, tags. (For the non-joiner see below.)
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200d-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
    "]+"
)
_DIGIT_ZEROS = (
    "\u0660\u06f0\u07c0\u0966\u09e6\u0a66\u0ae6\u0b66\u0be6\u0c66\u0ce6\u0d66\u0de6\u0e50"
    "\u0ed0\u0f20\u1040\u1090\u17e0\u1810\u1946\u19d0\u1a80\u1a90\u1b50\u1bb0\u1c40\u1c50"
    "\ua620\ua8d0\ua900\ua9d0\ua9f0\uaa50\uabf0"
)
_FOLDS = {ord(form): letter for forms, letter in _LETTERS.items() for form in forms} | {
    ord(zero) + digit: str(digit) for zero in _DIGIT_ZEROS for digit in range(10)
}
_FOLDED = re.compile(f"[{''.join(map(chr, _FOLDS))}]")
_NON_JOINER = "\u200c"
# In Persian it parts a stem from its endings; elsewhere, as in Hindi, it only shapes letters.
_SHAPING = re.compile(f"(?<![\u0620-\u06ff]){_NON_JOINER}+|{_NON_JOINER}+(?![\u0620-\u06ff])")
_JOINED = r"{w}+(?:[.\-'’&]{w}+)*(?:\+\+|\#(?!\w))?"
_PLAIN = re.compile(_JOINED.format(w=r"\w"))
_MIXED = LazyPattern(
    f"[{SPACELESS}]+|" + _JOINED.format(w=rf"(?:[^\W{SPACELESS}]|[{MARKS}])"),
)
_SPECIAL = LazyPattern(f"[{SPACELESS}{MARKS}]")
_RUN = LazyPattern(f"[{SPACELESS}]")
_HAN_CHAR = LazyPattern(f"[{HAN}]")
_SEPARATORS = re.compile(r"[._\-'’&+#]+")
_APOSTROPHE = re.compile(r"['’]")
_CODE = re.compile(r"[\d._\-&+#]")
_CAMEL = re.compile(
    r"[A-Z]{2,}[a-z]?(?![a-z])\d*|[A-Z]+(?=[A-Z][a-z]{2})|[A-Z]?[a-z]+\d*|[A-Z]\d*|\d+"
)
_PAIR = "\x00"
"""Stands before a word that is a term as it is; no word holds it."""
_MAX_REMEMBERED = 1_000_000
_MAX_TERM = 100


class Analyzer:
    """Text to terms for one language. Safe to share between threads.

    Every distinct word is worked out once and remembered, which is what makes indexing fast.
    """

    def __init__(self, language: str = "english", stop_words: bool = True) -> None:
        self.language = language
        self.stop_words = stop_words
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

    def only_stop_words(self, text: str) -> bool:
        """True when a query has words, and all of them are left out as stop words."""
        if not self._stop or self.query_terms(text):
            return False
        return bool(Analyzer(self.language, stop_words=False).query_terms(text))

    def document_words(self, text: str) -> list[str]:
        """The words of a document as they stand; `word_terms` of each make its terms.

        Whoever counts the words of many documents works each different one out once.
        """
        if text.isascii():
            return _PLAIN.findall(text)
        text = fold_marks(unicodedata.normalize("NFKC", text))
        if _SPECIAL.compiled.search(text) is None:
            return _PLAIN.findall(text)
        words: list[str] = []
        for word in _MIXED.compiled.findall(text):
            if _RUN.compiled.match(word):
                words += [_PAIR + pair for pair in _pairs(word, True)]
            else:
                words.append(word)
        return words

    def word_terms(self, word: str) -> list[str]:
        """The terms of one of the `document_words`."""
        if word.startswith(_PAIR):
            return [word.removeprefix(_PAIR)]
        with self._lock:
            return self._finish(word)

    def _terms(self, text: str, singles: bool) -> list[str]:
        special = False
        if not text.isascii():
            text = fold_marks(unicodedata.normalize("NFKC", text))
            special = _SPECIAL.compiled.search(text) is not None
        terms: list[str] = []
        known = self._known
        for word in (_MIXED.compiled if special else _PLAIN).findall(text):
            of_word = known.get(word)
            if of_word is None:
                if special and _RUN.compiled.match(word):
                    terms += _pairs(word, singles)
                    continue
                of_word = self._remember(word)
            terms += of_word
        return terms

    def _remember(self, word: str) -> tuple[str, ...]:
        with self._lock:
            if len(self._known) >= _MAX_REMEMBERED:
                self._known.clear()
            terms = self._known[word] = tuple(self._finish(word))
            return terms

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


def fold_marks(text: str) -> str:
    """NFKC text without the marks that writers leave out, and with one form of each letter.

    Arabic alef, yeh and heh in their forms, vowel marks and tatweel, Persian kaf and yeh, Hebrew
    and Syriac points, the nukta, digits of other scripts, hyphens and apostrophes that look alike,
    and what Unicode calls default ignorable, such as the zero width space and joiner.
    """
    text = _SHAPING.sub("", _UNWRITTEN.sub("", text))
    return text.translate(_FOLDS) if _FOLDED.search(text) else text


def _variants(word: str) -> list[str]:
    """The word as it stands and, for what looks like code, its parts."""
    if _NON_JOINER in word:
        # Some write the ending apart, some do not: both are found.
        return [word.replace(_NON_JOINER, ""), *(p for p in word.split(_NON_JOINER) if len(p) > 1)]
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
    return pairs + _HAN_CHAR.compiled.findall(run) if singles else pairs


def _stemmer(language: str) -> Callable[[str], str]:
    if language == "none":
        return str
    import Stemmer

    stem: Callable[[str], str] = Stemmer.Stemmer(language, 0).stemWord
    return stem


@cache
def stop_list(language: str) -> frozenset[str]:
    """The stop words of a language, empty where there is no list for it."""
    return frozenset(_stop_words().get(language, ()))


@cache
def _stop_words() -> dict[str, list[str]]:
    return tomllib.loads(Path(__file__).with_name("stop_words.toml").read_text("utf-8"))
