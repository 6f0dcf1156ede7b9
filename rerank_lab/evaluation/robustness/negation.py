"""Queries that ask for the opposite, in the languages that there are rules for.

A query with a negation loses it. Another one gets one where the language has it: before the verb in
Spanish, Italian and Portuguese, around it in French, after it in English, before the last word in
German and Dutch. Where no such verb is known, "but not" stands before the last word, as in a search
box. No rule knows grammar: what comes out can be clumsy, but says no.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rerank_lab.core.languages import language_name


@dataclass(frozen=True, slots=True)
class NegationRules:
    """How a language says no.

    Attributes:
        negations: pattern -> what takes the place of a negation that is there.
        verbs: forms of the verbs that a negation is put to, with a pronoun after them where the
            language turns the two around.
        negated: what stands in the place of such a verb, which is the group 0; "" where the
            negation comes before the last word of a text that has one.
        last: what is put before the last word where a verb is there and `negated` is "".
        otherwise: what is put before the last word where no verb is known.
    """

    negations: Mapping[str, str]
    verbs: str
    negated: str
    last: str
    otherwise: str


RULES: Mapping[str, NegationRules] = {
    "en": NegationRules(
        {
            r"\b(can)(?:['\u2019]t|not)\b": r"\1",
            r"\bwon['\u2019]t\b": "will",
            r"(?<=\w)n['\u2019]t\b": "",
            r"\b(?:not|never|without|neither|nor|no longer|no)\b\s?": "",
        },
        r"(?:is|are|was|were|am|do|does|did|can|could|should|would|will|may|might|must|has|have|had)"
        r"\b(?:\s+(?:i|you|we|they|he|she|it|there)\b)?",
        r"\g<0> not",
        "",
        "but not",
    ),
    "de": NegationRules(
        {
            r"\bk(ein(?:e[mnrs]?)?)\b": r"\1",
            r"\bohne\b": "mit",
            r"\b(?:nicht(?: mehr)?|nie(?:mals)?)\b\s?": "",
        },
        r"(?:kann|kannst|können|könnte|könnten|darf|dürfen|muss|müssen|soll|sollte|sollen|will|wollen"
        r"|wird|werden|wurde|wurden|ist|sind|war|waren|habe|hat|haben|hatte)\b",
        "",
        "nicht",
        "aber nicht",
    ),
    "nl": NegationRules(
        {r"\bgeen\b": "een", r"\bzonder\b": "met", r"\b(?:niet(?: meer)?|nooit)\b\s?": ""},
        r"(?:kan|kunnen|mag|mogen|moet|moeten|zal|zullen|wil|willen|wordt|worden|is|zijn|was|waren|heb"
        r"|heeft|hebben)\b",
        "",
        "niet",
        "maar niet",
    ),
    "fr": NegationRules(
        {
            r"\bne\s+(\S+)\s+(?:pas|plus|jamais)\b": r"\1",
            r"\bn['\u2019](\S+)\s+(?:pas|plus|jamais)\b": r"\1",
            r"\bsans\b": "avec",
            r"\b(?:pas|jamais)\b\s?": "",
        },
        r"(?:peut|peux|peuvent|puis|dois|doit|doivent|suis|sommes|sont|sera|seront|faut|veux|veut|vais"
        r"|va|vont|fait|font)(?:-(?:on|je|tu|il|elle|nous|vous|ils|elles))?\b",
        r"ne \g<0> pas",
        "",
        "mais pas",
    ),
    "es": NegationRules(
        {r"\bsin\b": "con", r"\bning(?:ún|una?)\b": "un", r"\b(?:no|nunca|tampoco)\b\s?": ""},
        r"(?:es|son|está|están|era|eran|puedo|puede|pueden|podemos|debo|debe|deben|hay|tengo|tiene"
        r"|tienen|quiero|quiere|será|ha|han|he)\b",
        r"no \g<0>",
        "",
        "pero no",
    ),
    "it": NegationRules(
        {r"\bsenza\b": "con", r"\bnessun[oa]?\b": "un", r"\b(?:non|mai)\b\s?": ""},
        r"(?:è|sono|era|erano|posso|può|possono|possiamo|devo|deve|devono|ho|ha|hanno|voglio|vuole"
        r"|c['\u2019]è|ci sono|sarà)(?!\w)",
        r"non \g<0>",
        "",
        "ma non",
    ),
    "pt": NegationRules(
        {r"\bsem\b": "com", r"\bnenhuma?\b": "um", r"\b(?:não|nunca)\b\s?": ""},
        r"(?:é|são|está|estão|era|eram|posso|pode|podem|podemos|devo|deve|devem|há|tenho|tem|têm|quero"
        r"|quer|será)(?!\w)",
        r"não \g<0>",
        "",
        "mas não",
    ),
}
"""ISO 639-1 code -> rules."""


def negation_languages() -> str:
    """The languages that there are rules for: `English, German, ... and Portuguese`."""
    names = [language_name(code) for code in RULES]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def opposite(text: str, language: str) -> str:
    """The query that asks for the opposite; the text itself in a language without rules."""
    rules = RULES.get(language)
    if rules is None:
        return text
    plain = " ".join(text.split())
    positive = plain
    for pattern, instead in rules.negations.items():
        positive = re.sub(pattern, instead, positive, flags=re.IGNORECASE)
    positive = " ".join(positive.split())
    if positive and positive != plain:
        return positive
    verb = re.search(rf"(?<!\w)(?:{rules.verbs})", text, re.IGNORECASE)
    if verb is not None and rules.negated and text[verb.end() :].strip(" ?!."):
        return text[: verb.start()] + verb.expand(rules.negated) + text[verb.end() :]
    words = text.split()
    if len(words) < 2:
        return text
    between = rules.last if verb is not None and rules.last else rules.otherwise
    return " ".join([*words[:-1], between, words[-1]])


def negates(word: str, language: str) -> bool:
    """Whether a word says no, so that leaving it out would change what is meant."""
    rules = RULES.get(language, RULES["en"])
    return any(re.search(pattern, word, re.IGNORECASE) for pattern in rules.negations)
