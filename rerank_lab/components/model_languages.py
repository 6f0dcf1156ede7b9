"""Does a model know the language of what it reads? By the catalogue alone: nothing is detected."""

from __future__ import annotations

from collections.abc import Mapping

from rerank_lab.components.catalogue import catalogue

_UNKNOWN = "und"
_MOST = 0.5


def language_warnings(model: str, languages: Mapping[str, float], what: str) -> tuple[str, ...]:
    """A sentence when most of what a model reads is in languages that it was not made for.

    Args:
        model: A catalogue name; of any other model nothing is known.
        languages: ISO 639-1 codes with their share of the texts, 0 to 1, as
            `corpora.languages.detect_languages` gives them.
        what: What was looked at, such as "the corpus".

    Returns:
        One warning, or none.
    """
    entry = catalogue().get(model)
    known = set(entry.languages) if entry else set()
    if not known or "multilingual" in known:
        return ()
    foreign = {code: share for code, share in languages.items() if code not in {*known, _UNKNOWN}}
    if sum(foreign.values()) < _MOST:
        return ()
    names = ", ".join(sorted(foreign, key=lambda code: -foreign[code])[:3])
    return (
        f"{model} was made for texts in {', '.join(sorted(known))}; {what} is mostly in {names}: "
        "its order means little there",
    )
