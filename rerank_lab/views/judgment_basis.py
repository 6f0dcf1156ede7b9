"""What judgments stand on, in words: whose they are, by which rule, and what was left out."""

from __future__ import annotations

from rerank_lab.core.judgment_basis import BOTH, LAB, JudgmentBasis
from rerank_lab.views.formatting import counted

POLICY_WORDS = {
    "latest": "the latest label counts",
    "majority": "the grade that most judges gave counts (of two, the lower)",
    "median": "the median grade counts (of two, the lower)",
    "gold-first": "imported labels come first, else the majority",
}
"""Policies by name, as they stand in sentences."""


def basis_sentence(basis: JudgmentBasis) -> str:
    """`34 labels of the lab and 187 of the corpus' own; the lab wins (5 times), ...`."""
    if not basis.with_labels:
        return "; ".join([f"the corpus' own ({basis.own:,})", *left_out(basis)])
    whose = counted(basis.lab, "grade") + " of the lab"
    if basis.source == BOTH:
        winner = "the lab" if basis.winner == LAB else "the corpus"
        whose += f" and {basis.own:,} of the corpus' own, where both grade {winner} wins"
        if basis.overridden:
            whose += f" (they differ on {basis.overridden:,})"
    parts = [whose, POLICY_WORDS.get(basis.policy, basis.policy)]
    if basis.llm_judges:
        parts.append(f"LLM judges let in: {', '.join(basis.llm_judges)}")
    return "; ".join([*parts, *left_out(basis)])


def basis_name(basis: JudgmentBasis) -> str:
    """Source, winner, policy and LLM judges in one cell: `both, lab wins, latest`, or `own`."""
    winner = f"{basis.winner} wins" if basis.winner else ""
    names = (basis.source, winner, basis.policy, *basis.llm_judges)
    return ", ".join(name for name in names if name)


def basis_note(basis: JudgmentBasis) -> str:
    """The sentence as one of its own, for the side bar."""
    sentence = basis_sentence(basis)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def left_out(basis: JudgmentBasis) -> tuple[str, ...]:
    """What does not count and why, and what counts unchecked; nothing for a count of zero."""
    notes = []
    if basis.stale:
        notes.append(f"{counted(basis.stale, 'label')} left out because the text has changed since")
    if basis.unknown:
        notes.append(f"{counted(basis.unknown, 'label')} of unknown queries or documents left out")
    if basis.unchecked:
        notes.append(f"{counted(basis.unchecked, 'label')} not checked against the text")
    return tuple(notes)
