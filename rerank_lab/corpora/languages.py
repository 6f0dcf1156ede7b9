"""Which languages a corpus or a query is written in: guesses, made so that English is not mistaken.

A corpus is judged by an evenly spaced sample of its documents. A query is too short for a detector
of all languages (it takes "How do I reset my password?" for Italian), so that its common words
decide first.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

from rerank_lab.corpora.analysis import stop_list

SAMPLE, LETTERS = 100, 200
UNKNOWN = "und"
_LEAST_SHARE = 0.03
_LEAST_LETTERS, _LEAST_ASCII = 4, 24
_RARE = frozenset((
    "ts", "zu", "yo", "xh", "st", "tn", "sn", "so", "sw", "lg", "tl", "eu", "mi", "ms", "la", "eo",
    "cy", "af",
))  # fmt: skip
"""What a detector says of a few words with an accent among them (naive, in French): noise."""
_SCRIPTS = {
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "HANGUL": "ko",
    "CJK": "zh",
    "CYRILLIC": "ru",
    "GREEK": "el",
    "ARABIC": "ar",
    "HEBREW": "he",
    "THAI": "th",
    "DEVANAGARI": "hi",
}
_WORD = re.compile(r"[^\W\d_]+")
_STOP_LISTS = {
    "da": "danish", "de": "german", "en": "english", "es": "spanish", "fr": "french",
    "it": "italian", "nl": "dutch", "no": "norwegian", "pt": "portuguese", "ru": "russian",
    "sv": "swedish", "tr": "turkish",
}  # fmt: skip
_ENGLISH = frozenset((
    "i", "my", "me", "you", "your", "we", "our", "he", "she", "his", "her", "its", "what",
    "which", "who", "whom", "how", "why", "when", "where", "do", "does", "did", "can",
    "could", "should", "would", "has", "have", "had", "from", "about", "after", "before",
    "so", "than", "them", "us", "were", "been", "being", "more", "most", "other", "some",
    "any", "only", "over", "also", "up", "out", "between", "because", "while", "during",
))  # fmt: skip
"""Common words of English questions; the stop list of English holds 33 words only."""
_LEAST_WORDS, _LEAST_WORD_SHARE = 2, 0.2
_ENGLISH_SHARE = 0.8


def guess_languages(texts: Sequence[str]) -> dict[str, float]:
    """As `detect_languages`; without loading a detector where the common words are English."""
    sample = _sample(texts)
    english = sum(_by_common_words(text) == ("en",) for text in sample)
    if sample and english >= _ENGLISH_SHARE * len(sample):
        return {"en": english / len(sample)}
    return detect_languages(texts)


def query_languages(text: str) -> dict[str, float]:
    """The likely language of a query, with the share 1.0; several share it where words are common.

    Empty rather than wrong: an English query is not taken for another language, and many short
    queries of other languages are not recognised.
    """
    codes = _by_common_words(text)
    foreign_letters = any(char.isalpha() and not char.isascii() for char in text)
    if not codes and foreign_letters and not _english_words(text):
        codes = tuple({language_of(text)} - _RARE)
    return {code: 1 / len(codes) for code in codes}


def _by_common_words(text: str) -> tuple[str, ...]:
    """The languages with the most stop words in a text; () where that says too little."""
    words = _words(text)
    hits = {code: sum(word in stop_list(name) for word in words)
            for code, name in _STOP_LISTS.items()}  # fmt: skip
    hits["en"] = _english_words(text)
    most = max(hits.values())
    if most < max(_LEAST_WORDS, _LEAST_WORD_SHARE * len(words)):
        return ()
    if hits["en"] > 0 and most - hits["en"] < _LEAST_WORDS:
        return ("en",) if hits["en"] == most else ()
    return tuple(code for code, count in hits.items() if count == most)


def _english_words(text: str) -> int:
    return sum(word in _ENGLISH or word in stop_list("english") for word in _words(text))


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)}


def _sample(texts: Sequence[str]) -> list[str]:
    step = max(1, len(texts) // SAMPLE)
    return [text[:LETTERS] for text in texts[::step][:SAMPLE] if text.strip()]


def detect_languages(texts: Sequence[str]) -> dict[str, float]:
    """ISO 639-1 codes with their share of the sampled texts, largest first.

    Shares under 3 % are left out as noise, `und` stands for texts that say nothing (numbers, a
    word). Detected from the first 200 characters of at most 100 texts; deterministic.
    """
    counts = Counter(map(language_of, _sample(texts)))
    total = counts.total()
    shares = {code: count / total for code, count in counts.most_common()}
    return {code: share for code, share in shares.items() if share >= _LEAST_SHARE}


def language_of(text: str) -> str:
    """The likely language of one text as an ISO 639-1 code, or `und`.

    A few words in letters of ASCII are `und`: a detector of all languages names any of them.
    """
    letters = [char for char in text if char.isalpha()]
    if len(letters) < (_LEAST_ASCII if all(map(str.isascii, letters)) else _LEAST_LETTERS):
        return UNKNOWN
    detector = _detector()
    if detector is None:
        return language_by_script(text)
    language = detector.detect_language_of(text)
    return str(language.iso_code_639_1.name).lower() if language else UNKNOWN


@cache
def _detector() -> Any:
    """The lingua detector in its low-accuracy mode, which takes 60 MB instead of 900 MB."""
    try:
        from lingua import LanguageDetectorBuilder
    except ImportError:
        return None
    return LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode().build()


def language_by_script(text: str) -> str:
    """What the commonest script of a text says, cheaply: a code, for Latin letters `und`."""
    scripts = Counter(unicodedata.name(char, "").split(" ")[0] for char in text if char.isalpha())
    if scripts.keys() & {"HIRAGANA", "KATAKANA"}:
        return "ja"
    return _SCRIPTS.get(scripts.most_common(1)[0][0], UNKNOWN) if scripts else UNKNOWN
