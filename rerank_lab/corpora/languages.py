"""Which languages a corpus is written in, from an evenly spaced sample of its documents."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

SAMPLE, LETTERS = 100, 200
UNKNOWN = "und"
_LEAST_SHARE = 0.03
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


def detect_languages(texts: Sequence[str]) -> dict[str, float]:
    """ISO 639-1 codes with their share of the sampled texts, largest first.

    Shares under 3 % are left out as noise, `und` stands for texts that say nothing (numbers, a
    word). Detected from the first 200 characters of at most 100 texts; deterministic.
    """
    step = max(1, len(texts) // SAMPLE)
    sample = [text[:LETTERS] for text in texts[::step][:SAMPLE]]
    counts = Counter(language_of(text) for text in sample if text.strip())
    total = counts.total()
    shares = {code: count / total for code, count in counts.most_common()}
    return {code: share for code, share in shares.items() if share >= _LEAST_SHARE}


def language_of(text: str) -> str:
    """The likely language of one text as an ISO 639-1 code, or `und`."""
    if sum(char.isalpha() for char in text) < 4:
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
