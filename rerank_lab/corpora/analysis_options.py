"""Options that several lexical first stages share."""

from __future__ import annotations

from rerank_lab.components.base import Param
from rerank_lab.corpora.analysis import LANGUAGES

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
