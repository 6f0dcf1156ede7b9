"""Small questions with a known answer, for checking a model before its numbers are shown.

Each probe has a passage that answers the question and one that repeats its words without answering
it. Any working English reranker puts the answer first nearly always; a random one half the time.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProbeQuestion:
    """`answer` answers `query`; `decoy` shares its words and does not."""

    query: str
    answer: str
    decoy: str


PROBES = (
    ProbeQuestion(
        "What is the capital of France?",
        "Paris is the capital and largest city of France.",
        "Many visitors to France ask which city is the capital of a neighbouring country.",
    ),
    ProbeQuestion(
        "How many people live in Berlin?",
        "Berlin has about 3.7 million inhabitants.",
        "Berlin is known for its museums, and people live there for the music.",
    ),
    ProbeQuestion(
        "At what temperature does water boil at sea level?",
        "At sea level, water boils at 100 degrees Celsius.",
        "Boil the water, then let it cool to the temperature of the sea before serving.",
    ),
    ProbeQuestion(
        "Who wrote the play Hamlet?",
        "Hamlet is a tragedy by William Shakespeare, written around 1600.",
        "The theatre will play Hamlet on Friday; the director wrote a note for the audience.",
    ),
    ProbeQuestion(
        "how do I reset my password",
        "To choose a new password, click Forgot password where you sign in and follow the e-mail.",
        "Never share a password with anyone; how strong it is depends on its length.",
    ),
    ProbeQuestion(
        "Which planet is the largest in the solar system?",
        "Jupiter is bigger than all the other planets together.",
        "The solar system has eight planets, and which of them is seen best depends on the season.",
    ),
    ProbeQuestion(
        "When did the Second World War end in Europe?",
        "Germany surrendered on 8 May 1945, which ended the fighting in Europe.",
        "Historians of the Second World War still write about how Europe changed.",
    ),
    ProbeQuestion(
        "Can dogs eat chocolate?",
        "Chocolate contains theobromine, which is poisonous to dogs even in small amounts.",
        "Dogs can eat twice a day; the shop also sells chocolate for their owners.",
    ),
    ProbeQuestion(
        "What gas do plants take from the air for photosynthesis?",
        "For photosynthesis, plants absorb carbon dioxide through their leaves.",
        "What plants need in the air of a greenhouse, besides gas heating, is a matter of season.",
    ),
    ProbeQuestion(
        "symptoms of iron deficiency",
        "Too little iron often shows as tiredness, pale skin and shortness of breath.",
        "The deficiency of the iron bridge was found by engineers; it had no other symptoms.",
    ),
    ProbeQuestion(
        "How long does it take light from the Sun to reach the Earth?",
        "Sunlight needs about eight minutes and twenty seconds to get to the Earth.",
        "It takes a long time to reach a tan; light clothes keep off the Sun.",
    ),
    ProbeQuestion(
        "refund policy for cancelled orders",
        "If you cancel an order before dispatch, we refund the full price within five days.",
        "Orders for our policy brochure are up; it was cancelled last year without a refund.",
    ),
)


def probe_texts() -> list[tuple[str, list[str]]]:
    """Every probe's question with passages, for comparing two versions of one model.

    Pairs of (question, texts), the texts of one sentence up to some 400 tokens.
    """
    sentences = [text for probe in PROBES for text in (probe.answer, probe.decoy)]
    pairs = []
    for i, probe in enumerate(PROBES):
        others = sentences[2 * i + 2 :] + sentences[: 2 * i]
        texts = [probe.answer, probe.decoy, *others[:3]]
        texts += [" ".join([*others[4:8], probe.answer, *others[8:10]])]
        texts += [" ".join([*others[10:], probe.decoy])]
        texts += [f"{probe.decoy} {others[4]}", f"{others[5]} {probe.answer}"]
        pairs.append((probe.query, texts))
    return pairs


def probe_passages() -> tuple[list[str], list[str]]:
    """Every probe's question, and all passages of all probes, for models that embed each alone."""
    pairs = probe_texts()
    passages = dict.fromkeys(text for _, texts in pairs for text in texts)
    return [question for question, _ in pairs], list(passages)
