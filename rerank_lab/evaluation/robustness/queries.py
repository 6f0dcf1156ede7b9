"""Rewritten queries: typing errors, case, order, function words, polite words, negation.

Only rules that leave the meaning alone, negation apart. No synonyms: whether two words mean the
same depends on the corpus, and a wrong synonym would be charged to the pipeline.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random

from rerank_lab.core.languages import language_name
from rerank_lab.corpora.analysis import stop_list
from rerank_lab.evaluation.robustness.negation import negates, negation_languages, opposite
from rerank_lab.evaluation.robustness.perturbations import QueryPerturbation

_WORD = re.compile(r"[^\W\d_]{4,}")
_SHARE_OF_WORDS = 3
"""One word in so many gets a typing error; at least one."""
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_VARIATIONS = "Penha et al. 2022, arXiv:2111.13057"

_POLITE: Mapping[str, tuple[str, str]] = {
    "en": ("Hello, I hope you can help me with this:", "Thank you very much."),
    "de": ("Guten Tag, vielleicht können Sie mir damit helfen:", "Vielen Dank."),
    "nl": ("Hallo, ik hoop dat u mij hiermee kunt helpen:", "Hartelijk dank."),
    "fr": ("Bonjour, j’espère que vous pourrez m’aider :", "Merci beaucoup."),
    "es": ("Hola, espero que puedan ayudarme con esto:", "Muchas gracias."),
    "it": ("Buongiorno, spero che possiate aiutarmi:", "Grazie mille."),
    "pt": ("Olá, espero que me possam ajudar com isto:", "Muito obrigado."),
}


def with_typos(text: str, _language: str, chance: Random) -> str:
    """One typing error in a third of the words of four letters or more; first letters stay."""
    words = list(_WORD.finditer(text))
    if not words:
        return text
    chosen = chance.sample(words, max(1, round(len(words) / _SHARE_OF_WORDS)))
    for match in sorted(chosen, key=re.Match.start, reverse=True):
        text = text[: match.start()] + _mistyped(match.group(), chance) + text[match.end() :]
    return text


def _mistyped(word: str, chance: Random) -> str:
    """The word with a letter left out, doubled, swapped with the next, or hit beside."""
    place = chance.randrange(1, len(word) - 1)
    before, letter, after = word[:place], word[place], word[place + 1 :]
    typed = {
        "omission": before + after,
        "doubling": before + letter + letter + after,
        "swap": before + after[0] + letter + after[1:],
        "neighbour": before + _neighbour(letter, chance) + after,
    }
    different = [typed[kind] for kind in sorted(typed) if typed[kind] != word]
    return chance.choice(different)


def _neighbour(letter: str, chance: Random) -> str:
    """A letter beside it on a QWERTY keyboard, itself where it is on none."""
    for row in _ROWS:
        place = row.find(letter.lower())
        if place >= 0:
            beside = row[max(0, place - 1) : place] + row[place + 1 : place + 2]
            other = chance.choice(beside)
            return other.upper() if letter.isupper() else other
    return letter


def in_other_case(text: str, _language: str, _chance: Random) -> str:
    """All in capitals; in small letters where it was in capitals."""
    return text.upper() if text.upper() != text else text.lower()


def with_words_swapped(text: str, _language: str, chance: Random) -> str:
    """Two neighbouring words in each other's place."""
    words = text.split()
    places = [n for n in range(len(words) - 1) if words[n].casefold() != words[n + 1].casefold()]
    if len(words) < 3 or not places:
        return text
    place = chance.choice(places)
    words[place : place + 2] = words[place + 1], words[place]
    return " ".join(words)


def without_function_words(text: str, language: str, _chance: Random) -> str:
    """The words that carry meaning alone, as people type them into a search box.

    Negations stay: leaving them out would change what is meant.
    """
    stop_words = stop_list(language_name(language).lower()) if language else frozenset()
    words = text.split()
    content = [
        word for word in words if _bare(word) not in stop_words or negates(_bare(word), language)
    ]
    return " ".join(content) if content and len(content) < len(words) else text


def politely(text: str, language: str, _chance: Random) -> str:
    """The same query inside a polite request."""
    if language not in _POLITE:
        return text
    before, after = _POLITE[language]
    request = text.rstrip()
    ending = "" if request.endswith((".", "?", "!")) else "."
    return f"{before} {request}{ending} {after}"


def negated(text: str, language: str, _chance: Random) -> str:
    """The opposite: without its negation, or with one."""
    return opposite(text, language)


def _bare(word: str) -> str:
    return word.strip(".,;:!?\"'()[]").casefold()


QUERY_PERTURBATIONS = (
    QueryPerturbation(
        "typos",
        "Typing errors",
        "A third of the longer words of the query get one typing error. The same documents should "
        "stay on top.",
        source=_VARIATIONS,
        rewrite=with_typos,
    ),
    QueryPerturbation(
        "case",
        "CAPITALS",
        "The query is written in capitals. Nothing should change.",
        rewrite=in_other_case,
    ),
    QueryPerturbation(
        "word-order",
        "Two words swapped",
        "Two neighbouring words of the query change places. Little should change.",
        source=_VARIATIONS,
        rewrite=with_words_swapped,
    ),
    QueryPerturbation(
        "keywords",
        "Function words left out",
        "Only the words that carry meaning are left of the query. Little should change.",
        source=_VARIATIONS,
        rewrite=without_function_words,
    ),
    QueryPerturbation(
        "polite",
        "Polite words around it",
        f"The query stands inside a polite request ({negation_languages()}). Nothing should "
        "change.",
        rewrite=politely,
    ),
    QueryPerturbation(
        "negation",
        "Negated",
        f"The query asks for the opposite ({negation_languages()}; queries in other languages are "
        "left out). The order should change: where it does not, the pipeline does not read the "
        "negation. The judgments do not hold for the opposite, so no measure is compared.",
        judged=False,
        source="Weller et al. 2024 (NevIR), arXiv:2305.07614",
        rewrite=negated,
    ),
)
