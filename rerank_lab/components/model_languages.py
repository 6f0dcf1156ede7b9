"""Does a model know the language of what it reads? By the catalogue: nothing is detected here."""

from __future__ import annotations

from collections.abc import Mapping

from rerank_lab.components.catalogue import catalogue
from rerank_lab.core.languages import language_name

_UNKNOWN = "und"
_MOST = 0.5


def model_languages(model: str) -> frozenset[str]:
    """ISO 639-1 codes of the languages that a model was made for.

    Empty where nothing is known, which is so of all that are not in the catalogue, and of models
    for many languages.
    """
    entry = catalogue().get(model)
    languages = frozenset(entry.languages if entry else ())
    return frozenset() if "multilingual" in languages else languages


def language_warnings(
    model: str, languages: Mapping[str, float], what: str, *, guessed: bool = False
) -> tuple[str, ...]:
    """A sentence when most of what a model reads is in languages that it was not made for.

    Args:
        model: A catalogue name; of any other model nothing is known.
        languages: ISO 639-1 codes with their share of the texts, 0 to 1, as
            `corpora.languages` gives them.
        what: What was looked at, such as "the corpus".
        guessed: The languages were detected in the texts and not told by anybody.

    Returns:
        One warning, or none.
    """
    known = model_languages(model)
    if not known:
        return ()
    foreign = {code: share for code, share in languages.items() if code not in {*known, _UNKNOWN}}
    if sum(foreign.values()) < _MOST:
        return ()
    codes = sorted(foreign, key=lambda code: -foreign[code])[:3]
    names = ", ".join(dict.fromkeys(map(language_name, codes)))
    verb = "are" if what.endswith("queries") else "is"
    made_for = ", ".join(language_name(code) for code in sorted(known))
    return (
        f"{model} was made for texts in {made_for}; {what} {verb} mostly in {names}"
        f"{' (guessed)' if guessed else ''}: its order means little there",
    )
