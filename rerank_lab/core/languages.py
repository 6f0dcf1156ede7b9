"""The languages whose words text analysis can stem, and "none"."""

from __future__ import annotations

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
