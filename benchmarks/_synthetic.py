"""A seeded synthetic collection of any size, made a piece at a time: words follow Zipf's law."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SEED = 20
_PIECE = 20_000
_VOCABULARY = 60_000


def invented_words(size: int, rng: np.random.Generator) -> list[str]:
    """Distinct invented words of 2 to 5 syllables, so that the stemmer has real work."""
    consonants, vowels = np.array(list("bcdfghklmnprstvz")), np.array(list("aeiou"))
    words: dict[str, None] = {}
    while len(words) < size:
        syllables = rng.integers(2, 6)
        pairs = zip(rng.choice(consonants, syllables), rng.choice(vowels, syllables), strict=True)
        words["".join(c + v for c, v in pairs)] = None
    return list(words)


def texts(documents: int, shortest: int = 60, longest: int = 130) -> Iterator[str]:
    """Texts of so many words, each length as likely, in bounded memory."""
    rng = np.random.default_rng(SEED)
    vocabulary = np.array(invented_words(_VOCABULARY, rng))
    chances = 1 / np.arange(2, len(vocabulary) + 2)
    chances /= chances.sum()
    for first in range(0, documents, _PIECE):
        lengths = rng.integers(shortest, longest + 1, min(_PIECE, documents - first))
        drawn = vocabulary[rng.choice(len(vocabulary), int(lengths.sum()), p=chances)]
        for part in np.split(drawn, np.cumsum(lengths)[:-1]):
            yield " ".join(part)


def queries(count: int, documents: int) -> list[str]:
    """Queries of 3 to 8 words, each drawn from one of the first texts."""
    rng = np.random.default_rng(SEED + 1)
    sources = list(texts(min(documents, 2000)))
    drawn = []
    for _ in range(count):
        words = sources[int(rng.integers(len(sources)))].split()
        drawn.append(" ".join(rng.choice(words, int(rng.integers(3, 9)), replace=False)))
    return drawn


def write_collection(file: Path, documents: int, shortest: int = 60, longest: int = 130) -> None:
    """The texts as a JSONL file with ids d0000000, d0000001, ..."""
    with file.open("w", encoding="utf-8") as out:
        for number, text in enumerate(texts(documents, shortest, longest)):
            out.write(json.dumps({"_id": f"d{number:07}", "title": "", "text": text}) + "\n")
