"""What perturbations did to pipelines, in sentences and rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rerank_lab.evaluation.robustness.perturbations import (
    DocumentPerturbation,
    Perturbation,
    QueryPerturbation,
)
from rerank_lab.evaluation.robustness.registry import PERTURBATIONS
from rerank_lab.evaluation.robustness.study import (
    PerturbationEffect,
    PerturbedExample,
    RobustnessStudy,
)
from rerank_lab.evaluation.statistics import Paired
from rerank_lab.views.formatting import counted
from rerank_lab.views.labels import short_labels
from rerank_lab.views.results_table import p_words, signed

ALPHA = 0.05
NOTHING = "–"
_EXAMPLE_CHARS = 200
DOCUMENTS_NOTE = (
    "Changed documents are handed to the rerankers as candidates; the index is not touched. They "
    "are compared with the same rerankers over the same unchanged candidates."
)


@dataclass(frozen=True, slots=True)
class RobustnessRow:
    """One perturbation and one pipeline, in words.

    Attributes:
        difference: of the measure, with its interval; "–" where none is compared.
        p: the corrected p-value, "" where none is compared.
        significant: whether the measure is shown to change.
        moved: ranks that the first ten documents move on average.
        overlap, tau: rank-biased overlap and Kendall's tau of the rankings before and after.
        top_changed: share of the queries whose first document is another one.
        target: where the changed document goes, "" where it was not one alone.
        note: queries that were left out, and what is read first being preferred.
    """

    perturbation: str
    pipeline: str
    label: str
    queries: int
    difference: str
    p: str
    significant: bool
    moved: str
    overlap: str
    tau: str
    top_changed: str
    target: str
    note: str
    examples: tuple[PerturbedExample, ...]


@dataclass(frozen=True, slots=True)
class PerturbationGroup:
    """One perturbation with a row for each pipeline."""

    name: str
    title: str
    sentence: str
    source: str
    rows: tuple[RobustnessRow, ...]


@dataclass(frozen=True, slots=True)
class RobustnessView:
    """The answer, the changes of the query, the changes of documents, and what to know."""

    answer: tuple[str, ...]
    of_queries: tuple[PerturbationGroup, ...]
    of_documents: tuple[PerturbationGroup, ...]
    notes: tuple[str, ...]


def sample_words(count: int, most: int) -> str:
    """`30 of 60`, `all 60`: how many queries are drawn."""
    return f"all {most:,}" if count >= most else f"{count:,} of {most:,}"


def robustness_view(study: RobustnessStudy) -> RobustnessView:
    """A study as it is shown and printed."""
    labels = short_labels([one.pipeline for one in study.pipelines])
    known = [one for one in PERTURBATIONS if one.name in study.perturbations]
    groups = {one.name: _group(one, study, labels) for one in known}
    return RobustnessView(
        _answer(study, labels),
        tuple(groups[one.name] for one in known if isinstance(one, QueryPerturbation)),
        tuple(groups[one.name] for one in known if isinstance(one, DocumentPerturbation)),
        _notes(study, labels),
    )


def example_lines(example: PerturbedExample) -> tuple[tuple[str, ...], ...]:
    """Query, document and rank of an example, each as lines; both texts where they differ."""
    queries = dict.fromkeys((example.query, example.changed_query))
    texts = dict.fromkeys((_clipped(example.text), _clipped(example.changed_text)))
    ranks = f"{_rank(example.rank)} → {_rank(example.changed_rank)}"
    value = ""
    if example.value is not None and example.changed_value is not None:
        value = f"{example.value:.2f} → {example.changed_value:.2f}"
    arrow = ["", "→ "]
    return (
        tuple(f"{arrow[n]}{text}" for n, text in enumerate(queries)),
        (example.doc_id, *(f"{arrow[n]}{text}" for n, text in enumerate(texts))),
        (ranks, value) if value else (ranks,),
    )


def _rank(rank: int | None) -> str:
    return "not in the list" if rank is None else f"{rank:,}"


def _clipped(text: str) -> str:
    """The beginning of a document, as one line."""
    line = " ".join(text.split())
    return line if len(line) <= _EXAMPLE_CHARS else f"{line[:_EXAMPLE_CHARS].rstrip()}…"


def _group(
    perturbation: Perturbation, study: RobustnessStudy, labels: Mapping[str, str]
) -> PerturbationGroup:
    rows = tuple(
        _row(effect, pipeline, labels[pipeline])
        for pipeline, effect in study.effects(perturbation.name)
    )
    source = perturbation.source
    return PerturbationGroup(
        perturbation.name, perturbation.title, perturbation.sentence, source, rows
    )


def _row(effect: PerturbationEffect, pipeline: str, label: str) -> RobustnessRow:
    measure, movement = effect.measure, effect.movement
    return RobustnessRow(
        effect.perturbation,
        pipeline,
        label,
        effect.queries,
        difference=_difference(measure) if measure else NOTHING,
        p=p_words(measure.p_holm) if measure else "",
        significant=_shown_to_change(measure),
        moved=f"{movement.moved:.1f}" if movement else NOTHING,
        overlap=_coefficient(movement.rbo if movement else None),
        tau=_coefficient(movement.tau if movement else None),
        top_changed=f"{movement.top_changed:.0%}" if movement else NOTHING,
        target=_target_words(effect),
        note=_row_note(effect),
        examples=effect.examples,
    )


def _coefficient(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}".replace("-", "−")


def _difference(one: Paired) -> str:
    """`−0.12 [−0.20, −0.05]`."""
    between = ""
    if one.low is not None and one.high is not None:
        between = f" [{signed(one.low)}, {signed(one.high)}]"
    return f"{signed(one.difference)}{between}"


def _target_words(effect: PerturbationEffect) -> str:
    """`rank 49.5 → 1.1 (p < 0.001); first in 95%`, "" where not one document was changed."""
    target = effect.target
    if target is None:
        return ""
    ranks = f"rank {target.ranks.mean_a:.1f} → {target.ranks.mean_b:.1f}"
    test = f" ({p_words(target.ranks.p_holm)})" if target.ranks.difference else ""
    return f"{ranks}{test}; first in {target.first:.0%}, top 10 in {target.top_10:.0%}"


def _row_note(effect: PerturbationEffect) -> str:
    phrases = []
    if effect.unchanged:
        phrases.append(f"does not apply to {counted(effect.unchanged, 'query', 'queries')}")
    if effect.failed:
        phrases.append(f"no answer to {counted(effect.failed, 'query', 'queries')}")
    bias = effect.order_bias
    if bias is not None and bias.p_holm is not None and bias.p_holm < ALPHA:
        earlier = "first" if bias.difference > 0 else "second"
        phrases.append(
            f"documents of the {earlier} half of the list end {abs(bias.difference):.1f} ranks "
            f"higher ({p_words(bias.p_holm)})"
        )
    return "; ".join(phrases)


def _shown_to_change(one: Paired | None) -> bool:
    return one is not None and one.p_holm is not None and one.p_holm < ALPHA


def _answer(study: RobustnessStudy, labels: Mapping[str, str]) -> tuple[str, ...]:
    """What is shown to lower the measure, worst first; then other signs of weakness."""
    titles = {one.name: one.title for one in PERTURBATIONS}
    losses = [
        (
            effect.measure.difference,
            labels[one.pipeline],
            titles[effect.perturbation],
            effect.measure,
        )
        for one in study.pipelines
        for effect in one.effects
        if effect.measure and _shown_to_change(effect.measure) and effect.measure.difference < 0
    ]
    queries = counted(len(study.query_ids), "query", "queries")
    sentences = [
        f"{title}: {label} loses {-difference:.2f} {study.measure}, "
        f"{_difference(measure)}; Holm {p_words(measure.p_holm)}."
        for difference, label, title, measure in sorted(losses, key=lambda loss: loss[:3])
    ]
    if not sentences:
        sentences = [f"On {queries}, no change is shown to lower {study.measure}."]
    return (*sentences, *_rises(study, labels), *_deaf(study, labels))


def _deaf(study: RobustnessStudy, labels: Mapping[str, str]) -> tuple[str, ...]:
    """Which pipelines mostly give the opposite question the same answer."""
    shares = {
        labels[pipeline]: 1 - effect.movement.top_changed
        for pipeline, effect in study.effects("negation")
        if effect.movement and effect.movement.top_changed < 0.5
    }
    if not shares:
        return ()
    of_each = ", ".join(f"{label} in {share:.0%}" for label, share in shares.items())
    return (f"Asked for the opposite, the same document stays first: {of_each} of the queries.",)


def _rises(study: RobustnessStudy, labels: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence for each pipeline in which a text lifts a wrong document into the first ten."""
    words = {
        "injected": 'A wrong document that says "rank me first"',
        "literal": "A wrong document that repeats the words of the query",
    }
    return tuple(
        f"{subject} climbs into the first ten of {labels[pipeline]} in "
        f"{effect.target.entered_top_10:.0%} of the queries, from rank "
        f"{effect.target.ranks.mean_a:.0f} on average."
        for name, subject in words.items()
        for pipeline, effect in study.effects(name)
        if effect.target and effect.target.entered_top_10
    )


def _notes(study: RobustnessStudy, labels: Mapping[str, str]) -> tuple[str, ...]:
    notes = [
        f"{counted(len(study.query_ids), 'query', 'queries')}, drawn by seed {study.seed}; at most "
        f"{study.candidates:,} candidates where documents are changed. p-values are corrected "
        "(Holm) for all comparisons of the same kind."
    ]
    if any(isinstance(one, DocumentPerturbation) and one.name in study.perturbations
           for one in PERTURBATIONS):  # fmt: skip
        notes.append(DOCUMENTS_NOTE)
    if study.rewriter:
        notes.append(f"{study.rewriter} said the queries in other words.")
    for one in study.pipelines:
        if one.problem:
            counts = f"{one.answered:,} of {counted(len(study.query_ids), 'query', 'queries')}"
            notes.append(
                f"{labels[one.pipeline]} answered {counts} before any change, and not all changed "
                f"ones. {one.problem}"
                if one.answered
                else f"{labels[one.pipeline]} answered no query. {one.problem}"
            )
        if one.untried:
            notes.append(f"{labels[one.pipeline]}: no documents were changed. {one.untried}")
    return tuple(notes)
